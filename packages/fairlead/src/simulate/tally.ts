// SPDX-License-Identifier: Apache-2.0

/**
 * What is counted while a scenario runs: service, waits and refusals of each tenant, and how the fleet is used between
 * any two changes.
 */

import type { FlowEvent } from '@fairlead/core';
import { LagOracle } from '@fairlead/core/testing';
import type { ModelledServer } from '@fairlead/core/testing';
import type { SimulatedRequest } from './simulated-request.ts';

export class TenantTally {
  requests = 0;
  answered = 0;
  /** Answered with a first token in time, when there is a goal. */
  inTime = 0;
  broken = 0;
  gaveUp = 0;
  /** Cost asked for, and cost dispatched less what came to nothing, in units of an input token. */
  asked = 0;
  served = 0;
  /** Tokens of prompts and answers asked for. */
  askedTokens = 0;
  /** Tokens of answers that came. */
  outputTokens = 0;
  readonly drops = new Map<string, number>();
  readonly waitsMs: number[] = [];
  readonly ttftsMs: number[] = [];
  waiting = 0;
  weight = 1;
  /** Its own limit, on requests in flight or on tokens, is why it waits. */
  isHeld = false;
}

/** How the fleet is used, over time. */
export class FleetTally {
  readonly #engines: readonly ModelledServer[];
  #lastMs = 0;
  /** Requests that wait, and of these those that would wait for a limit of their tenant's whatever is free. */
  waiting = 0;
  held = 0;
  busySlotMs = 0;
  slotMs = 0;
  /** Somebody waited for his turn while a slot was free. */
  idleWhileWaitingMs = 0;
  /** A server had more than it can run. */
  overCapacityMs = 0;

  constructor(engines: readonly ModelledServer[]) {
    this.#engines = engines;
  }

  /** Counts what has been until now; to be called before anything changes. */
  count(nowMs: number): void {
    const tookMs = nowMs - this.#lastMs;
    if (tookMs === 0) return;
    this.#lastMs = nowMs;
    let running = 0;
    let slots = 0;
    let isOver = false;
    for (const engine of this.#engines) {
      running += engine.running;
      if (engine.isUp) slots += engine.slots;
      if (engine.waiting > 0) isOver = true;
    }
    this.busySlotMs += running * tookMs;
    this.slotMs += slots * tookMs;
    if (this.waiting > this.held && running < slots) this.idleWhileWaitingMs += tookMs;
    if (isOver) this.overCapacityMs += tookMs;
  }

  /** From now on. */
  reset(): void {
    this.busySlotMs = this.slotMs = this.idleWhileWaitingMs = this.overCapacityMs = 0;
  }
}

interface TalliesOptions {
  readonly engines: readonly ModelledServer[];
  /** Of a request as it is meant to be, or as far as its server came with it. */
  readonly costOf: (request: SimulatedRequest, what: 'whole' | 'so-far') => number;
  /** Those under way, by id. */
  readonly requests: ReadonlyMap<string, SimulatedRequest>;
}

/** Costs of a request as it was, and of who waits. */
export class Tallies {
  readonly tenants = new Map<string, TenantTally>();
  readonly lag = new Map<number, LagOracle>();
  readonly fleet: FleetTally;
  readonly #costOf: TalliesOptions['costOf'];
  readonly #requests: ReadonlyMap<string, SimulatedRequest>;
  /** Nothing of the warm-up is counted. */
  isCounting = false;

  constructor(options: TalliesOptions) {
    this.fleet = new FleetTally(options.engines);
    this.#costOf = options.costOf;
    this.#requests = options.requests;
  }

  tenant(name: string): TenantTally {
    let tally = this.tenants.get(name);
    if (tally === undefined) this.tenants.set(name, (tally = new TenantTally()));
    return tally;
  }

