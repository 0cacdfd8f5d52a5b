// SPDX-License-Identifier: Apache-2.0

/**
 * What every usage limit policy has to keep, whatever it prefers. Run each case as a test of your own policy:
 *
 *     for (const { title, run } of usageLimitConformance(() => make())) test(title, run);
 */

import type { UsageLimitPolicy } from '../flow-control/policies.ts';
import { type ConformanceCase, eachSeed, expectSameList } from './conformance-case.ts';
import { seededRandom } from './seeded-random.ts';

interface Asked {
  readonly priorities: readonly number[];
  readonly saturation: number;
}

const SEEDS = 100;
/** Times that an idle pool is offered before a band counts as shut out. */
const CHANCES = 1000;

/** `make` gives a new instance each time. */
export function usageLimitConformance(make: () => UsageLimitPolicy): readonly ConformanceCase[] {
  return [
    {
      title: 'gives every band a ceiling of 0 or more, and changes nothing else',
      run: () => {
        eachSeed(SEEDS, (seed) => new Stand(make()).answers(questions(seed)));
      },
    },
    {
      title: 'gives the same again when the same is asked again',
      run: () => {
        eachSeed(SEEDS, (seed) => {
          expectSameList(
            new Stand(make()).answers(questions(seed)),
            new Stand(make()).answers(questions(seed)),
            'again, it',
          );
        });
      },
    },
    {
      title: 'keeps the state of each flow controller apart',
      run: () => {
        eachSeed(SEEDS, (seed) => checkApart(make, seed));
      },
    },
    {
      title: 'lets the highest band use a pool that is idle, at once',
      run: () => {
        eachSeed(SEEDS, (seed) => checkHighest(make(), seed));
      },
    },
    {
      title: 'shuts no band out of a pool that is idle, after bands have come and gone',
      run: () => {
        eachSeed(SEEDS, (seed) => checkNoStarvation(make(), seed));
      },
    },
  ];
}

/** One controller's view of the policy. */
class Stand {
  readonly #policy: UsageLimitPolicy;
  readonly #state: unknown;

  constructor(policy: UsageLimitPolicy) {
    this.#policy = policy;
    this.#state = policy.newState();
  }

  ceilings({ priorities, saturation }: Asked): number[] {
    // One more than there are bands, to see what is written beyond the last.
    const written = new Float64Array(priorities.length + 1).fill(1);
    const input = Object.freeze({ priorities: Object.freeze([...priorities]), saturation });
    this.#policy.ceilings(this.#state, input, written.subarray(0, priorities.length));
    const [beyond] = written.slice(-1);
    if (beyond !== 1) throw new Error('it wrote beyond the last band');
    const ceilings = [...written.subarray(0, -1)];
    ceilings.forEach((ceiling, index) => {
      if (!(ceiling >= 0)) throw new Error(`band ${priorities[index]} has a ceiling of ${ceiling}`);
    });
    return ceilings;
  }

  answers(asked: readonly Asked[]): number[] {
    return asked.flatMap((question) => this.ceilings(question));
  }
}

function checkApart(make: () => UsageLimitPolicy, seed: number): void {
  const policy = make();
  const one = new Stand(policy);
  const other = new Stand(policy);
  const others = questions(seed + SEEDS);
  const among = questions(seed).flatMap((question, index) => {
    other.answers(others.slice(index, index + 1));
    return one.ceilings(question);
  });
  expectSameList(new Stand(make()).answers(questions(seed)), among, 'a controller with a neighbour');
}

function checkHighest(policy: UsageLimitPolicy, seed: number): void {
  const stand = new Stand(policy);
  for (const question of questions(seed)) {
    stand.ceilings(question);
    const [highest = 0] = stand.ceilings({ ...question, saturation: 0 });
    if (highest === 0) throw new Error(`of bands ${question.priorities.join(', ')} the highest waits for an idle pool`);
  }
}

function checkNoStarvation(policy: UsageLimitPolicy, seed: number): void {
  const stand = new Stand(policy);
  const asked = questions(seed);
  stand.answers(asked);
  const { priorities } = asked.at(-1) as Asked;
  const shut = new Set(priorities);
  for (let chance = 0; chance < CHANCES && shut.size > 0; chance += 1) {
    stand.ceilings({ priorities, saturation: 0 }).forEach((ceiling, index) => {
      if (ceiling > 0) shut.delete(priorities[index] as number);
    });
  }
  if (shut.size > 0) throw new Error(`an idle pool was shut to the bands ${[...shut].join(', ')} for ${CHANCES} times`);
}

/** Bands come and go, and the pool fills and empties, by chance. */
function questions(seed: number): Asked[] {
  const random = seededRandom(seed);
  return Array.from({ length: 50 }, () => {
    const priorities = [100, 10, 3, 2, 1, 0, -1, -5].filter(() => random() < 0.5);
    const saturations = [0, random(), random(), 1, 1 + random()];
    const saturation = saturations[Math.floor(random() * saturations.length)] as number;
    return { priorities: priorities.length === 0 ? [0] : priorities, saturation };
  });
}
