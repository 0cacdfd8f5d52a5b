// SPDX-License-Identifier: Apache-2.0

/**
 * Plays phases on a stage: the right load for so long, its figures second by second, and an idle fleet before the next
 * phase begins, which would otherwise be charged for what the last one left in the engines' queues.
 */

import { AGENT, batchFlood, FLOOD_LOOPS, floodLoopsFor, INTERACTIVE } from './demo-tenants.ts';
import { ChildError } from './fleet/child.ts';
import { FleetMeter } from './fleet/engine-load.ts';
import type { LiveView } from './live-view.ts';
import { liveTenant } from './live-view.ts';
import { Load } from './load/load.ts';
import type { StreamEnding } from './load/streaming-client.ts';
import { StreamingClient } from './load/streaming-client.ts';
import { Tally } from './load/tally.ts';
import type { Tenant } from './load/tenant.ts';
import type { Phase, PhaseTimes } from './phases.ts';
import { phaseTimes } from './phases.ts';
import { durationText } from './quantity-text.ts';
import type { PhaseResult } from './result.ts';
import { phaseResult } from './result.ts';
import { rest } from './rest.ts';
import type { Stage } from './stage.ts';

const SECOND_MS = 1000;
const IDLE_LIMIT_MS = 5_000;
const IDLE_POLL_MS = 25;
/** Requests that nobody counts, before the first phase: the first ones compile the gateway's code. */
const WARM_UP_REQUESTS = 5;
/** While serving on, figures are those of the current stretch of this length. */
const STRETCH_MS = 60_000;

export class Player {
  readonly #stage: Stage;
  readonly #view: LiveView;
  readonly #seed: number;
  /** Aborted when the demo is to end, wherever it is. */
  readonly #halt: AbortSignal;
  readonly #meter: FleetMeter;
  #load: Load | undefined;

  constructor(parts: { stage: Stage; view: LiveView; seed: number; halt: AbortSignal }) {
    this.#stage = parts.stage;
    this.#view = parts.view;
    this.#seed = parts.seed;
    this.#halt = parts.halt;
    this.#meter = new FleetMeter(() => this.#stage.engineLoad());
  }

  /** Plays all phases so that they are over at `endsAtMs`; fewer when halted, the last one then being cut short. */
  async play(phases: readonly Phase[], endsAtMs: number): Promise<PhaseResult[]> {
    const results: PhaseResult[] = [];
    await this.#warmUp();
    for (const [index, phase] of phases.entries()) {
      if (this.#halt.aborted) break;
      this.#view.say(`\n${phase.name}: ${phase.summary}`);
      if (phase.goesOn !== true) await this.#prepare(phase);
      const times = phaseTimes(phases.slice(index), endsAtMs - performance.now());
      const isOver = phases[index + 1]?.goesOn !== true;
      results.push(await this.#playPhase(phase, { times, isOver }));
    }
    return results;
  }

  /** Keeps the protected load up until halted. */
  async goOn(): Promise<void> {
    const tenants = await this.#tenants(true);
    while (!this.#halt.aborted) {
      const tally = new Tally();
      if (this.#load === undefined) this.#begin(tenants, tally);
      this.#load?.record(tally);
      await this.#watch({ label: 'serving on', tenants, tally, forMs: STRETCH_MS });
    }
  }

  async close(): Promise<void> {
    this.#meter.stop();
    await this.#stop();
  }

  async #prepare(phase: Phase): Promise<void> {
    await this.#stop();
    await this.#fleetIdle();
    await this.#stage.gateway.setBypass(phase.bypass);
  }

  async #playPhase(phase: Phase, plan: { times: PhaseTimes; isOver: boolean }): Promise<PhaseResult> {
    const tenants = await this.#tenants(phase.flood);
    const tally = new Tally();
    if (phase.goesOn === true) {
      this.#load?.record(tally);
      this.#load?.resumeArrivals();
    } else {
      this.#begin(tenants, tally);
    }
    this.#meter.restart();
    if (phase.kills === true) this.#view.say(`kill -9 ${await this.#stage.killServer()}`);
    await this.#watch({ label: phase.name, tenants, tally, forMs: plan.times.sendMs });
    tally.closeWindow();
    const { meanRunning } = this.#meter;
    this.#load?.pauseArrivals();
    const begun = this.#load?.openRequestsBegun();
    await this.#watch({ label: `${phase.name}, last answers`, tenants, tally, forMs: plan.times.tailMs, until: begun });
    if (plan.isOver) await this.#stop();
    const names = tenants.map(({ name }) => name);
    return phaseResult({ name: phase.name, tally, tenants: names, slots: await this.#slots(), meanRunning });
  }

  #begin(tenants: readonly Tenant[], tally: Tally): void {
    const { gateway, model } = this.#stage;
    this.#load = new Load({ baseUrl: gateway.url, model, tenants, seed: this.#seed, tally });
    this.#load.start();
  }

  /** Ends the load at once; what was under way is entered as cancelled. */
  async #stop(): Promise<void> {
    const load = this.#load;
    this.#load = undefined;
    await load?.stop();
  }

  async #tenants(flood: boolean): Promise<Tenant[]> {
    if (!flood) return [INTERACTIVE];
    const loops = this.#stage.ownsServers ? FLOOD_LOOPS : floodLoopsFor(await this.#slots());
    return [INTERACTIVE, AGENT, batchFlood(loops)];
  }

