// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { checkPure, fairnessConformance } from '../../testing/fairness-conformance.ts';
import { FAIRNESS_ACTS } from '../../testing/fairness-stand.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { seededRandom } from '../../testing/seeded-random.ts';
import { servedCosts } from '../../testing/token-cost-kit.ts';
import { virtualTokenCounterFairnessPolicy } from './virtual-token-counter-fairness-policy.ts';

const anyScript = fc.array(
  fc.record({ act: fc.constantFrom(...FAIRNESS_ACTS), flow: fc.nat(5), rank: fc.nat(9), last: fc.boolean() }),
  { maxLength: 120 },
);
const make = () => instanceOf(virtualTokenCounterFairnessPolicy);

for (const { title, run } of fairnessConformance(make, { servedWithin: (flows) => 2 * flows })) {
  test(`the virtual token counter ${title}`, run);
}

test('the virtual token counter changes nothing by being asked, whatever happens', () => {
  fc.assert(fc.property(anyScript, (script) => checkPure(make, script)));
});

test('equal flows are served equal costs, however large the requests of each are', () => {
  const random = seededRandom(4);
  const flows = [10, 100, 5_000].map((most, index) => ({
    id: `flow-${index}`,
    weight: 1,
    cost: () => 1 + Math.floor(random() * most),
  }));
  const served = servedCosts(make(), flows, 100_000);
  for (const cost of served) assert.ok(Math.abs(cost - served[0]!) <= 2 * 5_000, served.join(', '));
});

test('weights 1 : 2 : 4 get 1 : 2 : 4 of the cost', () => {
  const random = seededRandom(5);
  const flows = [1, 2, 4].map((weight) => ({ id: `flow-${weight}`, weight, cost: () => 1 + random() * 2_000 }));
  const served = servedCosts(make(), flows, 100_000);
  const total = served.reduce((sum, cost) => sum + cost, 0);
  for (const [index, { weight }] of flows.entries()) {
    const share = served[index]! / total / (weight / 7);
    assert.ok(Math.abs(share - 1) < 0.02, `flow of weight ${weight} got ${share} of its share`);
  }
});
