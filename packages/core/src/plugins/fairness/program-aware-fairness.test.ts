// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Member, Waiting } from '../../flow-control/policies.ts';
import { compareWaiting } from '../../flow-control/waiting-request.ts';
import { fairnessConformance } from '../../testing/fairness-conformance.ts';
import { FlowControlKit } from '../../testing/flow-control-kit.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { programAwareFairness } from './program-aware-fairness.ts';

const make = (parameters: Readonly<Record<string, unknown>> = {}) => instanceOf(programAwareFairness, { parameters });

for (const { title, run } of fairnessConformance(make)) test(`program-aware ${title}`, run);

/** The reference's score of each, by a scan of all; the highest is served. */
function scores(programs: readonly { service: number; waitMs: number }[]): number[] {
  const norm = (values: readonly number[]): number[] => {
    const [min, max] = [Math.min(...values), Math.max(...values)];
    return values.map((value) => (max > min ? (value - min) / (max - min) : 0));
  };
  const service = norm(programs.map((each) => each.service));
  const wait = norm(programs.map((each) => each.waitMs));
  return programs.map((_, index) => 0.8 * (1 - service[index]!) + 0.2 * wait[index]!);
}

const anyPrograms = fc.array(
  fc.record({
    served: fc.array(fc.record({ cost: fc.integer({ min: 1, max: 5_000 }), afterMs: fc.nat(100_000) }), {
      maxLength: 3,
    }),
    enqueuedMs: fc.nat(100_000),
  }),
  { minLength: 2, maxLength: 20 },
);

test('the flow that is served is the one that the reference’s scan of all would serve, service halving every minute', () => {
  fc.assert(
    fc.property(anyPrograms, (given) => {
      const policy = make();
      let nowMs = 0;
      const state = policy.newState({ compareHeads: compareWaiting, now: () => nowMs });
      const members = given.map(({ enqueuedMs }, index): Member<ReturnType<typeof policy.newMemberState>> => {
        const head = { enqueuedMs } as Waiting;
        return { id: `${index}`, weight: 1, state: policy.newMemberState(), spell: 1, head };
      });
      const charges = given.flatMap(({ served }, index) => served.map((each) => ({ ...each, index })));
      for (const { cost, afterMs, index } of charges.toSorted((a, b) => a.afterMs - b.afterMs)) {
        nowMs = afterMs;
        policy.charge(state, members[index]!, cost);
      }
      nowMs = 100_000;
      for (const member of members) policy.ready(state, member);
      const programs = given.map(({ served, enqueuedMs }) => ({
        service: served.reduce((sum, { cost, afterMs }) => sum + cost * 2 ** ((afterMs - nowMs) / 60_000), 0),
        waitMs: nowMs - enqueuedMs,
      }));
      const all = scores(programs);
      const picked = all[members.indexOf(policy.pick(state)!)]!;
      assert.ok(picked >= Math.max(...all) - 1e-9, `${picked} of ${Math.max(...all)}`);
    }),
  );
});

test('among thousands the flow that is served is nearly the one that a scan would serve', () => {
  const policy = make({ lasHalfLifeSeconds: 0 });
  let nowMs = 0;
  const state = policy.newState({ compareHeads: compareWaiting, now: () => nowMs });
  const members = Array.from({ length: 3_000 }, (_, index) => ({
    id: `${index}`,
    weight: 1,
    state: policy.newMemberState(),
    spell: 1,
    head: { enqueuedMs: (index * 7919) % 3_000 } as Waiting,
    service: 0,
  }));
  for (const member of members) policy.ready(state, member);
  for (let turn = 0; turn < 9_000; turn += 1) {
    nowMs = 3_000 + turn;
    const picked = policy.pick(state) as (typeof members)[number];
    if (turn % 500 === 499) {
      const all = scores(members.map(({ service, head }) => ({ service, waitMs: nowMs - head.enqueuedMs })));
      assert.ok(all[members.indexOf(picked)]! >= Math.max(...all) - 0.05, `turn ${turn}`);
    }
    const cost = 100 + ((turn * 31) % 900);
    picked.service += cost;
    policy.charge(state, picked, cost);
    picked.head = { enqueuedMs: nowMs } as Waiting;
    policy.headChanged(state, picked);
  }
});

test('a program that has had little goes before one that has had much, and an abandoned request leaves nothing behind', () => {
  const kit = new FlowControlKit({ band: { fairness: make() }, limit: 1, config: { flowIdleMs: 1_000 } });
  const enqueue = (fairnessId: string) => kit.enqueue({ fairnessId, inputTokens: 1_000, maxOutputTokens: 10 });
  for (const id of ['long', 'long', 'long', 'short']) enqueue(id);
  kit.settle();
  kit.finishOne();
  assert.deepEqual(kit.dispatchedFlows, ['long', 'short']);
  enqueue('gone').cancel();
  kit.permits.splice(0).forEach((permit) => permit.end('cancelled'));
  kit.settle();
  while (kit.permits.length > 0) kit.finishOne();
  kit.clock.advance(5_000);
  kit.settle();
  assert.deepEqual(kit.controller.snapshot().bands[0]!.flows, []);
});
