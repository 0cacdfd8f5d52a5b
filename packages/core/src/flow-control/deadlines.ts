// SPDX-License-Identifier: Apache-2.0

/**
 * Everything that waits and can expire, the next to expire first: also the only timer that waiting requests have. Nearly
 * all have the same time to wait and so expire in the order in which they came: those stand in a list, where to come
 * and to leave costs the same however many wait. Only who expires before the last of the list is in a heap.
 */

import { IndexedHeap } from './indexed-heap.ts';
import type { WaitingRequest } from './waiting-request.ts';

/** The slot of those in the list; no heap is so large. */
const LISTED = 2 ** 30 - 1;

class DeadlineHeap<F> extends IndexedHeap<WaitingRequest<F>> {
  protected override before(a: WaitingRequest<F>, b: WaitingRequest<F>): boolean {
    return isSooner(a, b);
  }
  protected override slotOf(waiting: WaitingRequest<F>): number {
    return waiting.expirySlot;
  }
  protected override setSlot(waiting: WaitingRequest<F>, slot: number): void {
    waiting.expirySlot = slot;
  }
}

export class Deadlines<F> {
  readonly #heap = new DeadlineHeap<F>();
  #first: WaitingRequest<F> | undefined;
  #last: WaitingRequest<F> | undefined;
  #listed = 0;

  get size(): number {
    return this.#listed + this.#heap.size;
  }

  /** The next to expire. */
  peek(): WaitingRequest<F> | undefined {
    const inHeap = this.#heap.peek();
    if (inHeap === undefined || this.#first === undefined) return inHeap ?? this.#first;
    return isSooner(inHeap, this.#first) ? inHeap : this.#first;
  }

  push(waiting: WaitingRequest<F>): void {
    const last = this.#last;
    if (last !== undefined && isSooner(waiting, last)) {
      this.#heap.push(waiting);
      return;
    }
    waiting.expirySlot = LISTED;
    waiting.sooner = last;
    if (last === undefined) this.#first = waiting;
    else last.later = waiting;
    this.#last = waiting;
    this.#listed += 1;
  }

  /** Without effect when it is not in. */
  remove(waiting: WaitingRequest<F>): void {
    if (waiting.expirySlot !== LISTED) {
      this.#heap.remove(waiting);
      return;
    }
    const { sooner, later } = waiting;
    if (sooner === undefined) this.#first = later;
    else sooner.later = later;
    if (later === undefined) this.#last = sooner;
    else later.sooner = sooner;
    waiting.sooner = waiting.later = undefined;
    waiting.expirySlot = -1;
    this.#listed -= 1;
  }

  /** Restores the order after many have another deadline; nearly in order as they are, that is a walk over all. */
  rebuild(): void {
    const all = [...this.listed(), ...this.heaped()];
    for (const waiting of all) this.remove(waiting);
    for (const waiting of all.sort((a, b) => (isSooner(a, b) ? -1 : 1))) this.push(waiting);
  }

  /** Those in the list, the next to expire first: a copy. */
  listed(): readonly WaitingRequest<F>[] {
    const all: WaitingRequest<F>[] = [];
    for (let waiting = this.#first; waiting !== undefined; waiting = waiting.later) {
      all.push(waiting);
    }
    return all;
  }

  /** Those in the heap, in its order: a copy. */
  heaped(): readonly WaitingRequest<F>[] {
    return this.#heap.values();
  }
}

type Expiring = Pick<WaitingRequest, 'expiresMs' | 'sequence'>;

function isSooner(a: Expiring, b: Expiring): boolean {
  return a.expiresMs === b.expiresMs ? a.sequence < b.sequence : a.expiresMs < b.expiresMs;
}
