// SPDX-License-Identifier: Apache-2.0

/**
 * What every band selection policy has to keep, whatever it prefers. Run each case as a test of your own policy:
 *
 *     for (const { title, run } of bandSelectionConformance(() => make())) test(title, run);
 */

import type { BandSelectionPolicy } from '../flow-control/policies.ts';
import { BandSelectionStand, type BandStep } from './band-selection-stand.ts';
import { type ConformanceCase, expectSameServed } from './conformance-case.ts';
import { seededRandom } from './seeded-random.ts';

export interface BandSelectionPromises {
  /** Services of others at most, all of equal cost, while a band stays ready and unserved among so many; undefined: none promised. */
  readonly servedWithin?: ((bands: number) => number) | undefined;
}

/** Scripts a case is tried with. */
const SCRIPTS = 200;
/** Highest first. */
const PRIORITIES = [100, 10, 1, 0, -1, -10];

/** `make` gives a new instance each time. */
export function bandSelectionConformance(
  make: () => BandSelectionPolicy,
  { servedWithin }: BandSelectionPromises = {},
): readonly ConformanceCase[] {
  const cases: ConformanceCase[] = [
    {
      title: 'picks a band whenever one is offered, and changes nothing by it',
      run: () => eachScript((script) => checkPure(make, script)),
    },
    {
      title: 'picks the same again when the same happens again',
      run: () =>
        eachScript((script) => expectSameServed(played(make(), script), played(make(), script), 'a second run')),
    },
    {
      title: 'keeps the state of each flow controller apart',
      run: () => eachScript((script) => checkApart(make, script)),
    },
    {
      title: 'promises shares that are never more than everything together',
      run: () => eachScript((script) => checkShares(make, script)),
    },
  ];
  if (make().isStrict === true) {
    cases.push({
      title: 'serves no band while one above it is offered',
      run: () => eachScript((script) => checkStrict(make, script)),
    });
  }
  if (servedWithin !== undefined) {
    cases.push({
      title: 'lets no band wait for longer than it promises',
      run: () => checkNoStarvation(make, servedWithin),
    });
  }
  return cases;
}

function checkPure(make: () => BandSelectionPolicy, script: readonly BandStep[]): void {
  const looked = new BandSelectionStand(make(), PRIORITIES);
  const served = script.map((step) => {
    looked.pick();
    const band = looked.apply(step);
    looked.pick();
    return band;
  });
  expectSameServed(played(make(), script), served, 'a controller that looked in between');
  looked.apply({ act: 'turn' });
  if ((looked.pick() === undefined) !== (looked.ready.size === 0))
    throw new Error('a band that is offered was not picked');
}

/** The second half of a script, run by another controller all the while, makes no difference to the first. */
function checkApart(make: () => BandSelectionPolicy, script: readonly BandStep[]): void {
  const policy = make();
  const one = new BandSelectionStand(policy, PRIORITIES);
  const other = new BandSelectionStand(policy, PRIORITIES);
  const half = script.length >> 1;
  const served = script.slice(0, half).map((step, index) => {
    other.apply(script[half + index] as BandStep);
    return one.apply(step);
  });
  expectSameServed(played(make(), script.slice(0, half)), served, 'a controller with a neighbour');
}

function checkShares(make: () => BandSelectionPolicy, script: readonly BandStep[]): void {
  const stand = new BandSelectionStand(make(), PRIORITIES);
  for (const step of script) {
    stand.apply(step);
    let sum = 0;
    for (const band of stand.ready) {
      const share = stand.shareOf(band) ?? 0;
      if (!(share >= 0 && share <= 1)) throw new Error(`band ${PRIORITIES[band]} is promised a share of ${share}`);
      sum += share;
    }
    if (sum > 1 + 1e-6) throw new Error(`${stand.ready.size} bands are promised ${sum} together`);
  }
}

function checkStrict(make: () => BandSelectionPolicy, script: readonly BandStep[]): void {
  const stand = new BandSelectionStand(make(), PRIORITIES);
  for (const step of script) {
    if (step.act === 'pass') continue;
    const served = stand.apply(step);
    if (served !== undefined && served !== Math.min(...stand.ready))
      throw new Error(`band ${PRIORITIES[served]} was served before one above it`);
  }
}

/** Bands come and go around each band in turn, which stays ready; every service costs the same. */
function checkNoStarvation(make: () => BandSelectionPolicy, servedWithin: (bands: number) => number): void {
  for (let seed = 0; seed < SCRIPTS; seed += 1) {
    const stand = new BandSelectionStand(make(), PRIORITIES);
    const steady = seed % PRIORITIES.length;
    stand.apply({ act: 'ready', band: steady });
    let waited = 0;
    for (const step of randomBandScript({ seed, steps: 500, bands: PRIORITIES.length })) {
      if (step.act === 'pass' || step.act === 'bypass' || step.act === 'settle') continue;
      if ('band' in step && step.band === steady) continue;
      const served = stand.apply(step.act === 'serve' ? { act: 'serve', cost: 1 } : step);
      if (served === undefined) continue;
      waited = served === steady ? 0 : waited + 1;
      if (waited > servedWithin(PRIORITIES.length))
        throw new Error(`band ${PRIORITIES[steady]} was passed over ${waited} times (seed ${seed})`);
    }
  }
}

function played(policy: BandSelectionPolicy, script: readonly BandStep[]): (number | undefined)[] {
  const stand = new BandSelectionStand(policy, PRIORITIES);
  return script.map((step) => stand.apply(step));
}

function eachScript(check: (script: readonly BandStep[]) => void): void {
  for (let seed = 0; seed < SCRIPTS; seed += 1) {
    check(randomBandScript({ seed, steps: 100, bands: 1 + (seed % PRIORITIES.length) }));
  }
}

/** Steps by chance, about a third of them services; the same seed gives the same ones. */
export function randomBandScript(options: {
  readonly seed: number;
  readonly steps: number;
  readonly bands: number;
}): BandStep[] {
  const random = seededRandom(options.seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const acts = [
    'serve',
    'serve',
    'serve',
    'serve',
    'ready',
    'ready',
    'unready',
    'forget',
    'pass',
    'turn',
    'settle',
    'bypass',
  ] as const;
  return Array.from({ length: options.steps }, (): BandStep => {
    const act = acts[below(acts.length)] as (typeof acts)[number];
    const band = below(options.bands);
    const cost = 1 + below(1000);
    const times = random() * 3;
    switch (act) {
      case 'serve':
        return { act, cost };
      case 'settle':
        return { act, times };
      case 'bypass':
        return { act, band, cost };
      case 'pass':
      case 'turn':
        return { act };
      default:
        return { act, band };
    }
  });
}
