// SPDX-License-Identifier: Apache-2.0

/**
 * How unfair it got: the largest difference in service by weight of two flows, over every interval in which both had work
 * waiting all the time. That is what fair schedulers bound; shares at the end of a run say nothing of what went on within.
 *
 * Costs O(flows with work) a service, and O(flows²) memory: for the flows of a scenario, not for thousands.
 */

interface Tracked {
  readonly id: string;
  weight: number;
  /** Service ÷ weight, ever. */
  service: number;
  isBacklogged: boolean;
  largestLag: number;
  /** By the other flow: the extremes of the difference since both have had work. */
  readonly pairs: Map<Tracked, { low: number; high: number }>;
}

export class LagOracle {
  readonly #flows = new Map<string, Tracked>();
  readonly #backlogged = new Set<Tracked>();

  /** The flow has work waiting from now on; `weight` is positive. */
  backlogged(id: string, weight = 1): void {
    const flow = this.#flow(id);
    if (flow.isBacklogged) return;
    flow.weight = weight;
    flow.isBacklogged = true;
    for (const other of this.#backlogged) {
      const difference = flow.service - other.service;
      flow.pairs.set(other, { low: difference, high: difference });
      other.pairs.set(flow, { low: -difference, high: -difference });
    }
    this.#backlogged.add(flow);
  }

  /** The flow has none any more. */
  idle(id: string): void {
    const flow = this.#flow(id);
    flow.isBacklogged = false;
    this.#backlogged.delete(flow);
    for (const other of flow.pairs.keys()) other.pairs.delete(flow);
    flow.pairs.clear();
  }

  /** The flow was served so much. */
  served(id: string, amount: number): void {
    const flow = this.#flow(id);
    flow.service += amount / flow.weight;
    for (const [other, mine] of flow.pairs) {
      const difference = flow.service - other.service;
      const lag = widen(mine, difference);
      widen(other.pairs.get(flow)!, -difference);
      if (lag > flow.largestLag) flow.largestLag = lag;
      if (lag > other.largestLag) other.largestLag = lag;
    }
  }

  /** Over all pairs so far, in the unit of `amount` for a weight of 1. */
  get largest(): number {
    return Math.max(0, ...[...this.#flows.values()].map(({ largestLag }) => largestLag));
  }

  /** Over all pairs that the flow is one of. */
  largestOf(id: string): number {
    return this.#flows.get(id)?.largestLag ?? 0;
  }

  #flow(id: string): Tracked {
    let flow = this.#flows.get(id);
    if (flow === undefined) {
      flow = { id, weight: 1, service: 0, isBacklogged: false, largestLag: 0, pairs: new Map() };
      this.#flows.set(id, flow);
    }
    return flow;
  }
}

/** Lets the extremes hold `difference` too; returns how far they are apart. */
function widen(extremes: { low: number; high: number }, difference: number): number {
  if (difference < extremes.low) extremes.low = difference;
  if (difference > extremes.high) extremes.high = difference;
  return extremes.high - extremes.low;
}
