// SPDX-License-Identifier: Apache-2.0

/**
 * What every scorer has to keep, whatever it prefers. Run each case as a test of your own scorer, giving it together with
 * the producers it asks, if any:
 *
 *     for (const { title, run } of scorerConformance(() => make())) test(title, run);
 */

import type { Endpoint } from '../endpoints/endpoint.ts';
import type { InferenceRequest } from '../request/inference-request.ts';
import type { Scorer } from '../scheduling/contracts.ts';
import { type ConformanceCase, eachSeed, expectSameList } from './conformance-case.ts';
import { type Made, type Moment, playFleet, playUnchanged, shuffledWith } from './scheduling-stand.ts';

const SEEDS = 25;

/** `make` gives new instances each time. */
export function scorerConformance(make: () => Made<Scorer>): readonly ConformanceCase[] {
  return [
    {
      title: 'gives every endpoint a score from 0 to 1, and changes nothing else, while endpoints come and go',
      run: () => {
        eachSeed(SEEDS, (seed) =>
          playUnchanged(make(), seed, (scorer, { request, endpoints }) => scored(scorer, request, endpoints)),
        );
      },
    },
    {
      title: 'gives the same scores again when the same happens again',
      run: () => {
        eachSeed(SEEDS, (seed) => expectSameList(scores(make(), seed), scores(make(), seed), 'a second run'));
      },
    },
    {
      title: 'gives the same scores whatever else it is asked in between',
      run: () => {
        eachSeed(SEEDS, (seed) => expectSameList(scores(make(), seed), scores(make(), seed, true), 'asked more, it'));
      },
    },
    {
      title: 'gives an endpoint the same score wherever in the list it stands',
      run: () => {
        eachSeed(SEEDS, (seed) => playFleet(make(), seed, checkOrder));
      },
    },
  ];
}

function scores(made: Made<Scorer>, seed: number, asksMore = false): number[] {
  const found: number[] = [];
  let last: InferenceRequest | undefined;
  playFleet(made, seed, (scorer, { request, endpoints }) => {
    if (asksMore) for (const asked of [last ?? request, request]) scored(scorer, asked, endpoints.slice(1));
    last = request;
    found.push(...scored(scorer, request, endpoints));
  });
  return found;
}

/** Stands behind the last score; no scorer writes it. */
const END = -7;

/** @throws Error when the scores cannot be right. */
function scored(scorer: Scorer, request: InferenceRequest, endpoints: readonly Endpoint[]): number[] {
  const written = new Float64Array(endpoints.length + 1);
  written[endpoints.length] = END;
  scorer.score(request, endpoints, written.subarray(0, endpoints.length));
  if (written[endpoints.length] !== END) throw new Error('it wrote beyond the last endpoint');
  const result = [...written.subarray(0, endpoints.length)];
  result.forEach((score, index) => {
    if (!(score >= 0 && score <= 1)) throw new Error(`it gave ${endpoints[index]?.name} a score of ${score}`);
  });
  return result;
}

function checkOrder(scorer: Scorer, { request, endpoints, random }: Moment): void {
  const inOrder = scored(scorer, request, endpoints);
  const moved = Object.freeze(shuffledWith(endpoints, random));
  const inAnother = scored(scorer, request, moved);
  const back = endpoints.map((endpoint) => inAnother[moved.indexOf(endpoint)]);
  expectSameList(inOrder, back, 'given another order, it');
}
