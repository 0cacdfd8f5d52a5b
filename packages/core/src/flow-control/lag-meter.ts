// SPDX-License-Identifier: Apache-2.0

/**
 * How unfair a band has been, measured while it runs: the largest difference between what two flows were served, by
 * weight, over any time in which both had something waiting. That is what a fairness policy's bound is about, so the
 * two can be laid side by side.
 *
 * All pairs of all flows would be too many, so up to sixteen flows are watched at a time, all pairs of them and all
 * intervals; who leaves makes place for the next that comes. For each pair the least and the most of the difference are
 * enough, because the largest over any interval is the distance of the two. A flow that waits for other endpoints than
 * the one that is served cannot be compared with it, and their interval begins anew when it has been served.
 */

import type { LagFacts } from './policies.ts';

const WATCHED = 16;
/** All slots, as bits. */
const ALL = (1 << WATCHED) - 1;

/** A flow as far as its lag is concerned. */
export interface Metered {
  readonly weight: number;
  readonly inFlight: number;
  /** Its place among the watched; -1 for none. The meter's. */
  lagSlot: number;
}

export class LagMeter implements LagFacts {
  /** Cost ÷ weight, as the next two. */
  largestLag = 0;
  largestCost = 0;
  largestError = 0;
  mostInFlight = 0;
  readonly #flows: (Metered | undefined)[] = [];
  /** Slots, as bits: that are free, and of those who were parked since they were last served. */
  #free = ALL;
  #parked = 0;
  /** Served by weight since it is watched, by slot. */
  readonly #served = new Float64Array(WATCHED);
  /** For each slot the most of its `served` less that of each other. */
  readonly #ahead = new Float64Array(WATCHED * WATCHED);
  #isPaused = false;

  /** Begins anew, as with another policy. */
  reset(): void {
    for (const flow of this.#flows) if (flow !== undefined) this.leave(flow);
    this.largestLag = 0;
    this.largestCost = 0;
    this.largestError = 0;
    this.mostInFlight = 0;
  }

  /** Nobody is watched while everything is let through, whoever's turn it is. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (isPaused) for (const flow of this.#flows) if (flow !== undefined) this.leave(flow);
  }

  /** The flow has something waiting from now on. */
  enter(flow: Metered): void {
    if (this.#free === 0 || this.#isPaused) return;
    const slot = lowest(this.#free);
    this.#free &= ~(1 << slot);
    this.#flows[slot] = flow;
    flow.lagSlot = slot;
    this.#served[slot] = 0;
    for (let left = this.#others(slot); left !== 0; left &= left - 1) this.#beginPair(slot, lowest(left));
  }

  /** It has nothing waiting any more. */
  leave(flow: Metered): void {
    const slot = flow.lagSlot;
    if (slot < 0) return;
    this.#flows[slot] = undefined;
    this.#free |= 1 << slot;
    this.#parked &= ~(1 << slot);
    flow.lagSlot = -1;
  }

  /** It waits for other endpoints than those that are free. */
  park(flow: Metered): void {
    if (flow.lagSlot >= 0) this.#parked |= 1 << flow.lagSlot;
  }

  /** One of its requests is dispatched, at this cost. */
  charge(flow: Metered, cost: number): void {
    const normalised = cost / flow.weight;
    if (normalised > this.largestCost) this.largestCost = normalised;
    if (flow.inFlight >= this.mostInFlight) this.mostInFlight = flow.inFlight + 1;
    const slot = flow.lagSlot;
    if (slot < 0) return;
    this.#served[slot] = (this.#served[slot] as number) + normalised;
    if (this.#parked !== 0) this.#beginParked(slot);
    this.#gained(slot);
  }

  /** What one of them was charged was off by `delta`, and by `error` in all. */
  settle(flow: Metered, delta: number, error: number): void {
    const normalised = Math.abs(error) / flow.weight;
    if (normalised > this.largestError) this.largestError = normalised;
    // It may have been dispatched before this meter began.
    this.mostInFlight = Math.max(this.mostInFlight, flow.inFlight, 1);
    const slot = flow.lagSlot;
    if (slot < 0) return;
    this.#served[slot] = (this.#served[slot] as number) + delta / flow.weight;
    if (delta > 0) this.#gained(slot);
    else this.#lost(slot);
  }

  /** It is further ahead of the others. */
  #gained(slot: number): void {
    const served = this.#served[slot] as number;
    for (let left = this.#others(slot); left !== 0; left &= left - 1) {
      const other = lowest(left);
      const ahead = served - (this.#served[other] as number);
      if (ahead > (this.#ahead[slot * WATCHED + other] as number)) this.#record(slot, other, ahead);
    }
  }

  /** The others are further ahead of it. */
  #lost(slot: number): void {
    const served = this.#served[slot] as number;
    for (let left = this.#others(slot); left !== 0; left &= left - 1) {
      const other = lowest(left);
      const ahead = (this.#served[other] as number) - served;
      if (ahead > (this.#ahead[other * WATCHED + slot] as number)) this.#record(other, slot, ahead);
    }
  }

  /** One was never so far ahead of the other: that far, and as far as the other was ahead of it before or since, is a lag. */
  #record(one: number, other: number, ahead: number): void {
    this.#ahead[one * WATCHED + other] = ahead;
    const lag = ahead + (this.#ahead[other * WATCHED + one] as number);
    if (lag > this.largestLag) this.largestLag = lag;
  }

  /** It is served: the interval of each pair of which one was parked begins here. */
  #beginParked(slot: number): void {
    for (let left = this.#others(slot); left !== 0; left &= left - 1) {
      const other = lowest(left);
      if ((((this.#parked >> slot) | (this.#parked >> other)) & 1) === 1) this.#beginPair(slot, other);
    }
    this.#parked &= ~(1 << slot);
  }

  /** The slots, as bits, of those who are watched beside it: as a rule few. */
  #others(slot: number): number {
    return ALL & ~this.#free & ~(1 << slot);
  }

  #beginPair(one: number, other: number): void {
    const ahead = (this.#served[one] as number) - (this.#served[other] as number);
    this.#ahead[one * WATCHED + other] = ahead;
    this.#ahead[other * WATCHED + one] = -ahead;
  }
}

/** The lowest of the slots. */
function lowest(slots: number): number {
  return 31 - Math.clz32(slots & -slots);
}
