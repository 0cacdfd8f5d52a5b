// SPDX-License-Identifier: Apache-2.0

/**
 * A model server in virtual time: so many sequences run, the others wait in arrival order for a slot and for KV room; a
 * first token after prefill, then one after the other. Only what others can see is an event: a first token and an end.
 */

import type { Alarm, Clock, EngineMetrics, Random } from '@fairlead/core';
import { drawFactor } from './draws.ts';
import type { FleetModel } from './scenario-fields.ts';

/** One request at a server. */
export interface Job {
  readonly promptTokens: number;
  readonly outputTokens: number;
  onFirstToken(): void;
  onEnd(): void;
  /** The server is gone. */
  onKilled(): void;
}

interface Run {
  readonly job: Job;
  alarm: Alarm | undefined;
}

export class SimulatedEngine {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #model: FleetModel;
  readonly #onChange: () => void;
  readonly #running = new Map<Job, Run>();
  readonly #waiting = new Set<Job>();
  #kvTokens = 0;
  #stale: EngineMetrics | undefined;
  /** All takes so many times as long. */
  slowness = 1;
  isUp = true;

  /** `onChange`: what it runs or keeps waiting is about to change. */
  constructor(parts: { clock: Clock; random: Random; model: FleetModel; onChange: () => void }) {
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#model = parts.model;
    this.#onChange = parts.onChange;
  }

  get slots(): number {
    return this.#model.slots;
  }

  get running(): number {
    return this.#running.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get metrics(): EngineMetrics {
    return this.#stale ?? this.#metricsNow;
  }

  /** Its metrics stay as they are, or are true again. */
  freezeMetrics(isFrozen: boolean): void {
    this.#stale = isFrozen ? this.#metricsNow : undefined;
  }

  submit(job: Job): void {
    this.#onChange();
    this.#waiting.add(job);
    this.#admit();
  }

  abort(job: Job): void {
    this.#onChange();
    this.#remove(job);
    this.#admit();
  }

  /** Everything it has is gone. */
  kill(): void {
    this.#onChange();
    this.isUp = false;
    const jobs = [...this.#running.keys(), ...this.#waiting];
    for (const job of jobs) this.#remove(job);
    for (const job of jobs) job.onKilled();
  }

  get #metricsNow(): EngineMetrics {
    return { running: this.running, waiting: this.waiting, kvUsage: this.#kvTokens / this.#model.kvTokens };
  }

  #admit(): void {
    for (const job of this.#waiting) {
      const fits = this.#kvTokens + sizeOf(job) <= this.#model.kvTokens || this.running === 0;
      if (this.running >= this.slots || !fits) return;
      this.#waiting.delete(job);
      this.#run(job);
    }
  }

  #run(job: Job): void {
    const { prefill, prefillTokensPerS, token, noise } = this.#model;
    const pace = this.slowness * drawFactor(noise, this.#random);
    const promptMs = prefillTokensPerS > 0 ? (job.promptTokens * 1000) / prefillTokensPerS : 0;
    const firstMs = this.#clock.now() + pace * (prefill + promptMs);
    const run: Run = { job, alarm: undefined };
    this.#running.set(job, run);
    this.#kvTokens += sizeOf(job);
    run.alarm = this.#clock.at(firstMs, () => {
      run.alarm = this.#clock.at(firstMs + pace * token * Math.max(0, job.outputTokens - 1), () => this.#end(job));
      job.onFirstToken();
    });
  }

  #end(job: Job): void {
    this.#onChange();
    this.#remove(job);
    this.#admit();
    job.onEnd();
  }

  #remove(job: Job): void {
    const run = this.#running.get(job);
    if (run === undefined) {
      this.#waiting.delete(job);
      return;
    }
    run.alarm?.cancel();
    this.#running.delete(job);
    this.#kvTokens -= sizeOf(job);
  }
}

function sizeOf({ promptTokens, outputTokens }: Job): number {
  return promptTokens + outputTokens;
}
