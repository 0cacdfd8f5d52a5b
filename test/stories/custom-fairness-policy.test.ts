// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import path from 'node:path';
import { fairnessConformance, FairnessStand, instanceOf, skipping } from '@fairlead/core/testing';
import policy from '../../examples/custom-fairness-policy/policy.ts';
import { loadConfig } from '../../packages/fairlead/src/config/load.ts';

const make = () => instanceOf(policy);

const cases = skipping(fairnessConformance(make), {
  'looks at no more flows of ten thousand than the logarithm of their number allows':
    'it compares all flows that have something to send, and is written for tens of tenants',
});
for (const { title, skip, run } of cases) {
  if (skip === undefined) test(`the policy of examples/custom-fairness-policy ${title}`, run);
}

function serve(stand: FairnessStand, times: number): Map<string, number> {
  const turns = new Map<string, number>();
  for (let served = 0; served < times; served += 1) {
    const id = stand.apply({ act: 'serve', rank: 0, last: false })?.id ?? 'nobody';
    turns.set(id, (turns.get(id) ?? 0) + 1);
  }
  return turns;
}

test('a tenant of weight 3 is served three times as often as one of weight 1', () => {
  const stand = new FairnessStand(make(), [3, 1]);
  for (const flow of [0, 1]) stand.apply({ act: 'ready', flow, rank: 0 });
  assert.deepEqual([...serve(stand, 400)].sort(), [
    ['flow-0', 300],
    ['flow-1', 100],
  ]);
});

test('a tenant who was away has saved nothing up', () => {
  const stand = new FairnessStand(make(), [1, 1]);
  stand.apply({ act: 'ready', flow: 0, rank: 0 });
  serve(stand, 1000);
  stand.apply({ act: 'ready', flow: 1, rank: 0 });
  assert.deepEqual([...serve(stand, 10)].sort(), [
    ['flow-0', 5],
    ['flow-1', 5],
  ]);
});

test('examples/custom-fairness-policy/fairlead.yaml loads, with the policy in every band', async () => {
  const file = path.join(import.meta.dirname, '../../examples/custom-fairness-policy/fairlead.yaml');
  const loaded = await loadConfig({ file, defaults: 'serve' });
  assert.deepEqual(loaded.problems, undefined);
  assert.ok(loaded.ok);
  const { defaultBand, defaultNegativeBand } = loaded.ok.flowControl;
  for (const band of [defaultBand, defaultNegativeBand]) {
    assert.deepEqual([band.fairness.name, band.fairness.type], ['by-weight', 'weighted-share-fairness-policy']);
  }
});
