// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import type { FairnessPolicy } from '../../flow-control/policies.ts';
import { fairnessConformance } from '../../testing/fairness-conformance.ts';
import { runFairness } from '../../testing/fairness-run.ts';
import { FlowControlKit } from '../../testing/flow-control-kit.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { deficitRoundRobinFairnessPolicy } from './deficit-round-robin-fairness-policy.ts';
import { hierarchicalFairnessPolicy } from './hierarchical-fairness-policy.ts';
import { virtualTokenCounterFairnessPolicy } from './virtual-token-counter-fairness-policy.ts';

type Parameters = Readonly<Record<string, unknown>>;

const others = () => [
  instanceOf(virtualTokenCounterFairnessPolicy),
  instanceOf(deficitRoundRobinFairnessPolicy, { name: 'rounds', parameters: { quantum: 100 } }),
];
const make = (parameters: Parameters = {}) => instanceOf(hierarchicalFairnessPolicy, { parameters, others: others() });

for (const node of ['virtual-token-counter-fairness-policy', 'rounds']) {
  const suite = fairnessConformance(() => make({ nodePolicyRef: node }), { servedWithin: (flows) => 20 * flows });
  for (const { title, run } of suite) test(`a hierarchy of ${node} ${title}`, run);
}

/** Cost by path of what is served to flows that always wait, 100 a request. */
function served(fairness: FairnessPolicy, paths: readonly string[], times: number): Map<string, number> {
  const kit = new FlowControlKit({ band: { fairness }, limit: 1 });
  const costs = new Map(paths.map((path) => [path, 0]));
  const enqueue = (fairnessPath: string): void => {
    kit.enqueue({ fairnessId: fairnessPath, fairnessPath, inputTokens: 98, maxOutputTokens: 1 });
  };
  for (const path of paths) for (let count = 0; count < 2; count += 1) enqueue(path);
  kit.settle();
  for (let time = 0; time < times; time += 1) {
    const permit = kit.permits.shift()!;
    const path = permit.request.fairnessPath!;
    costs.set(path, costs.get(path)! + 100);
    enqueue(path);
    permit.end('succeeded', { promptTokens: 98, completionTokens: 1 });
    kit.settle();
  }
  return costs;
}

function shareOf(costs: ReadonlyMap<string, number>, prefix: string): number {
  const entries = [...costs];
  const total = entries.reduce((sum, [, cost]) => sum + cost, 0);
  return entries.reduce((sum, [path, cost]) => sum + (path.startsWith(prefix) ? cost : 0), 0) / total;
}

for (const nodePolicyRef of ['virtual-token-counter-fairness-policy', 'rounds']) {
  test(`who has many keys gets no more than who has few, at each level by weight, with ${nodePolicyRef}`, () => {
    const weights = [
      { path: 'acme', weight: 3 },
      { path: 'acme/*', weight: 1 },
      { path: 'acme/research', weight: 2 },
    ];
    const paths = ['acme/research/k1', 'acme/research/k2', 'acme/research/k3', 'acme/ops/k4', 'beta/k5', 'beta/k6'];
    const costs = served(make({ weights, nodePolicyRef }), paths, 2_400);
    const expected = { acme: 0.75, 'acme/research': 0.5, 'acme/research/k1': 1 / 6, 'acme/ops': 0.25, beta: 0.25 };
    for (const [prefix, share] of Object.entries(expected)) {
      const real = shareOf(costs, prefix);
      assert.ok(Math.abs(real / share - 1) <= 0.02, `${prefix} got ${real}, not ${share}`);
    }
  });
}

test('what a team leaves goes to the others of its organisation first', () => {
  const paths = ['acme/research/k1', 'beta/k5', 'beta/k6'];
  const costs = served(make(), paths, 1_200);
  assert.ok(Math.abs(shareOf(costs, 'acme') - 0.5) < 0.01);
  assert.ok(Math.abs(shareOf(costs, 'beta/k5') - 0.25) < 0.01);
});

test('flows below one node keep the bound of the policy that stands there', () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const weights = [1, 2, 4, 1, 0.5, 1, 2];
    const node = instanceOf(virtualTokenCounterFairnessPolicy);
    const fairness = { ...bound(make()), lagBound: node.lagBound.bind(node) };
    const run = runFairness({ fairness, seed, arrivals: 20_000, weights, backlogged: 4, slots: seed });
    assert.ok(
      run.bound !== undefined && run.largestLag <= run.bound,
      `seed ${seed}: ${run.largestLag} of ${run.bound}`,
    );
    assert.equal(run.idleWhileWaiting, 0);
  }
});

function bound(policy: FairnessPolicy): FairnessPolicy {
  const names = ['newState', 'newMemberState', 'ready', 'unready', 'pick', 'charge', 'settle'] as const;
  const methods = names.map((name) => [name, (policy[name] as () => unknown).bind(policy)]);
  return { type: policy.type, name: policy.name, ...Object.fromEntries(methods) } as FairnessPolicy;
}

test('branches are bounded: the one idle for longest is forgotten, and when all are busy newcomers share one', () => {
  const kit = new FlowControlKit({ band: { fairness: make({ maxBranches: 3 }) }, limit: 1 });
  const facts = () => kit.controller.inspect().waitlist.bands.fallback.fairnessFacts!;
  const enqueue = (path: string) => kit.enqueue({ fairnessId: path, fairnessPath: path });
  for (let org = 0; org < 10; org += 1) {
    enqueue(`org-${org}/key`);
    kit.settle();
    kit.finishOne();
  }
  assert.partialDeepStrictEqual(facts(), { branches: 3, forgottenBranches: 7, foldedFlows: 0 });
  for (let org = 20; org < 30; org += 1) enqueue(`org-${org}/key`);
  kit.settle();
  assert.partialDeepStrictEqual(facts(), { branches: 3, foldedFlows: 7 });
  for (let left = 10; left > 0; left -= 1) kit.finishOne();
  assert.equal(kit.controller.waiting, 0);
});

test('a path may have any name, and one that nobody wrote is none', () => {
  const kit = new FlowControlKit({ band: { fairness: make({ maxBranches: 2 }) }, limit: 1 });
  const facts = () => kit.controller.inspect().waitlist.bands.fallback.fairnessFacts!;
  for (let round = 0; round < 5; round += 1) {
    for (const path of ['the others/key', 'acme//key', '/acme/key', `org-${round}/key`]) {
      kit.enqueue({ fairnessId: path, fairnessPath: path });
      kit.settle();
      kit.finishOne();
    }
  }
  assert.partialDeepStrictEqual(facts(), { branches: 2, idleBranches: 2, foldedFlows: 0 });
  const costs = served(make(), ['the others/k1', 'acme//k2', '/acme/k3', 'acme/k4'], 300);
  assert.ok(Math.abs(shareOf(costs, 'the others') - 0.5) < 0.02, JSON.stringify([...costs]));
});

test('a path of a thousand names is as deep as one of eight', () => {
  const kit = new FlowControlKit({ band: { fairness: make() }, limit: 1 });
  for (let count = 0; count < 3; count += 1) kit.enqueue({ fairnessPath: Array(1000).fill('a').join('/') });
  kit.settle();
  for (let left = 3; left > 0; left -= 1) kit.finishOne();
  assert.equal(kit.controller.inspect().waitlist.bands.fallback.fairnessFacts!['branches'], 7);
});
