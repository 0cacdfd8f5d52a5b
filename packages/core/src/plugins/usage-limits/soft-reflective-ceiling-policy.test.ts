// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { FlowControlKit } from '../../testing/flow-control-kit.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { softReflectiveCeilingPolicy } from './soft-reflective-ceiling-policy.ts';

/** Asks one policy again and again: a text of 1 and 0 for each time, the highest band first. */
function asked(bands: number, saturations: readonly number[]): string[] {
  const policy = instanceOf(softReflectiveCeilingPolicy);
  const state = policy.newState();
  const priorities = Array.from({ length: bands }, (_, index) => -index);
  return saturations.map((saturation) => {
    const ceilings = new Float64Array(bands).fill(1);
    policy.ceilings(state, { priorities, saturation }, ceilings);
    return ceilings.join('');
  });
}

test('nothing is held back while the pool is less than half full', () => {
  assert.deepEqual(asked(3, [0, 0.3, 0.49]), ['111', '111', '111']);
});

test('the lowest band is gated first, and gated bands get one chance in so many', () => {
  assert.deepEqual(asked(3, [0.65, 0.65, 0.65, 0.65]), ['110', '111', '110', '111']);
  assert.deepEqual(asked(3, [0.75, 0.75, 0.75, 0.75]), ['100', '100', '111', '100']);
});

test('a full pool holds all but the highest band', () => {
  assert.deepEqual(asked(3, [1, 1.5]), ['100', '100']);
});

test('a single band, and none, are never held', () => {
  assert.deepEqual(asked(1, [0.9, 1, 2]), ['1', '1', '1']);
  assert.deepEqual(asked(0, [0.9]), ['']);
});

test('chances are only counted while the lowest band is gated and the pool is not full', () => {
  assert.deepEqual(asked(2, [0.65, 0.1, 1, 0.65]), ['10', '11', '10', '11']);
});

test('every owner of a state has its own count', () => {
  const policy = instanceOf(softReflectiveCeilingPolicy);
  const ceilings = new Float64Array([1, 1]);
  policy.ceilings(policy.newState(), { priorities: [1, 0], saturation: 0.65 }, ceilings);
  policy.ceilings(policy.newState(), { priorities: [1, 0], saturation: 0.65 }, ceilings.fill(1));
  assert.deepEqual([...ceilings], [1, 0]);
});

test('at any saturation a gated band gets exactly its share of the chances', () => {
  const saturations = fc.double({ min: 0.5, max: 0.99, noNaN: true });
  fc.assert(
    fc.property(saturations, fc.integer({ min: 2, max: 6 }), (saturation, bands) => {
      const period = Math.round(saturation / (1 - saturation));
      const times = asked(bands, new Array<number>(3 * period).fill(saturation));
      assert.equal(times.filter((time) => time.endsWith('1')).length, 3);
      assert.ok(times.every((time) => time.startsWith('1') && !time.includes('01')));
    }),
  );
});

test('a backlog of the lowest band is served to its end, with nothing but its own completions to go on', () => {
  const config = { usageLimit: instanceOf(softReflectiveCeilingPolicy), knownPriorities: [10] };
  const kit = new FlowControlKit({ limit: 10, config });
  kit.enqueue({ priority: 10 });
  for (let count = 0; count < 50; count += 1) kit.enqueue();
  kit.settle();
  while (kit.permits.length > 0) kit.finishOne();
  assert.equal(kit.outcomes.filter((outcome) => outcome.endsWith('dispatched')).length, 51);
});
