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
  /** Who left it left a hole, but for those before `#front` and at the end. */
  readonly #line: (WaitingRequest<F> | undefined)[] = [];
  /** Where the first of the line stands; its end when it is empty. */
  #front = 0;
  #lined = 0;

  get size(): number {
    return this.#lined + this.#heap.size;
  }

  /** The next to expire. */
  peek(): WaitingRequest<F> | undefined {
    const inHeap = this.#heap.peek();
    const first = this.#line[this.#front];
    if (inHeap === undefined || first === undefined) return inHeap ?? first;
    return isSooner(inHeap, first) ? inHeap : first;
  }

  push(waiting: WaitingRequest<F>): void {
    const line = this.#line;
    const last = line[line.length - 1];
    if (last !== undefined && isSooner(waiting, last)) {
      this.#heap.push(waiting);
      return;
    }
    if (line.length - this.#lined > HOLES_PER_REQUEST * this.#lined + FEW_HOLES) this.#closeUp();
    waiting.expirySlot = LINE + line.push(waiting) - 1;
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
    while (line.length > this.#front && line[line.length - 1] === undefined) line.pop();
    while (this.#front < line.length && line[this.#front] === undefined) this.#front += 1;
  }

  /** Restores the order after many have another deadline; nearly in order as they are, that is a walk over all. */
  rebuild(): void {
    const all = [...this.lined(), ...this.heaped()];
    for (const waiting of all) this.remove(waiting);
    for (const waiting of all.sort((a, b) => (isSooner(a, b) ? -1 : 1))) this.push(waiting);
  }

  /** Those in the line, the next to expire first: a copy. */
  lined(): readonly WaitingRequest<F>[] {
    return this.#line.filter((waiting) => waiting !== undefined);
  }

  /** Those in the heap, in its order: a copy. */
  heaped(): readonly WaitingRequest<F>[] {
    return this.#heap.values();
  }

  #closeUp(): void {
    const line = this.#line;
    let slot = 0;
    for (let from = this.#front; from < line.length; from += 1) {
      const waiting = line[from];
      if (waiting === undefined) continue;
      line[slot] = waiting;
      waiting.expirySlot = LINE + slot;
      slot += 1;
    }
    line.length = slot;
    this.#front = 0;
  }
}

type Expiring = Pick<WaitingRequest, 'expiresMs' | 'sequence'>;

function isSooner(a: Expiring, b: Expiring): boolean {
  return a.expiresMs === b.expiresMs ? a.sequence < b.sequence : a.expiresMs < b.expiresMs;
}
