// SPDX-License-Identifier: Apache-2.0

/**
 * A model server reduced to what flow control can see of it: so many slots, a queue in front of them, a time to first
 * token and a time a token. Runs under a virtual clock.
 */

import type { Clock } from '../clock.ts';
import type { EngineMetrics } from '../endpoints/endpoint.ts';

/** One request as the engine sees it. */
export interface EngineJob {
  readonly tokens: number;
  onFirstToken(): void;
  onFinished(): void;
}

export class ModelledEngine {
  readonly #clock: Clock;
  readonly #queue: EngineJob[] = [];
  /** Sequences it runs at once; may change while it runs. */
  slots: number;
  prefillMs = 50;
  tokenMs = 10;
  /** KV use that its metrics tell; undefined: they tell none. */
  kvUsage: number | undefined;
  running = 0;
  /** Tokens made so far. */
  tokens = 0;
  /** The longest its queue has been. */
  peakWaiting = 0;

  constructor(clock: Clock, slots: number) {
    this.#clock = clock;
    this.slots = slots;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  get metrics(): EngineMetrics {
    return { running: this.running, waiting: this.waiting, kvUsage: this.kvUsage };
  }

  submit(job: EngineJob): void {
    this.#queue.push(job);
    this.#admit();
    this.peakWaiting = Math.max(this.peakWaiting, this.#queue.length);
  }

  #admit(): void {
    while (this.running < this.slots) {
      const job = this.#queue.shift();
      if (job === undefined) return;
      this.#run(job);
    }
  }

  #run(job: EngineJob): void {
    this.running += 1;
    const startMs = this.#clock.now();
    this.#clock.at(startMs + this.prefillMs, () => {
      job.onFirstToken();
    });
    this.#clock.at(startMs + this.prefillMs + job.tokens * this.tokenMs, () => {
      this.running -= 1;
      this.tokens += job.tokens;
      job.onFinished();
      this.#admit();
    });
  }
}
