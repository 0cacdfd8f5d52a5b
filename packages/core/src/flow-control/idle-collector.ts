// SPDX-License-Identifier: Apache-2.0

/**
 * Forgets flows and bands that have held nothing for long, so that memory follows the tenants who are there. Idle flows
 * stand in a list in the order in which they went idle, so the next to be forgotten is always the first: no scan, no
 * sweep. The links are in the flows, because a flow goes idle and comes back with nearly every request of a small tenant,
 * and a `Set` would have to step over everyone who came back to find its first member.
 */

import type { Flow, PriorityBand } from './priority-band.ts';

export class IdleCollector {
  readonly #flowIdleMs: number;
  readonly #bandIdleMs: number;
  readonly #bands = new Set<PriorityBand>();
  #first: Flow | undefined;
  #last: Flow | undefined;
  #flowCount = 0;

  constructor(limits: { readonly flowIdleMs: number; readonly bandIdleMs: number }) {
    this.#flowIdleMs = limits.flowIdleMs;
    this.#bandIdleMs = limits.bandIdleMs;
  }

  get flowCount(): number {
    return this.#flowCount;
  }

  /** The flow's last work is over. */
  flowIdle(flow: Flow, nowMs: number): void {
    if (flow.listedIdle) return;
    flow.listedIdle = true;
    flow.idleSinceMs = nowMs;
    flow.idleBefore = this.#last;
    if (this.#last === undefined) this.#first = flow;
    else this.#last.idleAfter = flow;
    this.#last = flow;
    this.#flowCount += 1;
  }

  /** The flow has work again. */
  flowBusy(flow: Flow): void {
    if (!flow.listedIdle) return;
    flow.listedIdle = false;
    if (flow.idleBefore === undefined) this.#first = flow.idleAfter;
    else flow.idleBefore.idleAfter = flow.idleAfter;
    if (flow.idleAfter === undefined) this.#last = flow.idleBefore;
    else flow.idleAfter.idleBefore = flow.idleBefore;
    flow.idleBefore = undefined;
    flow.idleAfter = undefined;
    this.#flowCount -= 1;
  }

  /** When `collect` next has something to do; Infinity for never. */
  nextMs(): number {
    let nextMs = this.#first === undefined ? Infinity : this.#first.idleSinceMs + this.#flowIdleMs;
    for (const band of this.#bands) nextMs = Math.min(nextMs, band.idleSinceMs + this.#bandIdleMs);
    return nextMs;
  }

  /** Forgets what has been idle for long enough, and tells of each. A band is idle from the moment its last flow went idle. */
  collect(nowMs: number, forget: { flow(flow: Flow): void; band(band: PriorityBand): void }): void {
    for (let flow = this.#first; flow !== undefined; flow = this.#first) {
      if (flow.idleSinceMs + this.#flowIdleMs > nowMs) break;
      this.flowBusy(flow);
      const { band } = flow;
      band.flows.delete(flow.id);
      forget.flow(flow);
      if (band.flows.size === 0 && !band.configured) {
        band.idleSinceMs = flow.idleSinceMs;
        this.#bands.add(band);
      }
    }
    for (const band of this.#bands) {
      if (band.flows.size === 0 && band.idleSinceMs + this.#bandIdleMs > nowMs) continue;
      this.#bands.delete(band);
      if (band.flows.size === 0) forget.band(band);
    }
  }
}
