// SPDX-License-Identifier: Apache-2.0

/**
 * What every picker has to keep, whatever it prefers. Run each case as a test of your own picker:
 *
 *     for (const { title, run } of pickerConformance((random) => make(random))) test(title, run);
 */

import type { Random } from '../clock.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import type { Picker } from '../scheduling/contracts.ts';
import { type ConformanceCase, eachSeed, expectSameList } from './conformance-case.ts';
import { type Moment, playFleet, playUnchanged } from './scheduling-stand.ts';
import { seededRandom } from './seeded-random.ts';

const SEEDS = 25;
/** Picks among eight equals or fewer in which each has its turn: without one by chance in fewer than 1 of 10¹¹ runs. */
const PICKS = 200;

/** `make` gives a new instance each time, with these dice. */
export function pickerConformance(make: (random: Random) => Picker): readonly ConformanceCase[] {
  return [
    {
      title: 'picks at least one of the endpoints, none twice, and changes nothing, while endpoints come and go',
      run: () => {
        eachSeed(SEEDS, (seed) => playUnchanged(make(seededRandom(seed)), seed, checkPick));
      },
    },
    {
      title: 'picks the same again with the same dice',
      run: () => {
        eachSeed(SEEDS, (seed) => {
          expectSameList(picked(make(seededRandom(1)), seed), picked(make(seededRandom(1)), seed), 'a second run');
        });
      },
    },
    {
      title: 'remembers nothing of what it picked from before',
      run: () => {
        eachSeed(SEEDS, (seed) => checkForgets(make, seed));
      },
    },
    {
      title: 'picks whichever there is when no score is above 0, or only one endpoint is left',
      run: () => {
        eachSeed(SEEDS, (seed) => playFleet(make(seededRandom(seed)), seed, checkPoor));
      },
    },
    {
      title: 'leaves none of several equals idle for ever',
      run: () => {
        eachSeed(5, (seed) => playFleet(make(seededRandom(seed)), seed, checkNoStarvation));
      },
    },
  ];
}

function checkPick(picker: Picker, { endpoints, random }: Moment): void {
  pick(picker, endpoints, scoresByChance(endpoints, random));
}

function picked(picker: Picker, seed: number): string[] {
  const found: string[] = [];
  playFleet(picker, seed, (asked, { endpoints, random }) => {
    found.push(namesOf(pick(asked, endpoints, scoresByChance(endpoints, random))));
  });
  return found;
}

/** @throws Error when what it picks cannot be right, or it changed the scores. */
function pick(picker: Picker, endpoints: readonly Endpoint[], scores: Float64Array): readonly Endpoint[] {
  const before = [...scores];
  const chosen = picker.pick(endpoints, scores);
  if (before.some((score, index) => score !== scores[index])) throw new Error('it changed the scores');
  if (chosen.length === 0) throw new Error(`it picked none of ${endpoints.length} endpoints`);
  if (new Set(chosen).size < chosen.length) throw new Error('it picked an endpoint twice');
  const stranger = chosen.find((endpoint) => !endpoints.includes(endpoint));
  if (stranger !== undefined) throw new Error(`it picked ${stranger.name}, which it was not given`);
  return chosen;
}

/** One that has picked before picks as a new one does, with the same dice from here on. */
function checkForgets(make: (random: Random) => Picker, seed: number): void {
  let dice = seededRandom(seed);
  const old = make(() => dice());
  playFleet(old, seed, (asked, { endpoints, random }) => {
    const scores = scoresByChance(endpoints, random);
    const diceSeed = Math.floor(random() * 1e9);
    dice = seededRandom(diceSeed);
    const again = namesOf(asked.pick(endpoints, scores));
    expectSameList([namesOf(make(seededRandom(diceSeed)).pick(endpoints, scores))], [again], 'one that picked before');
  });
}

function checkPoor(picker: Picker, { endpoints }: Moment): void {
  pick(picker, endpoints, new Float64Array(endpoints.length));
  pick(picker, endpoints.slice(0, 1), Float64Array.of(0.5));
}

function checkNoStarvation(picker: Picker, { endpoints }: Moment): void {
  const idle = new Set(endpoints);
  for (let turn = 0; turn < PICKS && idle.size > 0; turn += 1) {
    const [first] = pick(picker, endpoints, new Float64Array(endpoints.length).fill(0.5));
    idle.delete(first as Endpoint);
  }
  if (idle.size > 0) throw new Error(`it never picked ${namesOf([...idle])} of ${endpoints.length} equals`);
}

/** Of no more than five values, so that some are equal. */
function scoresByChance(endpoints: readonly Endpoint[], random: Random): Float64Array {
  return Float64Array.from(endpoints, () => Math.floor(random() * 5) / 2);
}

function namesOf(endpoints: readonly Endpoint[]): string {
  return endpoints.map(({ name }) => name).join('+');
}
