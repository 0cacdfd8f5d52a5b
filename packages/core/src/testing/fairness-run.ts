// SPDX-License-Identifier: Apache-2.0

/**
 * A saturated band under a fairness policy, through the flow controller that runs in production and in virtual time:
 * tenants of random weights come and go in bursts, with requests of random and heavy-tailed sizes whose costs are
 * estimated wrongly, are cancelled, fail, and stream beyond what was thought. What is measured is what each policy's
 * bound is about.
 */

import type { FairnessPolicy } from '../flow-control/policies.ts';
import type { Ending, Permit } from '../request/permit.ts';
import { FlowControlKit } from './flow-control-kit.ts';
import { seededRandom } from './seeded-random.ts';

export interface FairnessRunOptions {
  readonly fairness: FairnessPolicy;
  readonly seed: number;
  /** Requests that arrive in all. */
  readonly arrivals: number;
  /** Weights of the tenants. */
  readonly weights: readonly number[];
  /** Tenants that always have something waiting; the others come and go. */
  readonly backlogged: number;
  /** Requests in flight at once. */
  readonly slots?: number;
}

export interface FairnessRunResult {
  readonly arrivals: number;
  /** By tenant: cost of what it was served, in the order of the weights. */
  readonly served: readonly number[];
  /** Cost ÷ weight, as the next. */
  readonly largestLag: number;
  readonly bound: number | undefined;
  /** Dispatches after which a slot was free although somebody waited. */
  readonly idleWhileWaiting: number;
  readonly mostInFlight: number;
}

/** A tenant that has always something waiting has so many requests waiting. */
const BACKLOG = 4;

export function runFairness(options: FairnessRunOptions): FairnessRunResult {
  const run = new FairnessRun(options);
  return run.play();
}

class FairnessRun {
  readonly #options: FairnessRunOptions;
  readonly #kit: FlowControlKit;
  readonly #random: () => number;
  readonly #slots: number;
  readonly #waiting: number[];
  readonly #served: number[];
  #arrivals = 0;
  #idleWhileWaiting = 0;
  #mostInFlight = 0;

  constructor(options: FairnessRunOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#slots = options.slots ?? 8;
    this.#kit = new FlowControlKit({ limit: this.#slots, band: { fairness: options.fairness }, observed: false });
    this.#waiting = options.weights.map(() => 0);
    this.#served = options.weights.map(() => 0);
  }

  play(): FairnessRunResult {
    const { arrivals, weights, backlogged } = this.#options;
    const { controller, clock, permits } = this.#kit;
    while (this.#arrivals < arrivals) {
      for (let tenant = 0; tenant < backlogged; tenant += 1) this.#fill(tenant, BACKLOG);
      const visitor = backlogged + Math.floor(this.#random() * Math.max(1, weights.length - backlogged));
      // Most come for a few requests, some with thousands at once.
      if (visitor < weights.length && this.#random() < 0.01) this.#fill(visitor, Math.ceil(this.#random() ** 8 * 4000));
      clock.settle();
      if (controller.waiting > 0 && controller.inFlight < this.#slots) this.#idleWhileWaiting += 1;
      this.#mostInFlight = Math.max(this.#mostInFlight, controller.inFlight);
      const leaving = 1 + Math.floor(this.#random() * 2);
      for (let count = 0; count < leaving && permits.length > 0; count += 1) this.#finish();
    }
    const { largestLag, lagBound: bound } = controller.snapshot().bands[0]!;
    const [idleWhileWaiting, mostInFlight] = [this.#idleWhileWaiting, this.#mostInFlight];
    controller.destroy();
    for (const permit of permits.splice(0)) permit.end('cancelled');
    return { arrivals: this.#arrivals, served: this.#served, largestLag, bound, idleWhileWaiting, mostInFlight };
  }

  /** Requests of the tenant until so many of its wait. */
  #fill(tenant: number, most: number): void {
    const flowWeight = this.#options.weights[tenant] as number;
    while ((this.#waiting[tenant] as number) < most) {
      this.#waiting[tenant]! += 1;
      this.#arrivals += 1;
      const maxOutputTokens = this.#random() < 0.5 ? 1 + Math.floor(this.#random() * 1000) : undefined;
      const request = this.#kit.request({
        fairnessId: `t${tenant}`,
        flowWeight,
        sizeBytes: 40 + Math.floor(this.#random() * 4000),
        maxOutputTokens,
      });
      this.#kit.controller.enqueue(request, (settled) => {
        this.#waiting[tenant]! -= 1;
        if ('permit' in settled) this.#kit.permits.push(settled.permit);
      });
    }
  }

  /** Ends one of the requests in flight, any of them, with what it really was. */
  #finish(): void {
    const { permits } = this.#kit;
    const index = Math.floor(this.#random() * permits.length);
    const permit = permits[index] as Permit;
    permits[index] = permits.at(-1) as Permit;
    permits.pop();
    const { sizeBytes, fairnessId } = permit.request;
    const promptTokens = Math.ceil(sizeBytes / (2 + this.#random() * 4));
    const tenant = Number(fairnessId.slice(1));
    // Every third tenant leaves early, always. Otherwise heavy-tailed: most answers are short, some fifty times as long.
    const isHasty = tenant % 3 === 2 && this.#options.weights.length > 3;
    const completionTokens = isHasty ? 5 : Math.min(4_000, Math.ceil(40 / (1 - this.#random()) ** 0.9));
    const chance = this.#random();
    const others: Ending = chance < 0.9 ? 'succeeded' : chance < 0.95 ? 'cancelled' : 'failed';
    const ending = isHasty ? 'cancelled' : others;
    if (chance < 0.5) for (let tokens = 64; tokens < completionTokens; tokens += 64) permit.streamed(tokens);
    const cost = promptTokens + 2 * completionTokens;
    this.#served[tenant]! += cost;
    permit.end(ending, { promptTokens, completionTokens });
  }
}
