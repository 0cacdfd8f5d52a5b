// SPDX-License-Identifier: Apache-2.0

/**
 * A 4-ary min-heap whose items know their own slot, so that any item leaves, or moves after its key changed, in
 * O(log n). Four children a node because sift-down then touches half as many cache lines as a binary heap while
 * sift-up, the common case for items that arrive in order, compares less. The first item stands in a field of its own:
 * most queues hold one request or none, and need no array then.
 */
export abstract class IndexedHeap<T> {
  #first: T | undefined;
  /** Slots 1 and up. */
  #rest: T[] | undefined;

  /** True when `a` has to leave before `b`. Must be a strict total order while both are in the heap. */
  protected abstract before(a: T, b: T): boolean;
  /** The slot last given to `setSlot`; -1 when the item is in no heap. */
  protected abstract slotOf(item: T): number;
  protected abstract setSlot(item: T, slot: number): void;

  get size(): number {
    if (this.#first === undefined) return 0;
    return this.#rest === undefined ? 1 : this.#rest.length + 1;
  }

  peek(): T | undefined {
    return this.#first;
  }

  push(item: T): void {
    if (this.#first === undefined) {
      this.#first = item;
      this.setSlot(item, 0);
      return;
    }
    this.#rest ??= [];
    this.#rest.push(item);
    this.#siftUp(item, this.#rest.length);
  }

  /** Takes the item out; without effect when it is not in. */
  remove(item: T): void {
    const slot = this.slotOf(item);
    if (slot < 0) return;
    this.setSlot(item, -1);
    const last = this.#rest?.pop();
    if (last === undefined) this.#first = undefined;
    else if (last !== item) this.#settle(last, slot);
  }

  /** To be called after the item's key changed. */
  moved(item: T): void {
    const slot = this.slotOf(item);
    if (slot >= 0) this.#settle(item, slot);
  }

  /** Restores the order after the keys of many items changed: O(n). */
  rebuild(): void {
    for (let slot = (this.size - 2) >> 2; slot >= 0; slot -= 1) this.#siftDown(this.#at(slot), slot);
  }

  /** How many go before `item`, which need not be in; beyond `limit` they are not counted on. */
  countBefore(item: T, limit: number): number {
    let count = 0;
    // Below one that does not go before it nobody does.
    const slots = [0];
    for (let slot = slots.pop(); slot !== undefined && count <= limit; slot = slots.pop()) {
      if (slot >= this.size || !this.before(this.#at(slot), item)) continue;
      count += 1;
      for (let child = slot * 4 + 4; child > slot * 4; child -= 1) slots.push(child);
    }
    return count;
  }

  /** The items in heap order: a copy. */
  values(): readonly T[] {
    if (this.#first === undefined) return [];
    return this.#rest === undefined ? [this.#first] : [this.#first, ...this.#rest];
  }

  #at(slot: number): T {
    return (slot === 0 ? this.#first : (this.#rest as T[])[slot - 1]) as T;
  }

  #put(item: T, slot: number): void {
    if (slot === 0) this.#first = item;
    else (this.#rest as T[])[slot - 1] = item;
    this.setSlot(item, slot);
  }

  #settle(item: T, slot: number): void {
    if (slot > 0 && this.before(item, this.#at((slot - 1) >> 2))) this.#siftUp(item, slot);
    else this.#siftDown(item, slot);
  }

  #siftUp(item: T, from: number): void {
    let slot = from;
    while (slot > 0) {
      const parentSlot = (slot - 1) >> 2;
      const parent = this.#at(parentSlot);
      if (!this.before(item, parent)) break;
      this.#put(parent, slot);
      slot = parentSlot;
    }
    this.#put(item, slot);
  }

  #siftDown(item: T, from: number): void {
    const rest = this.#rest ?? [];
    const size = this.size;
    let slot = from;
    for (;;) {
      const firstChild = slot * 4 + 1;
      if (firstChild >= size) break;
      const end = Math.min(firstChild + 4, size);
      let bestSlot = firstChild;
      let best = rest[firstChild - 1] as T;
      for (let child = firstChild + 1; child < end; child += 1) {
        const candidate = rest[child - 1] as T;
        if (this.before(candidate, best)) {
          best = candidate;
          bestSlot = child;
        }
      }
      if (!this.before(best, item)) break;
      this.#put(best, slot);
      slot = bestSlot;
    }
    this.#put(item, slot);
  }
}
