// SPDX-License-Identifier: Apache-2.0

/** What all policies that serve by virtual time owe to flows that come back, from idleness or from where they were parked. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { FairnessStand } from '../../testing/fairness-stand.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { deficitRoundRobinFairnessPolicy } from './deficit-round-robin-fairness-policy.ts';
import { virtualTokenCounterFairnessPolicy } from './virtual-token-counter-fairness-policy.ts';

const policies = {
  'deficit round robin': instanceOf(deficitRoundRobinFairnessPolicy, { parameters: { quantum: 1 } }),
  'the virtual token counter': instanceOf(virtualTokenCounterFairnessPolicy),
};

function serve(stand: FairnessStand, times: number): string {
  const served = Array.from({ length: times }, () => stand.apply({ act: 'serve', rank: 0, last: false })?.id);
  return served.map((id) => id?.replace('flow-', '') ?? '-').join('');
}

for (const [name, policy] of Object.entries(policies)) {
  test(`${name}: time in which a flow asked for nothing is no claim`, () => {
    const stand = new FairnessStand(policy);
    for (const flow of [0, 1]) stand.apply({ act: 'ready', flow, rank: 0 });
    assert.equal(serve(stand, 2), '01');
    stand.apply({ act: 'unready', flow: 1 });
    assert.equal(serve(stand, 100), '0'.repeat(100));
    stand.apply({ act: 'ready', flow: 1, rank: 0 });
    assert.match(serve(stand, 6), /^(01){3}$|^(10){3}$|^1(10|01)/);
  });

  test(`${name}: two flows that wait for other endpoints, and are let out one by one, are served alike, however fast others are`, () => {
    const stand = new FairnessStand(policy);
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

  test(`${name}: a flow that was parked for long has a claim of one request on the others, not of all that they were served`, () => {
    const stand = new FairnessStand(policy);
    for (const flow of [0, 1]) stand.apply({ act: 'ready', flow, rank: 0 });
    stand.apply({ act: 'park', flow: 0 });
    serve(stand, 100);
    stand.apply({ act: 'ready', flow: 0, rank: 0 });
    assert.match(serve(stand, 8), /^00?(10|01){3}1?$/);
  });
}
