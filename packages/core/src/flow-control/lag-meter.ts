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

/** A flow as far as its lag is concerned. */
export interface Metered {
  readonly weight: number;
  readonly inFlight: number;
  /** It was parked since it was last served; the meter lays that down again. */
  wasParked: boolean;
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
  #count = 0;
  /** Served by weight since it is watched, by slot. */
  readonly #served = new Float64Array(WATCHED);
  /** Least and most of `served` of the lower slot less that of the higher. */
  readonly #least = new Float64Array(WATCHED * WATCHED);
  readonly #most = new Float64Array(WATCHED * WATCHED);
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
    if (this.#count === WATCHED || this.#isPaused) return;
    let slot = 0;
    while (this.#flows[slot] !== undefined) slot += 1;
    this.#flows[slot] = flow;
    this.#count += 1;
    flow.lagSlot = slot;
    this.#served[slot] = 0;
    for (let other = 0; other < this.#flows.length; other += 1) {
      if (other !== slot && this.#flows[other] !== undefined) this.#beginPair(slot, other);
    }
  }

  /** It has nothing waiting any more. */
  leave(flow: Metered): void {
    if (flow.lagSlot < 0) return;
    this.#flows[flow.lagSlot] = undefined;
    this.#count -= 1;
    flow.lagSlot = -1;
  }

  /** One of its requests is dispatched, at this cost. */
  charge(flow: Metered, cost: number): void {
    const normalised = cost / flow.weight;
    if (normalised > this.largestCost) this.largestCost = normalised;
    if (flow.inFlight >= this.mostInFlight) this.mostInFlight = flow.inFlight + 1;
    if (flow.lagSlot >= 0) this.#serve(flow, normalised, true);
    flow.wasParked = false;
  }

  /** What one of them was charged was off by `delta`, and by `error` in all. */
  settle(flow: Metered, delta: number, error: number): void {
    const normalised = Math.abs(error) / flow.weight;
    if (normalised > this.largestError) this.largestError = normalised;
    // It may have been dispatched before this meter began.
    this.mostInFlight = Math.max(this.mostInFlight, flow.inFlight, 1);
    if (flow.lagSlot >= 0) this.#serve(flow, delta / flow.weight, false);
  }

  #serve({ lagSlot: slot, wasParked }: Metered, by: number, isTurn: boolean): void {
    const served = (this.#served[slot] as number) + by;
    this.#served[slot] = served;
    for (let other = 0; other < this.#flows.length; other += 1) {
      const flow = this.#flows[other];
      if (flow === undefined || other === slot) continue;
      if (isTurn && (wasParked || flow.wasParked)) this.#beginPair(slot, other);
      else this.#compare(slot, other, served - (this.#served[other] as number));
    }
  }

  #compare(slot: number, other: number, ahead: number): void {
    const pair = slot < other ? slot * WATCHED + other : other * WATCHED + slot;
    const difference = slot < other ? ahead : -ahead;
    if (difference > (this.#most[pair] as number)) this.#most[pair] = difference;
    else if (difference < (this.#least[pair] as number)) this.#least[pair] = difference;
    else return;
    const lag = (this.#most[pair] as number) - (this.#least[pair] as number);
    if (lag > this.largestLag) this.largestLag = lag;
  }

  #beginPair(slot: number, other: number): void {
    const [low, high] = slot < other ? [slot, other] : [other, slot];
    const difference = (this.#served[low] as number) - (this.#served[high] as number);
    this.#least[low * WATCHED + high] = difference;
    this.#most[low * WATCHED + high] = difference;
  }
}
