// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { compareWaiting } from '../../flow-control/waiting-request.ts';
import { checkPure, fairnessConformance } from '../../testing/fairness-conformance.ts';
import { FAIRNESS_ACTS, FairnessStand } from '../../testing/fairness-stand.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { globalStrictFairnessPolicy } from './global-strict-fairness-policy.ts';

const anyScript = fc.array(
  fc.record({ act: fc.constantFrom(...FAIRNESS_ACTS), flow: fc.nat(7), rank: fc.nat(9), last: fc.boolean() }),
  { maxLength: 120 },
);
const make = () => instanceOf(globalStrictFairnessPolicy);

for (const { title, run } of fairnessConformance(make, { servedWithin: (flows) => flows - 1 })) {
  test(`global strict ${title}`, run);
}

test('the earliest head of all ready flows is picked, ties by arrival', () => {
  fc.assert(
    fc.property(anyScript, (script) => {
      checkPure(make, script);
      const stand = new FairnessStand(make());
      for (const step of script) {
        stand.apply(step);
        const heads = [...stand.ready].map((flow) => flow.head).sort(compareWaiting);
        assert.equal(stand.pick()?.head, heads[0]);
      }
    }),
  );
});

test('a flow that sends fifty times as much is served about fifty times as often', () => {
  const stand = new FairnessStand(make());
  let rank = 0;
  const turns = [0, 0];
  stand.apply({ act: 'ready', flow: 0, rank: rank++ });
  stand.apply({ act: 'ready', flow: 1, rank: 50 });
  for (let served = 0; served < 1020; served += 1) {
    const flow = stand.pick();
    const quiet = flow?.id === 'flow-1';
    stand.apply({ act: 'serve', rank: quiet ? rank + 50 : rank++, last: false });
    turns[quiet ? 1 : 0]! += 1;
  }
  assert.ok(turns[1]! >= 18 && turns[1]! <= 22, `served ${turns.join(' and ')} times`);
});
