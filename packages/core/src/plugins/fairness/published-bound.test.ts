// SPDX-License-Identifier: Apache-2.0

/**
 * The bounds that docs/fairness.md publishes, each tried with a million random arrivals through the flow controller, and
 * the same trial with a policy that is broken on purpose, which has to be found out.
 */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { FairnessPolicy } from '../../flow-control/policies.ts';
import { defineSimpleFairnessPolicy } from '../../flow-control/simple-fairness.ts';
import { runFairness, type FairnessRunResult } from '../../testing/fairness-run.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { seededRandom } from '../../testing/seeded-random.ts';
import { deficitRoundRobinFairnessPolicy } from './deficit-round-robin-fairness-policy.ts';
import { virtualTokenCounterFairnessPolicy } from './virtual-token-counter-fairness-policy.ts';

const ARRIVALS = 1_000_000;
const SEEDS = 10;

const POLICIES: readonly (readonly [string, () => FairnessPolicy])[] = [
  ['the virtual token counter', () => instanceOf(virtualTokenCounterFairnessPolicy)],
  ['deficit round robin', () => instanceOf(deficitRoundRobinFairnessPolicy)],
];

/** Twelve tenants of random weights, of whom some always wait and the others come and go. */
function randomRun(make: () => FairnessPolicy, seed: number, arrivals: number): FairnessRunResult {
  const random = seededRandom(seed);
  const weights = Array.from({ length: 12 }, () => 2 ** Math.floor(random() * 5 - 2));
  return runFairness({ fairness: make(), seed, arrivals, weights, backlogged: 1 + (seed % 6), slots: 1 + (seed % 12) });
}

function jainsIndex(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return (sum * sum) / (shares.length * squares);
}

for (const [name, make] of POLICIES) {
  test(`${name} keeps its bound over a million arrivals, and nobody's capacity pays for it`, () => {
    let arrivals = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const run = randomRun(make, seed, ARRIVALS / SEEDS);
      assert.ok(run.bound !== undefined && run.largestLag > 0);
      assert.ok(run.largestLag <= run.bound, `seed ${seed}: lag ${run.largestLag}, bound ${run.bound}`);
      assert.equal(run.idleWhileWaiting, 0, `seed ${seed}: a place was free while somebody waited`);
      assert.ok(run.mostInFlight <= 1 + (seed % 12), `seed ${seed}: over capacity`);
      arrivals += run.arrivals;
    }
    assert.ok(arrivals >= ARRIVALS);
  });

  test(`${name} gives weights 1 : 2 : 4 their shares within 2 %`, () => {
    const weights = [1, 2, 4];
    const run = runFairness({ fairness: make(), seed: 3, arrivals: 60_000, weights, backlogged: 3 });
    const total = run.served.reduce((sum, cost) => sum + cost, 0);
    const shares = weights.map((weight, index) => run.served[index]! / total / (weight / 7));
    for (const share of shares) assert.ok(Math.abs(share - 1) <= 0.02, shares.join(', '));
    assert.ok(jainsIndex(shares) >= 0.99);
  });
}

/** Counts and settles as it should, and remembers silence as a claim. */
const leastServedEver = defineSimpleFairnessPolicy({
  type: 'least-served-ever',
  summary: 'Serves the flow that was served least since it is known.',
  newState: () => undefined,
  newMemberState: () => ({ at: 0 }),
  pick: (_band, eligible) => eligible.reduce((least, flow) => (flow.state.at < least.state.at ? flow : least)),
  served: (_band, { state, weight }, cost) => {
    state.at += cost / weight;
  },
  settled: (_band, { state, weight }, delta) => {
    state.at += delta / weight;
  },
});

/** Policies that are nearly right. */
const BROKEN: readonly (readonly [string, (policy: FairnessPolicy) => FairnessPolicy])[] = [
  [
    'counts requests and not what they cost',
    (policy) => changed(policy, { charge: (band, member) => policy.charge?.(band, member, 1) }),
  ],
  ['never settles what was estimated', (policy) => changed(policy, { settle: () => undefined })],
  [
    'forgets weights',
    (policy) =>
      changed(policy, { charge: (band, member, cost) => policy.charge?.(band, member, cost * member.weight) }),
  ],
  [
    'lets those who come back begin where they were',
    (policy) => ({ ...instanceOf(leastServedEver), lagBound: (facts) => policy.lagBound?.(facts) }),
  ],
];

function changed(policy: FairnessPolicy, fields: Partial<FairnessPolicy>): FairnessPolicy {
  const methods = Object.fromEntries(
    (['newState', 'newMemberState', 'ready', 'unready', 'pick', 'charge', 'settle', 'lagBound'] as const).map(
      (name) => [name, (policy[name] as ((...args: unknown[]) => unknown) | undefined)?.bind(policy)],
    ),
  );
  return { ...(methods as unknown as FairnessPolicy), type: 'broken', name: 'broken', ...fields };
}

for (const [fault, breakIt] of BROKEN) {
  test(`a policy that ${fault} does not keep it`, () => {
    const caught = Array.from({ length: SEEDS }, (_, index) => {
      const { largestLag, bound } = randomRun(
        () => breakIt(instanceOf(virtualTokenCounterFairnessPolicy)),
        index + 1,
        20_000,
      );
      return bound !== undefined && largestLag > bound;
    });
    assert.ok(caught.includes(true));
  });
}