  /** What a flow controller tells. */
  observe(event: FlowEvent): void {
    switch (event.kind) {
      case 'enqueued':
        return this.#waits(event, 1);
      case 'requeued':
        this.#charge(event, () => 0);
        return this.#waits(event, 1);
      case 'evicted':
        return this.#waits(event, -1);
      case 'dispatched':
        this.#charge(event, (request) => this.#costOf(request, 'whole'));
        return this.#waits(event, -1);
      case 'ended': {
        const isVain = (request: SimulatedRequest): boolean => event.ending === 'failed' && request.events === 0;
        return this.#charge(event, (request) => (isVain(request) ? 0 : this.#costOf(request, 'so-far')));
      }
      case 'flow-parked':
        if (event.why !== 'no-room') this.#hold(event, true);
        return;
      case 'flow-unparked':
        return this.#hold(event, false);
      default:
    }
  }

  asked(request: SimulatedRequest): void {
    if (!this.isCounting) return;
    request.isCounted = true;
    const tally = this.tenant(request.plan.identity.tenant);
    tally.requests += 1;
    tally.asked += this.#costOf(request, 'whole');
    tally.askedTokens += request.plan.promptTokens + request.plan.outputTokens;
  }

  /** `ttftGoalMs`: later first tokens are no goodput. */
  over(request: SimulatedRequest, ttftGoalMs: number | undefined): void {
    if (!this.isCounting) return;
    const tally = this.tenant(request.plan.identity.tenant);
    const { fate, problem, waitMs, ttftMs } = request;
    if (fate === 'answered') tally.outputTokens += request.plan.outputTokens;
    if (!request.isCounted) return;
    if (waitMs !== undefined) tally.waitsMs.push(waitMs);
    if (ttftMs !== undefined) tally.ttftsMs.push(ttftMs);
    if (fate === 'answered') {
      tally.answered += 1;
      if (ttftGoalMs === undefined || (ttftMs as number) <= ttftGoalMs) tally.inTime += 1;
    } else if (fate === 'gave-up') tally.gaveUp += 1;
    else if (fate === 'broken') tally.broken += 1;
    else tally.drops.set(problem!.code, (tally.drops.get(problem!.code) ?? 0) + 1);
  }

  /** It costs so much by now: from its dispatch what it is meant to be, at its end what came of it. */
  #charge(
    { kind, band, request }: Extract<FlowEvent, { kind: 'dispatched' | 'requeued' | 'ended' }>,
    costOf: (request: SimulatedRequest) => number,
  ): void {
    const simulated = this.#requests.get(request.id);
    if (simulated === undefined || !this.isCounting) return;
    // What was dispatched before anything was counted is not counted at its end either.
    if (kind !== 'dispatched' && simulated.servedCost === undefined) return;
    const cost = costOf(simulated);
    const more = cost - (simulated.servedCost ?? 0);
    simulated.servedCost = cost;
    if (more === 0) return;
    this.tenant(request.fairnessId).served += more;
    this.#lagOf(band).served(request.fairnessId, more);
  }

  #waits(event: Extract<FlowEvent, { band: number; request: unknown }>, by: 1 | -1): void {
    const { fairnessId, flowWeight: weight = 1 } = event.request;
    this.fleet.count(event.atMs);
    this.fleet.waiting += by;
    const tally = this.tenant(fairnessId);
    tally.waiting += by;
    tally.weight = weight;
    if (tally.isHeld) this.fleet.held += by;
    if (tally.waiting === 0) {
      tally.isHeld = false;
      this.#lagOf(event.band).idle(fairnessId);
    } else if (by === 1 && !tally.isHeld) this.#lagOf(event.band).backlogged(fairnessId, tally.weight);
  }

  /** Who is held back by a limit of its own has no claim meanwhile. */
  #hold(
    { fairnessId, band, atMs }: Extract<FlowEvent, { kind: 'flow-parked' | 'flow-unparked' }>,
    isHeld: boolean,
  ): void {
    const tally = this.tenant(fairnessId);
    if (tally.isHeld === isHeld) return;
    this.fleet.count(atMs);
    tally.isHeld = isHeld;
    this.fleet.held += isHeld ? tally.waiting : -tally.waiting;
    if (isHeld) this.#lagOf(band).idle(fairnessId);
    else this.#lagOf(band).backlogged(fairnessId, tally.weight);
  }

  #lagOf(band: number): LagOracle {
    let meter = this.lag.get(band);
    if (meter === undefined) this.lag.set(band, (meter = new LagOracle()));
    return meter;
  }
}
