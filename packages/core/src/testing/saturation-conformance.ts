// SPDX-License-Identifier: Apache-2.0

/**
 * What every saturation detector has to keep, whatever it measures. Run each case as a test of your own detector:
 *
 *     for (const { title, run } of saturationConformance(() => make())) test(title, run);
 */

import type { SaturationDetector } from '../flow-control/policies.ts';
import { type ConformanceCase, eachSeed, expectSameList } from './conformance-case.ts';
import { type FleetStep, SaturationStand, fleetScript } from './saturation-stand.ts';

const SEEDS = 100;
const ENDPOINTS = 5;

/** `make` gives a new instance each time. */
export function saturationConformance(make: () => SaturationDetector): readonly ConformanceCase[] {
  return [
    {
      title: 'answers with numbers that make sense, and changes nothing by it',
      run: () => {
        eachScript((script) => checkPure(make, script));
      },
    },
    {
      title: 'answers the same again when the same happens again',
      run: () => {
        eachScript((script) => expectSameList(played(make(), script), played(make(), script), 'a second run'));
      },
    },
    {
      title: 'keeps what it remembers of each endpoint apart',
      run: () => {
        eachScript((script) => checkApart(make, script));
      },
    },
    {
      title: 'calls a pool full when, and only when, none of its endpoints has room, while endpoints come and go',
      run: () => {
        eachScript((script) => checkConserving(make(), script));
      },
    },
    {
      title: 'lets every endpoint take something again once it is idle',
      run: () => {
        eachScript((script) => checkRecovers(make(), script));
      },
    },
    {
      title: 'calls a pool without endpoints full',
      run: () => {
        const saturation = make().saturation([], 0);
        if (saturation !== 1) throw new Error(`a pool without endpoints has a saturation of ${saturation}`);
      },
    },
  ];
}

/** A pool that is looked at after every step is as full in the end as one that is only told. */
function checkPure(make: () => SaturationDetector, script: readonly FleetStep[]): void {
  const looked = new SaturationStand(make(), ENDPOINTS);
  for (const step of script) {
    looked.apply(step);
    expectSameList(looked.answers(), looked.answers(), 'asked again, it');
  }
  expectSameList(played(make(), script), looked.answers(), 'a pool that was looked at in between');
}

/** What happens at the others makes no difference to one: without metrics, and with. */
function checkApart(make: () => SaturationDetector, script: readonly FleetStep[]): void {
  for (const endpoint of [0, 1]) checkOneApart(make, script, endpoint);
}

function checkOneApart(make: () => SaturationDetector, script: readonly FleetStep[], endpoint: number): void {
  const together = new SaturationStand(make(), ENDPOINTS);
  const alone = new SaturationStand(make(), ENDPOINTS);
  for (const step of script) {
    together.apply(step);
    if (step.endpoint === endpoint) alone.apply(step);
    else alone.pass();
  }
  expectSameList(alone.answersOf(endpoint), together.answersOf(endpoint), 'an endpoint with neighbours');
}

function checkConserving(detector: SaturationDetector, script: readonly FleetStep[]): void {
  const stand = new SaturationStand(detector, ENDPOINTS);
  for (const step of script) {
    stand.apply(step);
    const saturation = stand.saturation();
    if (stand.present().length > 0 && stand.hasRoom() !== saturation < 1) {
      throw new Error(`a pool ${stand.hasRoom() ? 'with' : 'without'} room has a saturation of ${saturation}`);
    }
  }
}

function checkRecovers(detector: SaturationDetector, script: readonly FleetStep[]): void {
  const stand = new SaturationStand(detector, ENDPOINTS);
  for (const step of script) stand.apply(step);
  stand.quiesce();
  for (let endpoint = 0; endpoint < ENDPOINTS; endpoint += 1) {
    if (!stand.endpointHasRoom(endpoint)) throw new Error(`endpoint ${endpoint} is idle and takes nothing`);
  }
}

function played(detector: SaturationDetector, script: readonly FleetStep[]): number[] {
  const stand = new SaturationStand(detector, ENDPOINTS);
  for (const step of script) stand.apply(step);
  return stand.answers();
}

function eachScript(check: (script: readonly FleetStep[]) => void): void {
  eachSeed(SEEDS, (seed) => check(fleetScript({ seed, steps: 120, endpoints: ENDPOINTS })));
}
