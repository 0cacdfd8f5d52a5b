// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { IndexedHeap } from './indexed-heap.ts';

interface Item {
  key: number;
  readonly id: number;
  slot: number;
}

class Heap extends IndexedHeap<Item> {
  protected override before(a: Item, b: Item): boolean {
    return a.key === b.key ? a.id < b.id : a.key < b.key;
  }
  protected override slotOf(item: Item): number {
    return item.slot;
  }
  protected override setSlot(item: Item, slot: number): void {
    item.slot = slot;
  }
}

const operation = fc.oneof(
  fc.record({ do: fc.constant('push' as const), key: fc.nat(20) }),
  fc.record({ do: fc.constant('pop' as const) }),
  fc.record({ do: fc.constant('remove' as const), which: fc.nat(50) }),
  fc.record({ do: fc.constant('move' as const), which: fc.nat(50), key: fc.nat(20) }),
  fc.record({ do: fc.constant('rekey' as const), factor: fc.integer({ min: -3, max: 3 }) }),
);

/** Takes the first item out. */
function pop(heap: Heap): Item | undefined {
  const first = heap.peek();
  if (first !== undefined) heap.remove(first);
  return first;
}

function sorted(items: readonly Item[]): Item[] {
  return [...items].sort((a, b) => a.key - b.key || a.id - b.id);
}

describe('IndexedHeap', () => {
  it('agrees with a sorted list under any sequence of operations, and every item knows its slot', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const heap = new Heap();
        let model: Item[] = [];
        let ids = 0;
        for (const each of operations) {
          const item = 'which' in each ? model[each.which % Math.max(1, model.length)] : undefined;
          if (each.do === 'push') {
            const pushed = { key: each.key, id: ids++, slot: -1 };
            heap.push(pushed);
            model.push(pushed);
          } else if (each.do === 'pop') {
            const expected = sorted(model)[0];
            assert.equal(pop(heap), expected);
            model = model.filter((other) => other !== expected);
          } else if (each.do === 'rekey') {
            for (const other of model) other.key *= each.factor;
            heap.rebuild();
          } else if (item !== undefined && each.do === 'remove') {
            heap.remove(item);
            heap.remove(item);
            assert.equal(item.slot, -1);
            model = model.filter((other) => other !== item);
          } else if (item !== undefined && each.do === 'move') {
            item.key = each.key;
            heap.moved(item);
          }
          assert.equal(heap.size, model.length);
          assert.equal(heap.peek(), sorted(model)[0]);
          heap.values().forEach((other, slot) => {
            assert.equal(other.slot, slot);
          });
        }
        const drained = Array.from({ length: heap.size }, () => pop(heap));
        assert.deepEqual(drained, sorted(model));
      }),
    );
  });
});
