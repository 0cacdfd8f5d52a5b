// SPDX-License-Identifier: Apache-2.0

/** Plugins that are each broken in one way, and the case of their kind's suite that has to find it. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type {
  FairnessPolicy,
  Member,
  OrderingPolicy,
  SaturationDetector,
  Tracked,
  UsageLimitPolicy,
} from '../flow-control/policies.ts';
import { deficitRoundRobinFairnessPolicy } from '../plugins/fairness/deficit-round-robin-fairness-policy.ts';
import { concurrencyDetector } from '../plugins/saturation/concurrency-detector.ts';
import type { Filter, Picker, Scorer } from '../scheduling/contracts.ts';
import { type ConformanceCase, skipping } from './conformance-case.ts';
import { fairnessConformance } from './fairness-conformance.ts';
import { filterConformance } from './filter-conformance.ts';
import { orderingConformance } from './ordering-conformance.ts';
import { pickerConformance } from './picker-conformance.ts';
import { instanceOf } from './plugin-instance.ts';
import { saturationConformance } from './saturation-conformance.ts';
import { scorerConformance } from './scorer-conformance.ts';
import { usageLimitConformance } from './usage-limit-conformance.ts';

const named = { type: 'broken', name: 'broken' };

function catches(broken: string, cases: readonly ConformanceCase[], found: RegExp): void {
  test(`a suite finds ${broken}`, () => {
    const failed = cases.filter(({ run }) => throws(run)).map(({ title }) => title);
    assert.ok(
      failed.some((title) => found.test(title)),
      `failed: ${failed.join('; ') || 'nothing'}`,
    );
  });
}

function throws(run: () => void): boolean {
  try {
    run();
  } catch {
    return true;
  }
  return false;
}

type Ring = Set<Member>;

/** Serves whoever has been unserved for longest; sound unless changed. */
function fairness(change: Partial<FairnessPolicy<Ring>> = {}) {
  const sound: FairnessPolicy<Ring> = {
    ...named,
    newState: () => new Set(),
    newMemberState: () => undefined,
    ready: (ring, member) => void ring.add(member),
    unready: (ring, member) => void ring.delete(member),
    pick: ([first]) => first,
    charge: (ring, member) => {
      if (ring.delete(member)) ring.add(member);
    },
  };
  return fairnessConformance(() => ({ ...sound, ...change }), { servedWithin: (flows) => flows });
}

test('the policy that the broken ones are made from is sound', () => {
  for (const { run } of fairness()) run();
});

catches('a policy that serves a flow that is gone', fairness({ unready: () => undefined }), /takes flows out/);
catches(
  'a policy that forgets a flow',
  fairness({ ready: (ring, member) => void (member.id !== 'flow-3' && ring.add(member)) }),
  /picks a ready flow whenever/,
);
catches(
  'a policy that knows no flow that is gone',
  fairness({
    settle: (ring, { id }) => {
      if (![...ring].some((member) => member.id === id)) throw new Error('who?');
    },
  }),
  /settles what they were charged/,
);
catches(
  'a policy that lets one flow have everything',
  fairness({ pick: (ring) => [...ring].at(-1) }),
  /longer than it promises/,
);
catches(
  'a policy that moves on when it is asked',
  fairness({
    pick: (ring) => {
      const [first] = ring;
      if (first !== undefined && ring.delete(first)) ring.add(first);
      return first;
    },
  }),
  /changes nothing/,
);
const one: Ring = new Set();
catches('a policy with one memory for all bands', fairness({ newState: () => one }), /apart/);
catches(
  'a policy that goes through all flows to find one',
  fairness({
    pick: (ring) =>
      [...ring].reduce<Member | undefined>((best, at) => (at.weight > (best?.weight ?? 0) ? at : best), undefined),
  }),
  /looks at no more flows/,
);

function ordering(rank: OrderingPolicy['rank']) {
  return orderingConformance(() => ({ ...named, rank }));
}

let asked = 0;
catches(
  'an order that depends on how often it was asked',
  ordering(() => (asked += 1)),
  /same again/,
);
catches(
  'an order in which the last to come goes first',
  ordering(({ sequence }) => -sequence),
  /wait for ever/,
);
catches(
  'an order that has no numbers',
  ordering(({ request }) => request.id as unknown as number),
  /with a number/,
);
catches(
  'an order that depends on what was asked before',
  orderingConformance(() => {
    let last = 0;
    return { ...named, rank: ({ expiresMs, sequence }) => (last = Math.min(last + sequence, expiresMs)) };
  }),
  /whatever it was asked before/,
);
catches(
  'an order that writes into the request',
  ordering((waiting) => ((waiting as { expiresMs: number }).expiresMs = 1)),
  /changes nothing/,
);

function usageLimit(ceilings: UsageLimitPolicy['ceilings'], newState: () => unknown = () => undefined) {
  return usageLimitConformance(() => ({ ...named, newState, ceilings }));
}