  /** Zero when the gateway cannot say because it is being ended. */
  async #slots(): Promise<number> {
    try {
      return await this.#stage.slots();
    } catch (error) {
      if (this.#halt.aborted) return 0;
      throw error;
    }
  }

  /** Shows every second what happens, for `forMs` or until something has happened. */
  async #watch(parts: {
    label: string;
    tenants: readonly Tenant[];
    tally: Tally;
    forMs: number;
    until?: Promise<void> | undefined;
  }): Promise<void> {
    const endsAtMs = performance.now() + parts.forMs;
    const before = new Map<string, number>(parts.tenants.map(({ name }) => [name, parts.tally.of(name).tokens]));
    let over = false;
    const ended = parts.until === undefined ? [] : [parts.until.then(() => void (over = true))];
    let shownAtMs = performance.now();
    while (!over && !this.#halt.aborted) {
      const leftMs = endsAtMs - performance.now();
      if (leftMs <= 0) return;
      await rest(Math.min(SECOND_MS, leftMs), this.#halt, ...ended);
      if (over || this.#halt.aborted || leftMs < SECOND_MS) continue;
      const seconds = (performance.now() - shownAtMs) / 1000;
      shownAtMs = performance.now();
      this.#show(parts, { before, seconds });
    }
  }

  #show(
    parts: { label: string; tenants: readonly Tenant[]; tally: Tally },
    last: { before: Map<string, number>; seconds: number },
  ): void {
    const rows = parts.tenants.map(({ name }) => {
      const tally = parts.tally.of(name);
      const tokensPerS = (tally.tokens - (last.before.get(name) ?? 0)) / last.seconds;
      last.before.set(name, tally.tokens);
      return liveTenant({
        name,
        tally,
        underWay: this.#load?.underWay(name) ?? { waiting: 0, running: 0 },
        tokensPerS,
      });
    });
    this.#view.show(`${parts.label}, ${Math.round(parts.tally.secondsSinceStart)} s`, rows);
  }

  async #warmUp(): Promise<void> {
    const { gateway, model } = this.#stage;
    const client = new StreamingClient();
    try {
      for (let sent = 0; sent < WARM_UP_REQUESTS && !this.#halt.aborted; sent++) {
        const ending = await new Promise<StreamEnding>((resolve) => {
          client.send(
            { baseUrl: gateway.url, model, apiKey: 'demo-warm-up', prompt: 'Hello.', maxTokens: 2 },
            { firstToken: () => undefined, tokens: () => undefined, ended: resolve },
          );
        });
        if (ending.kind === 'failed') {
          throw new ChildError(`a first request for ${model} through the gateway failed: ${ending.reason}`);
        }
      }
    } finally {
      await client.destroy();
    }
    if (!this.#halt.aborted) this.#view.say(`warmed up with ${WARM_UP_REQUESTS} requests, which are not counted`);
  }

  /** Waits until the engines have nothing left, and says so. */
  async #fleetIdle(): Promise<void> {
    const startedAtMs = performance.now();
    let left = await this.#stage.sequences();
    while (left > 0 && performance.now() - startedAtMs < IDLE_LIMIT_MS && !this.#halt.aborted) {
      await rest(IDLE_POLL_MS, this.#halt);
      left = await this.#stage.sequences();
    }
    const waited = durationText(performance.now() - startedAtMs);
    this.#view.say(
      left === 0 ? `the fleet is idle (waited ${waited})` : `the fleet still runs ${left} sequences after ${waited}`,
    );
  }
}
