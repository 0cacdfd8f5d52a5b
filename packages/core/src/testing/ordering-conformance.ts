// SPDX-License-Identifier: Apache-2.0

/**
 * What every ordering policy has to keep, whatever it prefers. Run each case as a test of your own policy:
 *
 *     for (const { title, run } of orderingConformance(() => make())) test(title, run);
 */

import type { OrderingPolicy, Waiting } from '../flow-control/policies.ts';
import { type ConformanceCase, eachSeed, expectSameList } from './conformance-case.ts';
import { seededRandom } from './seeded-random.ts';

type Asked = Omit<Waiting, 'rank'>;

const SEEDS = 100;

/** `make` gives a new instance each time. */
export function orderingConformance(make: () => OrderingPolicy): readonly ConformanceCase[] {
  return [
    {
      title: 'ranks a request with a number, and changes nothing of it',
      run: () => {
        eachSeed(SEEDS, (seed) => ranks(make(), arrivals(seed)));
      },
    },
    {
      title: 'ranks the same again when the same is asked again',
      run: () => {
        eachSeed(SEEDS, (seed) =>
          expectSameList(ranks(make(), arrivals(seed)), ranks(make(), arrivals(seed)), 'again, it'),
        );
      },
    },
    {
      title: 'ranks a request alike whatever it was asked before: of other flows and bands, and in any order',
      run: () => {
        eachSeed(SEEDS, (seed) => checkApart(make, seed));
      },
    },
    {
      title: 'lets no request wait for ever: one that is the same but came later goes behind it',
      run: () => {
        eachSeed(SEEDS, (seed) => checkNoStarvation(make(), seed));
      },
    },
  ];
}

function ranks(policy: OrderingPolicy, asked: readonly Asked[]): number[] {
  return asked.map((waiting) => {
    const rank: unknown = policy.rank(waiting);
    if (typeof rank !== 'number') throw new Error(`a rank is ${String(rank)}, which is not a number`);
    return rank;
  });
}

/** Those of another seed are asked in between, and all of this one backwards. */
function checkApart(make: () => OrderingPolicy, seed: number): void {
  const own = arrivals(seed);
  const others = arrivals(seed + SEEDS);
  const policy = make();
  const among = own.map((waiting, index) => {
    ranks(policy, others.slice(index, index + 1));
    return policy.rank(waiting);
  });
  const alone = ranks(make(), own);
  expectSameList(alone, among, 'among others, it');
  expectSameList(alone, ranks(make(), own.toReversed()).toReversed(), 'asked backwards, it');
}

function checkNoStarvation(policy: OrderingPolicy, seed: number): void {
  for (const first of arrivals(seed)) {
    const rank = policy.rank(first);
    for (const laterMs of [1, 1000, 3_600_000]) {
      if (policy.rank(later(first, laterMs)) < rank) throw new Error(`one that came ${laterMs} ms later goes first`);
    }
  }
}

function later(waiting: Asked, byMs: number): Asked {
  const { request } = waiting;
  const deadlineMs = request.deadlineMs === undefined ? undefined : request.deadlineMs + byMs;
  return Object.freeze({
    request: Object.freeze({ ...request, receivedMs: request.receivedMs + byMs, deadlineMs }),
    enqueuedMs: waiting.enqueuedMs + byMs,
    expiresMs: waiting.expiresMs + byMs,
    sequence: waiting.sequence + byMs,
  });
}

/** Requests by chance, frozen, in order of arrival. */
function arrivals(seed: number): Asked[] {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const maybe = (value: number): number | undefined => (random() < 0.5 ? value : undefined);
  let nowMs = 0;
  return Array.from({ length: 20 }, (_, sequence): Asked => {
    nowMs += below(1000);
    const request = Object.freeze({
      ...{
        id: `request-${sequence}`,
        fairnessId: `flow-${below(4)}`,
        priority: below(3) - 1,
        model: 'm',
        targetModel: 'm',
      },
      ...{ sizeBytes: 1 + below(100_000), sequences: 1 + below(4), receivedMs: nowMs },
      ...{ inputTokens: maybe(below(30_000)), maxOutputTokens: maybe(1 + below(4000)), images: maybe(below(3)) },
      ...{ deadlineMs: maybe(nowMs + below(60_000)), ttftSloMs: maybe(below(5000)), flowWeight: maybe(1 + below(8)) },
    });
    const expiresMs = nowMs + (maybe(1 + below(30_000)) ?? Infinity);
    return Object.freeze({ request, enqueuedMs: nowMs, expiresMs, sequence });
  });
}
