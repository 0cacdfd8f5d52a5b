// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { checkPure, fairnessConformance } from '../../testing/fairness-conformance.ts';
import { FAIRNESS_ACTS } from '../../testing/fairness-stand.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { seededRandom } from '../../testing/seeded-random.ts';
import { servedCosts } from '../../testing/token-cost-kit.ts';
import { deficitRoundRobinFairnessPolicy } from './deficit-round-robin-fairness-policy.ts';

const anyScript = fc.array(
  fc.record({ act: fc.constantFrom(...FAIRNESS_ACTS), flow: fc.nat(5), rank: fc.nat(9), last: fc.boolean() }),
  { maxLength: 120 },
);
const make = (quantum = 1024) => instanceOf(deficitRoundRobinFairnessPolicy, { parameters: { quantum } });

for (const { title, run } of fairnessConformance(make, { servedWithin: (flows) => flows - 1 })) {
  test(`deficit round robin ${title}`, run);
}

test('deficit round robin changes nothing by being asked, whatever happens', () => {
  fc.assert(
    fc.property(anyScript, fc.integer({ min: 1, max: 3 }), (script, quantum) => checkPure(() => make(quantum), script)),
  );
});

test('equal flows are served equal costs, however large the requests of each are', () => {
  const random = seededRandom(4);
  const flows = [10, 100, 5_000].map((most, index) => ({
    id: `flow-${index}`,
    weight: 1,
    cost: () => 1 + Math.floor(random() * most),
  }));
  const served = servedCosts(make(), flows, 100_000);
  for (const cost of served) assert.ok(Math.abs(cost - served[0]!) <= 2 * 1024 + 2 * 5_000, served.join(', '));
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

test('a request that costs a thousand rounds is paid for with as many', () => {
  const costs = [1_000_000, 1];
  const flows = [0, 1].map((index) => ({ id: `flow-${index}`, weight: 1, cost: () => costs[index]! }));
  assert.deepEqual(servedCosts(make(1000), flows, 1 + 1_000_000), [1_000_000, 1_000_000]);
});
