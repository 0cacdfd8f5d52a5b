// SPDX-License-Identifier: Apache-2.0

/**
 * Forgets flows and bands that have held nothing for long, so that memory follows the tenants who are there. Both sets
 * keep the order in which their members went idle, so the next to be forgotten is always the first: no scan, no sweep.
 */

import type { Flow, PriorityBand } from './priority-band.ts';

export class IdleCollector {
  readonly #flowIdleMs: number;
  readonly #bandIdleMs: number;
  readonly #flows = new Set<Flow>();
  readonly #bands = new Set<PriorityBand>();

  constructor(limits: { readonly flowIdleMs: number; readonly bandIdleMs: number }) {
    this.#flowIdleMs = limits.flowIdleMs;
    this.#bandIdleMs = limits.bandIdleMs;
  }

  get flowCount(): number {
    return this.#flows.size;
  }

  /** The flow's last work is over. */
  flowIdle(flow: Flow, nowMs: number): void {
    flow.idleSinceMs = nowMs;
    this.#flows.add(flow);
  }

  /** The flow has work again. */
  flowBusy(flow: Flow): void {
    this.#flows.delete(flow);
  }

  isIdle(flow: Flow): boolean {
    return this.#flows.has(flow);
  }

  /** When `collect` next has something to do; Infinity for never. */
  nextMs(): number {
    const flow = first(this.#flows);
    const band = first(this.#bands);
    return Math.min(
      flow === undefined ? Infinity : flow.idleSinceMs + this.#flowIdleMs,
      band === undefined ? Infinity : band.idleSinceMs + this.#bandIdleMs,
    );
  }

  /** Forgets what has been idle for long enough, and tells of each. A band is idle from the moment its last flow went idle. */
  collect(nowMs: number, forget: { flow(flow: Flow): void; band(band: PriorityBand): void }): void {
    for (const flow of this.#flows) {
      if (flow.idleSinceMs + this.#flowIdleMs > nowMs) break;
      this.#flows.delete(flow);
      const { band } = flow;
      band.flows.delete(flow.id);
      forget.flow(flow);
      if (band.flows.size === 0 && !band.configured) {
        band.idleSinceMs = flow.idleSinceMs;
        this.#bands.add(band);
      }
    }
    for (const band of this.#bands) {
      if (band.flows.size > 0) this.#bands.delete(band);
      else if (band.idleSinceMs + this.#bandIdleMs <= nowMs) {
        this.#bands.delete(band);
        forget.band(band);
      }
    }
  }
}

function first<T>(set: ReadonlySet<T>): T | undefined {
  for (const item of set) return item;
  return undefined;
}
