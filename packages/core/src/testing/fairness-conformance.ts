// SPDX-License-Identifier: Apache-2.0

/**
 * What every fairness policy has to keep, whatever it prefers. Run each case as a test of your own policy:
 *
 *     for (const { title, run } of fairnessConformance(() => make())) test(title, run);
 */

import type { FairnessPolicy } from '../flow-control/policies.ts';
import { type ConformanceCase, expectSameServed } from './conformance-case.ts';
import { checkHotRemoval, checkOperations } from './fairness-removal.ts';
import { FairnessStand, type FairnessStep } from './fairness-stand.ts';
import { seededRandom } from './seeded-random.ts';

export interface FairnessPromises {
  /** Services of others at most while a flow stays ready and unserved among `flows` of equal weight; undefined: none promised. */
  readonly servedWithin?: ((flows: number) => number) | undefined;
  /** It throws dice, and the bands of one instance share them: two bands then differ from two instances. */
  readonly throwsDice?: boolean | undefined;
}

/** Scripts a case is tried with. */
const SCRIPTS = 200;

/** `make` gives a new instance each time, with dice from the same seed. */
export function fairnessConformance(
  make: () => FairnessPolicy,
  promises: FairnessPromises = {},
): readonly ConformanceCase[] {
  const cases: ConformanceCase[] = [
    {
      title: 'picks a ready flow whenever there is one, and changes nothing by it',
      run: () => eachScript((script) => checkPure(make, script)),
    },
    {
      title: 'picks the same again when the same happens again',
      run: () => eachScript((script) => checkSame(make, script)),
    },
    {
      title: 'serves every flow of a band that nobody joins any more',
      run: () => eachScript((script) => checkDrains(make, script)),
    },
    {
      title: 'takes flows out at any moment, also the one whose turn it is, and settles what they were charged',
      run: () => eachScript((script) => checkHotRemoval(make, script)),
    },
    {
      title: 'looks at no more flows of ten thousand than the logarithm of their number allows',
      run: () => checkOperations(make),
    },
  ];
  if (promises.throwsDice !== true) {
    cases.push({
      title: 'keeps the state of each band apart',
      run: () => eachScript((script) => checkApart(make, script)),
    });
  }
  const { servedWithin } = promises;
  if (servedWithin !== undefined) {
    cases.push({
      title: 'lets no ready flow wait for longer than it promises',
      run: () => checkNoStarvation(make, servedWithin),
    });
  }
  return cases;
}

/** A band that is looked at after every step serves the same flows as one that is only asked when it serves. */
export function checkPure(make: () => FairnessPolicy, script: readonly FairnessStep[]): void {
  const looked = new FairnessStand(make());
  const served = script.map((step) => {
    looked.pick();
    const flow = looked.apply(step);
    looked.pick();
    return flow?.id;
  });
  expectSameServed(played(make(), script), served, 'a band that was looked at in between');
}

function checkSame(make: () => FairnessPolicy, script: readonly FairnessStep[]): void {
  expectSameServed(played(make(), script), played(make(), script), 'a second run of the same steps');
}

/** The second half of a script, run in another band of the same instance all the while, makes no difference to the first. */
function checkApart(make: () => FairnessPolicy, script: readonly FairnessStep[]): void {
  const policy = make();
  const one = new FairnessStand(policy);
  const other = new FairnessStand(policy);
  const half = script.length >> 1;
  const served = script.slice(0, half).map((step, index) => {
    other.apply(script[half + index] as FairnessStep);
    return one.apply(step)?.id;
  });
  expectSameServed(played(make(), script.slice(0, half)), served, 'a band with a neighbour');
}

function checkDrains(make: () => FairnessPolicy, script: readonly FairnessStep[]): void {
  const stand = new FairnessStand(make());
  for (const step of script) stand.apply(step);
  for (let left = stand.ready.size; left > 0; left -= 1) stand.apply({ act: 'serve', rank: 0, last: true });
  if (stand.pick() !== undefined) throw new Error('a flow is left over');
}

/** Flows come, go and park around flow 0, which stays ready; ranks are those of first come, first served. */
function checkNoStarvation(make: () => FairnessPolicy, servedWithin: (flows: number) => number): void {
  const flows = 8;
  for (let seed = 0; seed < SCRIPTS; seed += 1) {
    const stand = new FairnessStand(make());
    let rank = 0;
    let waited = 0;
    stand.apply({ act: 'ready', flow: 0, rank: rank++ });
    for (const step of randomScript({ seed, steps: 300, flows })) {
      if (step.act === 'bypass' || step.act === 'head' || ('flow' in step && step.flow === 0)) continue;
      const served = stand.apply(
        'rank' in step ? { ...step, rank: rank++, ...(step.act === 'serve' && { last: false }) } : step,
      );
      if (served === undefined) continue;
      waited = served.id === 'flow-0' ? 0 : waited + 1;
      if (waited > servedWithin(flows))
        throw new Error(`a ready flow was passed over ${waited} times among ${flows} flows`);
    }
  }
}

function played(policy: FairnessPolicy, script: readonly FairnessStep[]): (string | undefined)[] {
  const stand = new FairnessStand(policy);
  return script.map((step) => stand.apply(step)?.id);
}

function eachScript(check: (script: readonly FairnessStep[]) => void): void {
  for (let seed = 0; seed < SCRIPTS; seed += 1) check(randomScript({ seed, steps: 100, flows: 1 + (seed % 12) }));
}

/** Steps by chance, about a third of them services; the same seed gives the same ones. */
export function randomScript(options: {
  readonly seed: number;
  readonly steps: number;
  readonly flows: number;
}): FairnessStep[] {
  const random = seededRandom(options.seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const acts = [
    'serve',
    'serve',
    'serve',
    'ready',
    'ready',
    'ready',
    'unready',
    'forget',
    'park',
    'head',
    'bypass',
  ] as const;
  return Array.from({ length: options.steps }, () => {
    const act = acts[below(acts.length)] as (typeof acts)[number];
    const flow = below(options.flows);
    const rank = below(10);
    return act === 'serve' ? { act, rank, last: flow === 0 } : { act, flow, rank };
  });
}