catches(
  'a ceiling that is NaN',
  usageLimit((_state, _input, ceilings) => void ceilings.fill(NaN)),
  /0 or more/,
);
catches(
  'a policy that shuts everybody out',
  usageLimit((_state, _input, ceilings) => void ceilings.fill(0)),
  /at once/,
);
catches(
  'a policy that shuts the lowest band out for good',
  usageLimit((_state, _input, ceilings) => {
    if (ceilings.length > 1) ceilings[ceilings.length - 1] = 0;
  }),
  /no band out/,
);
const shared = { turns: 0 };
catches(
  'one memory for all controllers',
  usageLimit((_state, _input, ceilings) => {
    shared.turns += 1;
    ceilings.fill(1 / shared.turns);
  }),
  /apart/,
);

function saturation(change: (sound: SaturationDetector) => Partial<SaturationDetector>) {
  return saturationConformance(() => {
    const sound = instanceOf(concurrencyDetector, { parameters: { maxConcurrency: 50 } });
    const own: SaturationDetector = {
      ...named,
      newEndpointState: () => undefined,
      saturation: (endpoints) => sound.saturation(endpoints as Tracked<undefined>[]),
      limit: () => 50,
      room: ({ endpoint }) => 50 - endpoint.inFlight,
    };
    return { ...own, ...change(own) };
  });
}

catches(
  'a detector that calls a pool full at half its room',
  saturation((sound) => ({ saturation: (endpoints, nowMs) => 2 * sound.saturation(endpoints, nowMs) })),
  /full when, and only when/,
);
catches(
  'a detector that dispatches one too many',
  saturation(() => ({ room: ({ endpoint }) => 51 - endpoint.inFlight })),
  /full when, and only when/,
);
catches(
  'a detector of an empty pool with room',
  saturation(() => ({ saturation: () => 0 })),
  /without endpoints/,
);
catches(
  'a detector that counts how often it was asked',
  saturation((sound) => {
    let count = 0;
    return { saturation: (endpoints, nowMs) => sound.saturation(endpoints, nowMs) + (count += 1e-9) };
  }),
  /changes nothing/,
);
catches(
  'a detector that takes one endpoint’s work for another’s',
  saturation(() => {
    let total = 0;
    return { dispatched: () => void (total += 1), limit: () => 50 + total };
  }),
  /apart/,
);
catches(
  'a detector that never forgets what an endpoint once had',
  saturation(() => ({
    newEndpointState: () => ({ most: 0 }),
    dispatched: ({ endpoint, state }) => {
      const most = state as { most: number };
      most.most = Math.max(most.most, endpoint.inFlight);
    },
    room: ({ state }) => 50 - (state as { most: number }).most,
  })),
  /idle/,
);

function filter(keep: Filter['filter']) {
  return filterConformance(() => ({ ...named, filter: keep }));
}

let turn = 0;
catches(
  'a filter that takes turns',
  filter((_request, all) => all.slice((turn += 1) % 7 === 0 ? 1 : 0)),
  /same again/,
);
catches(
  'a filter that keeps the first',
  filter((_request, all) => all.slice(0, 1)),
  /whichever order/,
);
catches(
  'a filter that doubles',
  filter((_request, all) => [...all, ...all]),
  /none of them twice/,
);
catches(
  'a filter that takes capacity',
  filter((_request, all) => {
    all[0]?.take(1);
    return all;
  }),
  /changes nothing/,
);

function scorer(score: Scorer['score']) {
  return scorerConformance(() => ({ ...named, score }));
}

catches(
  'a score above 1',
  scorer((_request, _all, scores) => void scores.fill(2)),
  /0 to 1/,
);
catches(
  'a score by place',
  scorer((_request, all, scores) => all.forEach((_, at) => void (scores[at] = 1 / (1 + at)))),
  /wherever/,
);
catches(
  'a score that remembers who asked',
  scorerConformance(() => {
    let count = 0;
    return { ...named, score: (_request, _all, scores) => void scores.fill(1 / (count += 1)) };
  }),
  /in between/,
);

function picker(pick: Picker['pick']) {
  return pickerConformance(() => ({ ...named, pick }));
}

catches(
  'a picker that picks none',
  picker(() => []),
  /at least one/,
);
catches(
  'a picker that finds none where no score is above 0',
  picker((all, scores) => all.filter((_, at) => (scores[at] as number) > 0)),
  /no score/,
);
catches(
  'a picker that always takes the first',
  picker((all) => all.slice(0, 1)),
  /idle for ever/,
);
catches(
  'a picker that throws dice of its own',
  picker((all) => [all[Math.floor(Math.random() * all.length)] ?? all[0]].flatMap((one) => one ?? [])),
  /same dice/,
);
catches(
  'a picker that goes round',
  pickerConformance(() => {
    let next = 0;
    return { ...named, pick: (all) => all.slice((next += 1) % all.length).slice(0, 1) };
  }),
  /remembers nothing/,
);

test('a case is skipped for a reason only, and only one that there is', () => {
  const cases = fairnessConformance(() => instanceOf(deficitRoundRobinFairnessPolicy));
  const [{ title } = { title: '' }] = cases;
  assert.equal(skipping(cases, { [title]: 'because' })[0]?.skip, 'because');
  assert.throws(() => skipping(cases, { [title]: ' ' }), /skipped without a reason/);
  assert.throws(() => skipping(cases, { 'is nice': 'because' }), /no case "is nice"/);
});
