// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { checkPure, fairnessConformance } from '../../testing/fairness-conformance.ts';
import { FAIRNESS_ACTS, FairnessStand } from '../../testing/fairness-stand.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { roundRobinFairnessPolicy } from './round-robin-fairness-policy.ts';

const anyScript = fc.array(
  fc.record({ act: fc.constantFrom(...FAIRNESS_ACTS), flow: fc.nat(5), rank: fc.nat(9), last: fc.boolean() }),
  { maxLength: 120 },
);
const make = () => instanceOf(roundRobinFairnessPolicy);

// Everyone else once, and as many guests as that.
for (const { title, run } of fairnessConformance(make, { servedWithin: (flows) => 2 * flows - 1 })) {
  test(`round robin ${title}`, run);
}

function ready(stand: FairnessStand, ...flows: number[]): void {
  for (const flow of flows) stand.apply({ act: 'ready', flow, rank: 0 });
}

function serve(stand: FairnessStand, times: number): string {
  const served = Array.from({ length: times }, () => stand.apply({ act: 'serve', rank: 0, last: false })?.id);
  return served.map((id) => id?.replace('flow-', '') ?? '-').join('');
}

test('flows are served in the order in which they became ready, over and over', () => {
  const stand = new FairnessStand(make());
  ready(stand, 2, 0, 1);
  assert.equal(serve(stand, 7), '2012012');
});

test('a new flow joins the round under way, behind those who are still due and ahead of those who were served', () => {
  const stand = new FairnessStand(make());
  ready(stand, 0, 1);
  assert.equal(serve(stand, 1), '0');
  ready(stand, 2);
  assert.equal(serve(stand, 6), '120120');
});

test('a tenant that asks now and then goes ahead of one that floods', () => {
  const stand = new FairnessStand(make());
  ready(stand, 0);
  assert.equal(serve(stand, 3), '000');
  ready(stand, 1);
  assert.equal(serve(stand, 3), '101');
});

test('a round takes no more new flows than it has served others, however many come', () => {
  const stand = new FairnessStand(make());
  ready(stand, 0, 1);
  assert.equal(serve(stand, 2), '01');
  for (let newcomer = 2; newcomer < 50; newcomer += 1) ready(stand, newcomer);
  assert.equal(serve(stand, 6), '230145');
});

test('a flow that was parked at its turn is still served in this round, ahead of who has been', () => {
  const stand = new FairnessStand(make());
  ready(stand, 0, 1, 2);
  stand.apply({ act: 'park', flow: 0 });
  assert.equal(serve(stand, 1), '1');
  ready(stand, 0);
  assert.equal(serve(stand, 5), '20120');
});

test('going away and coming back after a turn wins no second one in the same round', () => {
  const stand = new FairnessStand(make());
  ready(stand, 0, 1, 2);
  assert.equal(serve(stand, 1), '0');
  for (let times = 0; times < 3; times += 1) {
    stand.apply({ act: 'park', flow: 0 });
    ready(stand, 0);
  }
  assert.equal(serve(stand, 4), '1201');
});

test('of two flows let out of the lot one by one, each is served as often as the other', () => {
  const stand = new FairnessStand(make());
  ready(stand, 0, 1);
  let served = '';
  for (let round = 0; round < 3; round += 1) {
    stand.apply({ act: 'park', flow: 0 });
    stand.apply({ act: 'park', flow: 1 });
    // Room for two: the first is let out and served, then the second comes out beside it.
    ready(stand, 0);
    served += serve(stand, 1);
    ready(stand, 1);
    served += serve(stand, 1);
  }
  assert.equal(served, '010101');
});

test('a flow served out of turn, while everything is let through, does not upset the rounds', () => {
  const stand = new FairnessStand(make());
  ready(stand, 0, 1, 2);
  stand.apply({ act: 'park', flow: 2 });
  stand.apply({ act: 'bypass', flow: 2, rank: 0 });
  stand.apply({ act: 'bypass', flow: 0, rank: 0 });
  ready(stand, 2);
  assert.equal(serve(stand, 4), '1021');
});

test('between two turns of a flow that stays ready nobody has more than one, whatever happens', () => {
  fc.assert(
    fc.property(anyScript, (script) => {
      checkPure(make, script);
      const stand = new FairnessStand(make());
      // For each flow that has been ready ever since its own last turn: who had one in the meantime.
      const since = new Map<string, Set<string>>();
      for (const step of script) {
        if (step.act === 'bypass') continue;
        const served = stand.apply(step)?.id;
        const ready = new Set([...stand.ready].map((flow) => flow.id));
        for (const id of since.keys()) if (!ready.has(id)) since.delete(id);
        if (served === undefined) continue;
        for (const [id, turns] of since) {
          if (id === served) continue;
          assert.ok(!turns.has(served), `${served} had two turns between two of ${id}`);
          turns.add(served);
        }
        if (ready.has(served)) since.set(served, new Set());
      }
    }),
  );
});
