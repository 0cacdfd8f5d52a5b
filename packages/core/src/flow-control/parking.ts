// SPDX-License-Identifier: Apache-2.0

/**
 * Where flows stand whose head found no room: a lot for each placement key, because heads with equal keys fit or do not
 * fit together. When capacity comes free a lot lets out one flow at a time, and only while there is room, so that a
 * thousand flows waiting for the same full endpoint cost a completion one question and not a thousand. Inside a lot
 * the band's own fairness policy says who is next.
 */

import type { BandContext, FairnessPolicy, Member } from './policies.ts';

/** A flow as far as parking is concerned. */
export interface Parkable extends Member {
  /** The lot it stands in; set before it enters. */
  lot: Lot | undefined;
}

export interface Lot {
  readonly key: string;
  /** A fairness state of its own: its members are the parked flows. */
  state: unknown;
  size: number;
  /** The capacity epoch in which it was last found without room; open in any later one. */
  closedEpoch: number;
  /** The controller's dispatch count when the lot began to wait; it is passed over by what is dispatched since. */
  waitingSince: number;
}

export class Parking<F extends Parkable> {
  #fairness: FairnessPolicy;
  readonly #context: BandContext;
  /** The band's own state. */
  #band: unknown;
  readonly #lots = new Map<string, Lot>();

  constructor(fairness: FairnessPolicy, context: BandContext, band: unknown) {
    this.#fairness = fairness;
    this.#band = band;
    this.#context = context;
  }

  get size(): number {
    return this.#lots.size;
  }

  lots(): IterableIterator<Lot> {
    return this.#lots.values();
  }

  lot(key: string): Lot | undefined {
    return this.#lots.get(key);
  }

  /** The lot for a key, made when there is none; a flow's `lot` has to be set to it before the flow enters. */
  open(key: string, dispatches: number): Lot {
    let lot = this.#lots.get(key);
    if (lot === undefined) {
      const state = this.#fairness.newState(this.#context, this.#band);
      lot = { key, state, size: 0, closedEpoch: -1, waitingSince: dispatches };
      this.#lots.set(key, lot);
    }
    return lot;
  }

  enter(flow: F): void {
    const lot = flow.lot;
    if (lot === undefined) throw new Error(`flow ${flow.id} was parked without a lot`);
    lot.size += 1;
    this.#fairness.ready(lot.state, flow);
  }

  leave(flow: F): void {
    const lot = flow.lot;
    if (lot === undefined) throw new Error(`flow ${flow.id} is parked but has no lot`);
    this.#fairness.unready(lot.state, flow);
    lot.size -= 1;
    flow.lot = undefined;
    if (lot.size === 0) this.#lots.delete(lot.key);
  }

  /** Another policy says from now on who is next; its lots are empty until they are told who stands in them. */
  reconfigure(fairness: FairnessPolicy, band: unknown): void {
    this.#fairness = fairness;
    this.#band = band;
    for (const lot of this.#lots.values()) lot.state = fairness.newState(this.#context, band);
  }

  headChanged(flow: F): void {
    if (flow.lot !== undefined) this.#fairness.headChanged?.(flow.lot.state, flow);
  }
}
