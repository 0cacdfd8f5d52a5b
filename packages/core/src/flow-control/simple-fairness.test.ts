// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import { type ConformanceCase, skipping } from '../testing/conformance-case.ts';
import { fairnessConformance } from '../testing/fairness-conformance.ts';
import { FairnessStand } from '../testing/fairness-stand.ts';
import { instanceOf } from '../testing/plugin-instance.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import { defineSimpleFairnessPolicy } from './simple-fairness.ts';

const longestUnserved = defineSimpleFairnessPolicy({
  type: 'longest-unserved',
  summary: 'Serves the flow that has been unserved for longest.',
  newState: () => undefined,
  pick: (_band, eligible) => eligible[0],
});

const leastServed = defineSimpleFairnessPolicy({
  type: 'least-served',
  summary: 'Serves the flow that was served least.',
  newState: () => undefined,
  newMemberState: () => ({ turns: 0 }),
  pick: (_band, eligible) => eligible.reduce((best, flow) => (flow.state.turns < best.state.turns ? flow : best)),
  served: (_band, flow, cost) => {
    flow.state.turns += cost;
  },
});

const lottery = defineSimpleFairnessPolicy({
  type: 'lottery',
  summary: 'Serves a flow by chance.',
  newState: ({ random }) => ({ random, ticket: random() }),
  pick: (band, eligible) => eligible[Math.floor(band.ticket * eligible.length)],
  served: (band) => {
    band.ticket = band.random();
  },
});

function suite(name: string, cases: readonly ConformanceCase[]): void {
  for (const { title, skip, run } of cases) if (skip === undefined) test(`the simple policy "${name}" ${title}`, run);
}

suite(
  'longest unserved',
  fairnessConformance(() => instanceOf(longestUnserved), { servedWithin: (flows) => flows - 1 }),
);
suite(
  'least served',
  skipping(
    fairnessConformance(() => instanceOf(leastServed)),
    {
      'looks at no more flows of ten thousand than the logarithm of their number allows':
        'it compares all eligible flows, which is what simple policies may do where flows are few',
    },
  ),
);
suite(
  'lottery',
  fairnessConformance(() => instanceOf(lottery, { random: seededRandom(3) }), { throwsDice: true }),
);

function serve(stand: FairnessStand, times: number): string {
  const served = Array.from({ length: times }, () => stand.apply({ act: 'serve', rank: 0, last: false })?.id);
  return served.map((id) => id?.replace('flow-', '') ?? '-').join('');
}

test('the eligible flows come longest unserved first, so that taking the first is round robin', () => {
  const stand = new FairnessStand(instanceOf(longestUnserved));
  for (const flow of [1, 0, 2]) stand.apply({ act: 'ready', flow, rank: 0 });
  assert.equal(serve(stand, 6), '102102');
});

test('a policy that answers with a flow that is not eligible, or with none, serves the first that is', () => {
  let stranger: object | undefined;
  const wrong = defineSimpleFairnessPolicy({
    type: 'wrong',
    summary: 'Answers nonsense.',
    newState: () => undefined,
    pick: (_band, eligible) => {
      const answer = stranger as (typeof eligible)[number] | undefined;
      stranger ??= eligible[0];
      return answer;
    },
  });
  const policy = instanceOf(wrong);
  const elsewhere = new FairnessStand(policy);
  elsewhere.apply({ act: 'ready', flow: 9, rank: 0 });
  elsewhere.pick();
  const stand = new FairnessStand(policy);
  for (const flow of [0, 1]) stand.apply({ act: 'ready', flow, rank: 0 });
  assert.equal(serve(stand, 3), '010');
});

test('a policy sees the flow’s id, weight and head, and its own state of it', () => {
  const seen: unknown[] = [];
  const curious = defineSimpleFairnessPolicy({
    type: 'curious',
    summary: 'Looks at everything.',
    parameters: { mark: { type: 'string', default: 'seen', doc: 'What it notes.' } },
    newState: ({ parameters, compareHeads }) => ({ mark: parameters.mark, compareHeads }),
    newMemberState: () => 'mine',
    pick: (band, eligible) => {
      const [first, second] = eligible;
      if (first !== undefined && second !== undefined) {
        seen.push(band.mark, first.id, first.weight, first.state, band.compareHeads(first.head, second.head) < 0);
      }
      return first;
    },
  });
  const stand = new FairnessStand(instanceOf(curious));
  stand.apply({ act: 'ready', flow: 0, rank: 1 });
  stand.apply({ act: 'ready', flow: 1, rank: 2 });
  stand.pick();
  assert.deepEqual(seen.slice(0, 5), ['seen', 'flow-0', 1, 'mine', true]);
});
