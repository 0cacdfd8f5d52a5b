// SPDX-License-Identifier: Apache-2.0

/**
 * Everything that waits and can expire, the next to expire first: also the only timer that waiting requests have. Nearly
 * all have the same time to wait and so expire in the order in which they came: those stand in a line, where to come and
 * to leave costs the same however many wait. Only who expires before the last of the line is in a heap.
 */

import { IndexedHeap } from './indexed-heap.ts';
import type { WaitingRequest } from './waiting-request.ts';

/** The slot of the first of the line; no heap is so large. */
const LINE = 2 ** 30;
/** The line is closed up when it has this many times as many holes as requests. */
const HOLES_PER_REQUEST = 3;
const FEW_HOLES = 64;
/** An empty line keeps room for so many. */
const KEPT_ROOM = 1024;

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
  /** From `#front` to `#end`; who left it left a hole, and its room is used again. */
  readonly #line: (WaitingRequest<F> | undefined)[] = [];
  /** Where the first and the last of the line stand, and behind the last; both 0 when it is empty. */
  #front = 0;
  #end = 0;
  #lined = 0;

  get size(): number {
    return this.#lined + this.#heap.size;
  }

  /** The next to expire. */
  peek(): WaitingRequest<F> | undefined {
    const inHeap = this.#heap.peek();
    const first = this.#lined === 0 ? undefined : this.#line[this.#front];
    if (inHeap === undefined || first === undefined) return inHeap ?? first;
    return isSooner(inHeap, first) ? inHeap : first;
  }

  push(waiting: WaitingRequest<F>): void {
    const last = this.#lined === 0 ? undefined : this.#line[this.#end - 1];
    if (last !== undefined && isSooner(waiting, last)) {
      this.#heap.push(waiting);
      return;
    }
    if (this.#end - this.#lined > HOLES_PER_REQUEST * this.#lined + FEW_HOLES) this.#closeUp();
    this.#line[this.#end] = waiting;
    waiting.expirySlot = LINE + this.#end;
    this.#end += 1;
    this.#lined += 1;
  }

  /** Without effect when it is not in. */
  remove(waiting: WaitingRequest<F>): void {
    if (waiting.expirySlot < LINE) {
      this.#heap.remove(waiting);
      return;
    }
    const line = this.#line;
    line[waiting.expirySlot - LINE] = undefined;
    waiting.expirySlot = -1;
    this.#lined -= 1;
    if (this.#lined === 0) this.#empty();
    else {
      while (line[this.#end - 1] === undefined) this.#end -= 1;
      while (line[this.#front] === undefined) this.#front += 1;
    }
  }

  /** Restores the order after many have another deadline; nearly in order as they are, that is a walk over all. */
  rebuild(): void {
    const all = [...this.lined(), ...this.heaped()];
    for (const waiting of all) this.remove(waiting);
    for (const waiting of all.sort((a, b) => (isSooner(a, b) ? -1 : 1))) this.push(waiting);
  }

  /** Those in the line, the next to expire first: a copy. */
  lined(): readonly WaitingRequest<F>[] {
    return this.#line.slice(this.#front, this.#end).filter((waiting) => waiting !== undefined);
  }

  /** Those in the heap, in its order: a copy. */
  heaped(): readonly WaitingRequest<F>[] {
    return this.#heap.values();
  }

  /** Most lines are empty again after each request: an array that shrinks and grows with each would be made anew each time. */
  #empty(): void {
    this.#front = 0;
    this.#end = 0;
    if (this.#line.length > KEPT_ROOM) this.#line.length = 0;
  }

  #closeUp(): void {
    const line = this.#line;
    let slot = 0;
    for (let from = this.#front; from < this.#end; from += 1) {
      const waiting = line[from];
      if (waiting === undefined) continue;
      line[slot] = waiting;
      waiting.expirySlot = LINE + slot;
      slot += 1;
    }
    line.length = slot;
    this.#front = 0;
    this.#end = slot;
  }
}

type Expiring = Pick<WaitingRequest, 'expiresMs' | 'sequence'>;

function isSooner(a: Expiring, b: Expiring): boolean {
  return a.expiresMs === b.expiresMs ? a.sequence < b.sequence : a.expiresMs < b.expiresMs;
}
