// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { jainIndex } from './jain-index.ts';
import { LagOracle } from './lag-oracle.ts';
import { maxMinShare } from './max-min-share.ts';

test('who asks for little gets it, and the others share the rest by weight', () => {
  const claimants = [
    { demand: 10, weight: 1 },
    { demand: Infinity, weight: 1 },
    { demand: Infinity, weight: 3 },
  ];
  assert.deepEqual(maxMinShare(90, claimants), [10, 20, 60]);
  assert.deepEqual(maxMinShare(30, [{ demand: 5, weight: 1 }]), [5]);
  assert.deepEqual(maxMinShare(30, []), []);
});

test('nobody gets more than he asked for, nothing is left while someone asks, and who has less by weight has all he asked for', () => {
  const claimant = fc.record({
    demand: fc.double({ min: 0, max: 100, noNaN: true }),
    weight: fc.integer({ min: 1, max: 9 }),
  });
  fc.assert(
    fc.property(
      fc.array(claimant, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 0, max: 300 }),
      (claimants, capacity) => {
        const shares = maxMinShare(capacity, claimants);
        const given = shares.reduce((sum, share) => sum + share, 0);
        const asked = claimants.reduce((sum, { demand }) => sum + demand, 0);
        assert.ok(Math.abs(given - Math.min(capacity, asked)) < 1e-6);
        const levels = shares.map((share, index) => share / claimants[index]!.weight);
        const top = Math.max(...levels);
        shares.forEach((share, index) => {
          assert.ok(share <= claimants[index]!.demand + 1e-9);
          assert.ok(levels[index]! > top - 1e-6 || Math.abs(share - claimants[index]!.demand) < 1e-6);
        });
      },
    ),
  );
});

test("Jain's index is 1 for equals and 1 ÷ n for one who has everything", () => {
  assert.equal(jainIndex([3, 3, 3]), 1);
  assert.equal(jainIndex([5, 0, 0, 0]), 0.25);
  assert.equal(jainIndex([]), 1);
});

test('lag is taken over intervals in which two flows have work, and over no others', () => {
  const meter = new LagOracle();
  meter.backlogged('a');
  meter.served('a', 100);
  meter.backlogged('b', 2);
  assert.equal(meter.largest, 0, 'what came before does not count');
  meter.served('b', 20);
  meter.served('a', 4);
  meter.served('a', 12);
  assert.equal(meter.largest, 16, 'from 10 ahead to 6 behind');
  meter.idle('b');
  meter.served('a', 1000);
  assert.equal(meter.largest, 16);
  meter.backlogged('c');
  meter.served('c', 5);
  assert.deepEqual([meter.largestOf('c'), meter.largestOf('b'), meter.largestOf('nobody')], [5, 16, 0]);
});

test('lag is what all intervals, tried one by one, say', () => {
  const step = fc.record({ id: fc.constantFrom('a', 'b', 'c'), amount: fc.integer({ min: 0, max: 9 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const meter = new LagOracle();
      const totals: Record<string, number>[] = [{ a: 0, b: 0, c: 0 }];
      for (const id of ['a', 'b', 'c']) meter.backlogged(id);
      for (const { id, amount } of steps) {
        meter.served(id, amount);
        totals.push({ ...totals.at(-1), [id]: totals.at(-1)![id]! + amount });
      }
      let largest = 0;
      for (const [one, other] of [
        ['a', 'b'],
        ['a', 'c'],
        ['b', 'c'],
      ] as const) {
        for (let end = 0; end < totals.length; end += 1) {
          for (let start = 0; start <= end; start += 1) {
            const served = (id: string): number => totals[end]![id]! - totals[start]![id]!;
            largest = Math.max(largest, Math.abs(served(one) - served(other)));
          }
        }
      }
      assert.equal(meter.largest, largest);
    }),
  );
});
