// SPDX-License-Identifier: Apache-2.0

/**
 * One tenant at work. Open arrivals follow a schedule that lateness does not shift; closed loops wait for their answer,
 * think, and go on, more slowly after a failure so that a dead target is not hammered.
 */

import type { Random } from '@fairlead/core';
import { exponential, randomFor, wholeNumber } from './draw.ts';
import type { StreamInFlight, StreamingClient } from './streaming-client.ts';
import type { Tally } from './tally.ts';
import type { OpenArrivals, Tenant } from './tenant.ts';

/** A loop rests for so long after a failed request. */
const REST_AFTER_FAILURE_MS = 500;

export interface TenantLoadOptions {
  readonly tenant: Tenant;
  readonly client: StreamingClient;
  readonly baseUrl: string;
  readonly model: string;
  readonly seed: number;
  /** Its place among the tenants: which random numbers are its own. */
  readonly index: number;
  /** Where things are entered at this moment. */
  readonly tally: () => Tally;
}

export class TenantLoad {
  readonly tenant: Tenant;
  readonly #options: TenantLoadOptions;
  readonly #underWay = new Set<StreamInFlight>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #gaps: Random;
  readonly #sizes: Random;
  #waiting = 0;
  #stopped = false;
  #onNobodyWaits: (() => void)[] = [];

  constructor(options: TenantLoadOptions) {
    this.tenant = options.tenant;
    this.#options = options;
    this.#gaps = randomFor(options.seed, options.index, 0);
    this.#sizes = randomFor(options.seed, options.index, 1);
  }

  /** Requests without a token yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Requests whose text is coming. */
  get running(): number {
    return this.#underWay.size - this.#waiting;
  }

  start(): void {
    if (this.#stopped) return;
    const { arrivals } = this.tenant;
    if (arrivals.kind === 'open') {
      this.#arrive(performance.now(), arrivals);
      return;
    }
    for (let loop = 0; loop < arrivals.loops; loop++) {
      const random = randomFor(this.#options.seed, this.#options.index, 2, loop);
      this.#ask(random, arrivals.thinkMs);
    }
  }

  /** No further requests come by themselves; those under way go on. */
  pause(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  async nobodyWaits(): Promise<void> {
    if (this.#waiting === 0) return;
    await new Promise<void>((resolve) => this.#onNobodyWaits.push(resolve));
  }

  stop(): void {
    this.#stopped = true;
    this.pause();
    for (const request of this.#underWay) request.cancel();
  }

  /** Sends the request that is due at `dueAtMs`, and plans the next one. */
  #arrive(dueAtMs: number, arrivals: OpenArrivals): void {
    this.#send(this.#sizes, () => undefined);
    const meanGapMs = 1000 / arrivals.requestsPerS;
    const nextAtMs = dueAtMs + (arrivals.spacing === 'even' ? meanGapMs : exponential(this.#gaps, meanGapMs));
    this.#after(nextAtMs - performance.now(), () => this.#arrive(nextAtMs, arrivals));
  }

  /** One round of a loop. */
  #ask(random: Random, meanThinkMs: number): void {
    this.#send(random, (failed) => {
      if (this.#stopped) return;
      const thinkMs = exponential(random, meanThinkMs);
      const restMs = failed ? Math.max(thinkMs, REST_AFTER_FAILURE_MS) : thinkMs;
      if (restMs === 0) this.#ask(random, meanThinkMs);
      else this.#after(restMs, () => this.#ask(random, meanThinkMs));
    });
  }

  #after(delayMs: number, callback: () => void): void {
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        callback();
      },
      Math.max(0, delayMs),
    );
    this.#timers.add(timer);
  }

  #send(random: Random, onEnded: (failed: boolean) => void): void {
    const { client, baseUrl, model, tally } = this.#options;
    const { name, apiKey, outputTokens } = this.tenant;
    const maxTokens = wholeNumber(random, outputTokens);
    this.#waiting++;
    const request = client.send(
      { baseUrl, model, apiKey, maxTokens, prompt: `Tell me a story in ${maxTokens} words.` },
      {
        firstToken: (ttftMs) => {
          tally().of(name).ttftMs.push(ttftMs);
          this.#begun();
        },
        tokens: (count) => {
          tally().of(name).tokens += count;
        },
        ended: (ending) => {
          this.#underWay.delete(request);
          tally()
            .of(name)
            .end(ending, performance.now() - request.sentAtMs);
          if (!request.begun) this.#begun();
          onEnded(ending.kind === 'failed');
        },
      },
    );
    this.#underWay.add(request);
  }

  #begun(): void {
    this.#waiting--;
    if (this.#waiting > 0) return;
    for (const resolve of this.#onNobodyWaits.splice(0)) resolve();
  }
}
