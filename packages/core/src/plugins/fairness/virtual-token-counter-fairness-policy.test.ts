// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { checkPure, fairnessConformance } from '../../testing/fairness-conformance.ts';
import { FAIRNESS_ACTS, FairnessStand } from '../../testing/fairness-stand.ts';
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

function serve(stand: FairnessStand, times: number): string {
  const served = Array.from({ length: times }, () => stand.apply({ act: 'serve', rank: 0, last: false })?.id);
  return served.map((id) => id?.replace('flow-', '') ?? '-').join('');
}

test('time in which a flow asked for nothing is no claim', () => {
  const stand = new FairnessStand(make());
  for (const flow of [0, 1]) stand.apply({ act: 'ready', flow, rank: 0 });
  assert.equal(serve(stand, 2), '01');
  stand.apply({ act: 'unready', flow: 1 });
  assert.equal(serve(stand, 100), '0'.repeat(100));
  stand.apply({ act: 'ready', flow: 1, rank: 0 });
  assert.match(serve(stand, 6), /^(01){3}$|^(10){3}$|^1(10|01)/);
});

test('two flows that wait for other endpoints, and are let out one by one, are served alike, however fast others are', () => {
  const stand = new FairnessStand(make());
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
  const stand = new FairnessStand(make());
  for (const flow of [0, 1]) stand.apply({ act: 'ready', flow, rank: 0 });
  stand.apply({ act: 'park', flow: 0 });
  serve(stand, 100);
  stand.apply({ act: 'ready', flow: 0, rank: 0 });
  assert.match(serve(stand, 8), /^00?(10|01){3}1?$/);
});
