// SPDX-License-Identifier: Apache-2.0

/**
 * What every filter has to keep, whatever it keeps. Run each case as a test of your own filter, giving it together with
 * the producers it asks, if any:
 *
 *     for (const { title, run } of filterConformance(() => make())) test(title, run);
 */

import type { Endpoint } from '../endpoints/endpoint.ts';
import type { InferenceRequest } from '../request/inference-request.ts';
import type { Filter } from '../scheduling/contracts.ts';
import { type ConformanceCase, eachSeed, expectSameList } from './conformance-case.ts';
import { type Made, type Moment, playFleet, playUnchanged, shuffledWith } from './scheduling-stand.ts';

const SEEDS = 25;

/** `make` gives new instances each time. */
export function filterConformance(make: () => Made<Filter>): readonly ConformanceCase[] {
  return [
    {
      title: 'keeps endpoints that it is given, none of them twice, and changes nothing, while endpoints come and go',
      run: () => {
        eachSeed(SEEDS, (seed) =>
          playUnchanged(make(), seed, (filter, { request, endpoints }) => kept(filter, request, endpoints)),
        );
      },
    },
    {
      title: 'keeps the same again when the same happens again',
      run: () => {
        eachSeed(SEEDS, (seed) => expectSameList(names(make(), seed), names(make(), seed), 'a second run'));
      },
    },
    {
      title: 'keeps the same whatever else it is asked in between',
      run: () => {
        eachSeed(SEEDS, (seed) => expectSameList(names(make(), seed), names(make(), seed, true), 'asked more, it'));
      },
    },
    {
      title: 'keeps the same in whichever order the endpoints come',
      run: () => {
        eachSeed(SEEDS, (seed) => playFleet(make(), seed, checkOrder));
      },
    },
    {
      title: 'keeps none of none',
      run: () => {
        eachSeed(1, (seed) =>
          playFleet(make(), seed, (filter, { request }) => {
            if (filter.filter(request, []).length > 0) throw new Error('it kept something of nothing');
          }),
        );
      },
    },
  ];
}

/** What it keeps for each request, by name. */
function names(made: Made<Filter>, seed: number, asksMore = false): string[] {
  const found: string[] = [];
  let last: InferenceRequest | undefined;
  playFleet(made, seed, (filter, { request, endpoints }) => {
    if (asksMore) for (const asked of [last ?? request, request]) kept(filter, asked, endpoints.slice(1));
    last = request;
    found.push(
      kept(filter, request, endpoints)
        .map(({ name }) => name)
        .join('+'),
    );
  });
  return found;
}

/** @throws Error when what it keeps cannot be right. */
function kept(filter: Filter, request: InferenceRequest, endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const result = filter.filter(request, endpoints);
  if (new Set(result).size < result.length) throw new Error('it kept an endpoint twice');
  const stranger = result.find((endpoint) => !endpoints.includes(endpoint));
  if (stranger !== undefined) throw new Error(`it kept ${stranger.name}, which it was not given`);
  return result;
}

function checkOrder(filter: Filter, { request, endpoints, random }: Moment): void {
  const sorted = (kept: readonly Endpoint[]): string[] => kept.map(({ name }) => name).sort();
  const moved = Object.freeze(shuffledWith(endpoints, random));
  expectSameList(
    sorted(filter.filter(request, endpoints)),
    sorted(filter.filter(request, moved)),
    'given another order, it',
  );
}
