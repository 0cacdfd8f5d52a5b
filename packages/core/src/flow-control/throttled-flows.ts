// SPDX-License-Identifier: Apache-2.0

/**
 * The flows whose tenant's token bucket is empty, the first to be filled again first: the only timer that they have.
 * Buckets are shared with other controllers, so a moment that was computed is asked for again when it comes.
 */

import { IndexedHeap } from './indexed-heap.ts';
import type { Flow } from './priority-band.ts';

class RefillHeap extends IndexedHeap<Flow> {
  protected override before(a: Flow, b: Flow): boolean {
    return a.refillMs === b.refillMs ? a.refillOrder < b.refillOrder : a.refillMs < b.refillMs;
  }
  protected override slotOf(flow: Flow): number {
    return flow.refillSlot;
  }
  protected override setSlot(flow: Flow, slot: number): void {
    flow.refillSlot = slot;
  }
}

export class ThrottledFlows {
  readonly #heap = new RefillHeap();
  #order = 0;

  add(flow: Flow, nowMs: number): void {
    flow.refillOrder = this.#order++;
    flow.refillMs = refillMs(flow, nowMs);
    this.#heap.push(flow);
  }

  remove(flow: Flow): void {
    this.#heap.remove(flow);
  }

  /** The flow's bucket got tokens back. */
  refunded(flow: Flow, nowMs: number): void {
    if (flow.refillSlot < 0) return;
    flow.refillMs = refillMs(flow, nowMs);
    this.#heap.moved(flow);
  }

  /** A flow whose bucket has tokens again; it stays in until it is removed. */
  refilled(nowMs: number): Flow | undefined {
    for (let first = this.#heap.peek(); first !== undefined && first.refillMs <= nowMs; first = this.#heap.peek()) {
      first.refillMs = refillMs(first, nowMs);
      if (first.refillMs <= nowMs) return first;
      this.#heap.moved(first);
    }
    return undefined;
  }

  /** When the next flow may go; Infinity for never. */
  nextMs(): number {
    return this.#heap.peek()?.refillMs ?? Infinity;
  }
}

function refillMs(flow: Flow, nowMs: number): number {
  return flow.bucket?.readyMs(nowMs) ?? nowMs;
}
