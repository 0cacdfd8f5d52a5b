// SPDX-License-Identifier: Apache-2.0

/**
 * Forgets flows and bands that have held nothing for long, so that memory follows the tenants who are there. Going idle
 * and coming back happens with nearly every request of a small tenant, so neither moves anything: a flow that went idle
 * stands in a heap by the time at which to look at it again, and only that look finds out whether it is still idle and
 * since when. Each flow is so looked at once in `flowIdleMs` at most; there is no scan and no sweep.
 */

import { IndexedHeap } from './indexed-heap.ts';
import type { Flow, PriorityBand } from './priority-band.ts';

class LookHeap extends IndexedHeap<Flow> {
  protected override before(a: Flow, b: Flow): boolean {
    return a.lookMs < b.lookMs;
  }
  protected override slotOf(flow: Flow): number {
    return flow.lookSlot;
  }
  protected override setSlot(flow: Flow, slot: number): void {
    flow.lookSlot = slot;
  }
}

export class IdleCollector {
  #flowIdleMs: number;
  #bandIdleMs: number;
  readonly #flows = new LookHeap();
  readonly #bands = new Set<PriorityBand>();
  /** When the first of the bands is to be looked at. */
  #bandsMs = Infinity;

  constructor(limits: { readonly flowIdleMs: number; readonly bandIdleMs: number }) {
    this.#flowIdleMs = limits.flowIdleMs;
    this.#bandIdleMs = limits.bandIdleMs;
  }

  /** Other times from now on, for what goes idle or is looked at later. */
  reconfigure(limits: { readonly flowIdleMs: number; readonly bandIdleMs: number }): void {
    this.#flowIdleMs = limits.flowIdleMs;
    this.#bandIdleMs = limits.bandIdleMs;
    this.#setBandsMs();
  }

  /** The flow's last work is over. */
  flowIdle(flow: Flow, nowMs: number): void {
    flow.idleSinceMs = Math.ceil(nowMs);
    if (flow.lookSlot >= 0) return;
    flow.lookMs = flow.idleSinceMs + this.#flowIdleMs;
    this.#flows.push(flow);
  }

  /** The band is new and may stay empty: its first request may find no place. */
  bandMade(band: PriorityBand, nowMs: number): void {
    band.idleSinceMs = Math.ceil(nowMs);
    this.#bands.add(band);
    this.#setBandsMs();
  }

  /** When `collect` next has something to look at; Infinity for never. */
  nextMs(): number {
    return Math.min(this.#flows.peek()?.lookMs ?? Infinity, this.#bandsMs);
  }

  /** Forgets what has been idle for long enough, and tells of each. A band is idle from the moment its last flow went idle. */
  collect(nowMs: number, forget: { flow(flow: Flow): void; band(band: PriorityBand): void }): void {
    for (let flow = this.#flows.peek(); flow !== undefined && flow.lookMs <= nowMs; flow = this.#flows.peek()) {
      this.#flows.remove(flow);
      if (!flow.idle) continue;
      if (flow.idleSinceMs + this.#flowIdleMs > nowMs) {
        flow.lookMs = flow.idleSinceMs + this.#flowIdleMs;
        this.#flows.push(flow);
        continue;
      }
      this.#forgetFlow(flow);
      forget.flow(flow);
    }
    for (const band of this.#bands) {
      if (band.flows.size === 0 && band.idleSinceMs + this.#bandIdleMs > nowMs) continue;
      this.#bands.delete(band);
      // One that came into the configuration meanwhile stays.
      if (band.flows.size === 0 && !band.configured) forget.band(band);
    }
    this.#setBandsMs();
  }

  #forgetFlow(flow: Flow): void {
    const { band } = flow;
    band.flows.delete(flow.id);
    if (band.flows.size > 0 || band.configured) return;
    band.idleSinceMs = flow.idleSinceMs;
    this.#bands.add(band);
  }

  #setBandsMs(): void {
    this.#bandsMs = Infinity;
    for (const { idleSinceMs } of this.#bands) this.#bandsMs = Math.min(this.#bandsMs, idleSinceMs + this.#bandIdleMs);
  }
}
