// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Endpoint } from '../../endpoints/endpoint.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { seededRandom } from '../../testing/seeded-random.ts';
import { maxScorePicker } from './max-score-picker.ts';
import { randomPicker } from './random-picker.ts';
import { weightedRandomPicker } from './weighted-random-picker.ts';

const endpoints = ['a', 'b', 'c', 'd'].map((name) => new Endpoint({ name, url: `http://${name}.test`, labels: {} }));

function make(definition: typeof maxScorePicker, maxNumOfEndpoints = 1) {
  return instanceOf(definition, { parameters: { maxNumOfEndpoints }, random: seededRandom(7) });
}

function picks(definition: typeof maxScorePicker, scores: readonly number[], count = 1): string {
  const picked = make(definition, count).pick(endpoints, Float64Array.from(scores));
  return picked.map((endpoint) => endpoint.name).join('');
}

/** How often each endpoint is first in 4 000 picks. */
function shares(definition: typeof maxScorePicker, scores: readonly number[], count = 1): number[] {
  const picker = make(definition, count);
  const firsts = new Map<string | undefined, number>();
  for (let times = 0; times < 4000; times += 1) {
    const first = picker.pick(endpoints, Float64Array.from(scores))[0]?.name;
    firsts.set(first, (firsts.get(first) ?? 0) + 1);
  }
  return endpoints.map((endpoint) => (firsts.get(endpoint.name) ?? 0) / 4000);
}

function assertNear(actual: readonly number[], expected: readonly number[]): void {
  const far = actual.some((share, index) => Math.abs(share - (expected[index] as number)) > 0.03);
  assert.ok(!far, `${actual.join(' ')} is not near ${expected.join(' ')}`);
}

test('the best score is picked', () => {
  assert.equal(picks(maxScorePicker, [0.1, 0.9, 0.3, 0.2]), 'b');
});

test('several are picked best first, and never more than there are', () => {
  assert.equal(picks(maxScorePicker, [0.1, 0.9, 0.3, 0.2], 3), 'bcd');
  assert.equal(picks(maxScorePicker, [0.1, 0.9, 0.3, 0.2], 9), 'bcda');
});

test('equals at the top have equal chances, whether one is picked or several', () => {
  for (const count of [1, 2]) assertNear(shares(maxScorePicker, [1, 0.5, 1, 1], count), [1 / 3, 0, 1 / 3, 1 / 3]);
});

test('the random picker gives all endpoints the same chance and does not look at scores', () => {
  for (const count of [1, 2]) assertNear(shares(randomPicker, [1, 0, 0, 0.5], count), [0.25, 0.25, 0.25, 0.25]);
});

test('the random picker names different endpoints', () => {
  assert.equal([...picks(randomPicker, [0, 0, 0, 0], 4)].sort().join(''), 'abcd');
});

test('the weighted random picker picks in proportion to scores, whether one or several', () => {
  for (const count of [1, 2])
    assertNear(shares(weightedRandomPicker, [1, 0.5, 0.5, 2], count), [0.25, 0.125, 0.125, 0.5]);
});

test('the weighted random picker picks what has no score only behind all that have one', () => {
  for (const count of [1, 3]) assertNear(shares(weightedRandomPicker, [0, 0.2, 0, 0], count), [0, 1, 0, 0]);
  assert.match(picks(weightedRandomPicker, [0, 1e-9, 0, 5], 4), /^(bd|db)(ac|ca)$/);
});

test('the weighted random picker gives all the same chance when none has a score', () => {
  for (const count of [1, 2]) assertNear(shares(weightedRandomPicker, [0, 0, 0, 0], count), [0.25, 0.25, 0.25, 0.25]);
});

test('the weighted random picker always picks different ones of the endpoints, as many as it is asked for', () => {
  const scores = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(scores, fc.integer({ min: 1, max: 6 }), (given, count) => {
      assert.equal(new Set(picks(weightedRandomPicker, given, count)).size, Math.min(count, 4));
    }),
  );
});
