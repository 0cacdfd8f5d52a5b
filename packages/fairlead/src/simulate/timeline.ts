// SPDX-License-Identifier: Apache-2.0

/** How a run went over time, in about as many steps as a plot can show: read off the tallies as they grow. */

import { nearestRank } from '../demo/load/percentile.ts';
import type { Tallies, TenantTally } from './tally.ts';

/** Steps at most; each is a whole number of looks. */
const STEPS = 240;

/** One tenant's figures, one for each step. */
export interface TenantLine {
  readonly name: string;
  /** Cost dispatched a second, in units of an input token. */
  readonly costPerS: number[];
  /** Largest lag so far. */
  readonly lagTokens: number[];
  /** Of requests whose wait ended in the step; null when none did. */
  readonly waitP50Ms: (number | null)[];
  readonly waitP99Ms: (number | null)[];
}

/** A tenant as far as a timeline has to know it. */
interface Watched {
  readonly name: string;
  readonly priority: number;
}

export class Timeline {
  /** Ends of the steps, in seconds since the start. */
  readonly times: number[] = [];
  readonly tenants: TenantLine[] = [];
  /** Share of the fleet's slots that were busy; null while there were none. */
  readonly busyShare: (number | null)[] = [];
  /** Requests that waited for their turn at the end of each step. */
  readonly waiting: number[] = [];
  readonly #stepMs: number;
  #lastMs: number | undefined;
  #before = new Map<string, { served: number; waits: number }>();
  #busyBefore = { busySlotMs: 0, slotMs: 0 };

  /** `lookMs`: how often it is shown the tallies. */
  constructor(durationMs: number, lookMs = 1000) {
    this.#stepMs = Math.ceil(durationMs / STEPS / lookMs) * lookMs;
  }

  /** A look at what has been counted until now; before the end of a warm-up there is nothing to see. */
  look(tallies: Tallies, watched: readonly Watched[], nowMs: number): void {
    if (!tallies.isCounting) return;
    const lastMs = this.#lastMs;
    if (lastMs !== undefined && nowMs - lastMs < this.#stepMs) return;
    this.#lastMs = nowMs;
    tallies.fleet.count(nowMs);
    if (lastMs !== undefined) {
      this.times.push(nowMs / 1000);
      watched.forEach((tenant, index) => this.#step(tallies, { tenant, index, tookMs: nowMs - lastMs }));
      const { busySlotMs, slotMs } = tallies.fleet;
      const slots = slotMs - this.#busyBefore.slotMs;
      // Of two long sums: it may come out a hair above all.
      this.busyShare.push(slots === 0 ? null : Math.min(1, (busySlotMs - this.#busyBefore.busySlotMs) / slots));
      this.waiting.push(tallies.fleet.waiting);
    }
    const { busySlotMs, slotMs } = tallies.fleet;
    this.#busyBefore = { busySlotMs, slotMs };
    this.#before = new Map(watched.map(({ name }) => [name, markOf(tallies.tenant(name))]));
  }

  #step(tallies: Tallies, { tenant, index, tookMs }: { tenant: Watched; index: number; tookMs: number }): void {
    const { name, priority } = tenant;
    const line = (this.tenants[index] ??= { name, costPerS: [], lagTokens: [], waitP50Ms: [], waitP99Ms: [] });
    const tally = tallies.tenant(name);
    const before = this.#before.get(name) ?? { served: 0, waits: 0 };
    const waits = tally.waitsMs.slice(before.waits).sort((a, b) => a - b);
    line.costPerS.push((1000 * (tally.served - before.served)) / tookMs);
    line.lagTokens.push(tallies.lag.get(priority)?.largestOf(name) ?? 0);
    line.waitP50Ms.push(nearestRank(waits, 0.5) ?? null);
    line.waitP99Ms.push(nearestRank(waits, 0.99) ?? null);
  }
}

function markOf({ served, waitsMs }: TenantTally): { served: number; waits: number } {
  return { served, waits: waitsMs.length };
}
