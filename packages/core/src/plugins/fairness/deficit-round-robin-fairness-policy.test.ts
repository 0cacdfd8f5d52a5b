// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { checkPure, fairnessConformance } from '../../testing/fairness-conformance.ts';
import { FAIRNESS_ACTS, FairnessStand } from '../../testing/fairness-stand.ts';
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

function serve(stand: FairnessStand, times: number): string {
  const served = Array.from({ length: times }, () => stand.apply({ act: 'serve', rank: 0, last: false })?.id);
  return served.map((id) => id?.replace('flow-', '') ?? '-').join('');
}

test('time in which a flow asked for nothing is no claim', () => {
  const stand = new FairnessStand(make(1));
  for (const flow of [0, 1]) stand.apply({ act: 'ready', flow, rank: 0 });
  assert.equal(serve(stand, 2), '01');
  stand.apply({ act: 'unready', flow: 1 });
  assert.equal(serve(stand, 100), '0'.repeat(100));
  stand.apply({ act: 'ready', flow: 1, rank: 0 });
  assert.match(serve(stand, 6), /^(01){3}$|^(10){3}$|^1(10|01)/);
});

test('two flows that wait for other endpoints, and are let out one by one, are served alike, however fast others are', () => {
  const stand = new FairnessStand(make(1));
  for (const flow of [0, 1, 2]) stand.apply({ act: 'ready', flow, rank: 0 });
  for (const flow of [0, 1]) stand.apply({ act: 'park', flow });
  let served = '';
  for (let round = 0; round < 20; round += 1) {
    assert.equal(serve(stand, 50), '2'.repeat(50));
    const flow = stand.nextParked();
    assert.ok(flow !== undefined);
    stand.apply({ act: 'ready', flow, rank: 0 });
    served += serve(stand, 1);
    stand.apply({ act: 'park', flow });
  }
  assert.match(served, /^(01){10}$/);
});

test('a flow that was parked for long has a claim of one request on the others, not of all that they were served', () => {
  const stand = new FairnessStand(make(1));
  for (const flow of [0, 1]) stand.apply({ act: 'ready', flow, rank: 0 });
  stand.apply({ act: 'park', flow: 0 });
  serve(stand, 100);
  stand.apply({ act: 'ready', flow: 0, rank: 0 });
  assert.match(serve(stand, 8), /^00?(10|01){3}1?$/);
});
