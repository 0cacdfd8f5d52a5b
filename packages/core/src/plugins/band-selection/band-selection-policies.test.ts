// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import type { BandSelectionPolicy } from '../../flow-control/policies.ts';
import { PluginError } from '../../plugin-registry/plugin.ts';
import { bandSelectionConformance } from '../../testing/band-selection-conformance.ts';
import { BandSelectionStand } from '../../testing/band-selection-stand.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { seededRandom } from '../../testing/seeded-random.ts';
import { minShareBandSelectionPolicy } from './min-share-band-selection-policy.ts';
import { strictBandSelectionPolicy } from './strict-band-selection-policy.ts';
import { weightedBandSelectionPolicy } from './weighted-band-selection-policy.ts';

/** The bands of a test, highest first. */
const HIGH = 0;
const MIDDLE = 1;
const LOW = 2;
const PRIORITIES = [10, 0, -10];

function minShare(shares: readonly number[], defaultShare = 0): BandSelectionPolicy {
  const parameters = { shares: shares.map((share, band) => ({ priority: PRIORITIES[band], share })), defaultShare };
  return instanceOf(minShareBandSelectionPolicy, { parameters });
}

function weighted(weights: readonly number[]): BandSelectionPolicy {
  const parameters = { weights: weights.map((weight, band) => ({ priority: PRIORITIES[band], weight })) };
  return instanceOf(weightedBandSelectionPolicy, { parameters });
}

/** Cost served by band. */
class Books {
  readonly stand: BandSelectionStand;
  readonly served = PRIORITIES.map(() => 0);

  constructor(policy: BandSelectionPolicy, ...ready: readonly number[]) {
    this.stand = new BandSelectionStand(policy, PRIORITIES);
    for (const band of ready) this.stand.apply({ act: 'ready', band });
  }

  serve(costOf: (band: number) => number): number {
    const band = PRIORITIES.indexOf(this.stand.pick() as number);
    const cost = costOf(band);
    this.stand.apply({ act: 'serve', cost });
    this.served[band]! += cost;
    return band;
  }

  /** Shares of what was served, since the last call. */
  shares(): number[] {
    const total = this.served.reduce((sum, cost) => sum + cost, 0);
    return this.served.splice(0, 3, 0, 0, 0).map((cost) => cost / total);
  }
}

function near(actual: readonly number[], expected: readonly number[], within = 0.01): void {
  actual.forEach((share, band) => {
    assert.ok(Math.abs(share - (expected[band] as number)) <= within, `${actual.join()} should be ${expected.join()}`);
  });
}

const conforming: readonly (readonly [string, () => BandSelectionPolicy, ((bands: number) => number) | undefined])[] = [
  ['strict', () => instanceOf(strictBandSelectionPolicy), undefined],
  ['weighted', () => instanceOf(weightedBandSelectionPolicy), (bands) => 2 * bands],
  // Each of five others may be served once before it, and is owed 0.05 at most.
  ['min-share', () => instanceOf(minShareBandSelectionPolicy), (bands) => 20 + bands],
];
for (const [name, make, servedWithin] of conforming) {
  for (const { title, run } of bandSelectionConformance(make, { servedWithin })) test(`${name} ${title}`, run);
}

describe('min-share-band-selection-policy', () => {
  it('gives the lowest band its minimum under a flood of the highest, and the rest by priority', () => {
    const books = new Books(minShare([0, 0.2, 0.05]), HIGH, MIDDLE, LOW);
    for (let count = 0; count < 10_000; count += 1) books.serve(() => 1);
    near(books.shares(), [0.75, 0.2, 0.05], 0.001);
  });

  it('lends what a band does not use to the highest, and takes it back with its next request', () => {
    const books = new Books(minShare([0, 0.2, 0.05]), HIGH, LOW);
    for (let count = 0; count < 10_000; count += 1) books.serve(() => 1);
    near(books.shares(), [0.95, 0, 0.05], 0.001);
    books.stand.apply({ act: 'ready', band: MIDDLE });
    assert.equal(
      books.serve(() => 1),
      MIDDLE,
    );
    for (let count = 0; count < 10_000; count += 1) books.serve(() => 1);
    near(books.shares(), [0.75, 0.2, 0.05], 0.001);
  });

  it('lets a band that had everything while nobody else wanted it have its share as before', () => {
    const books = new Books(minShare([0, 0, 0.1]), LOW);
    for (let count = 0; count < 100_000; count += 1) books.serve(() => 7);
    books.shares();
    books.stand.apply({ act: 'ready', band: HIGH });
    for (let count = 0; count < 200; count += 1) books.serve(() => 7);
    near(books.shares(), [0.9, 0, 0.1]);
  });

  it('owes a band nothing for the time it was away', () => {
    const books = new Books(minShare([0, 0, 0.1]), HIGH, LOW);
    for (let count = 0; count < 100; count += 1) books.serve(() => 1);
    books.stand.apply({ act: 'unready', band: LOW });
    for (let count = 0; count < 100_000; count += 1) books.serve(() => 1);
    books.stand.apply({ act: 'ready', band: LOW });
    books.shares();
    for (let count = 0; count < 100; count += 1) books.serve(() => 1);
    near(books.shares(), [0.9, 0, 0.1]);
  });

  it('keeps of what a band without room has missed no more than its share of a thousand dispatches', () => {
    const books = new Books(minShare([0, 0, 0.1]), HIGH, LOW);
    for (let count = 0; count < 20_000; count += 1) {
      if (books.stand.pick() === PRIORITIES[LOW]) books.stand.apply({ act: 'pass' });
      books.serve(() => 1);
      books.stand.apply({ act: 'turn' });
    }
    assert.equal(books.served[LOW], 0);
    for (let count = 0; count < 1_000; count += 1) books.serve(() => 1);
    assert.ok(books.served[LOW] >= 190 && books.served[LOW] <= 220, `${books.served[LOW]}`);
  });

  it('counts what requests really cost, and not what was thought', () => {
    const stand = new BandSelectionStand(minShare([0, 0, 0.2]), PRIORITIES);
    for (const band of [HIGH, LOW]) stand.apply({ act: 'ready', band });
    const real = [0, 0, 0];
    const flying: number[] = [];
    for (let count = 0; count < 20_000; count += 1) {
      const band = stand.apply({ act: 'serve', cost: 10 }) as number;
      flying.push(band);
      if (flying.length < 16) continue;
      // What the low band sends is three times what was thought, what the high one sends half.
      const ended = flying.shift() as number;
      const times = ended === LOW ? 3 : 0.5;
      stand.apply({ act: 'settle', times });
      real[ended]! += 10 * times;
    }
    const share = real[LOW]! / (real[LOW]! + real[HIGH]!);
    assert.ok(Math.abs(share - 0.2) <= 0.01, `${share}`);
  });

  it('shrinks all shares in proportion when they are more than 1 together', () => {
    const books = new Books(
      instanceOf(minShareBandSelectionPolicy, { parameters: { defaultShare: 0.5 } }),
      HIGH,
      MIDDLE,
      LOW,
    );
    near(
      PRIORITIES.map((_, band) => books.stand.shareOf(band) ?? 0),
      [1 / 3, 1 / 3, 1 / 3],
      1e-9,
    );
    for (let count = 0; count < 3_000; count += 1) books.serve(() => 1);
    near(books.shares(), [1 / 3, 1 / 3, 1 / 3]);
  });

  it('keeps its bounds over every interval, whatever requests cost', () => {
    fc.assert(
      fc.property(
        fc.tuple(fc.double({ min: 0, max: 0.6, noNaN: true }), fc.double({ min: 0.01, max: 0.4, noNaN: true })),
        fc.array(fc.constantFrom(1, 5, 100, 1_000), { minLength: 3, maxLength: 3 }),
        fc.record({ floods: fc.constantFrom(1, 0.99, 0.5), seed: fc.nat(1_000_000) }),
        ([middle, low], largest, { floods, seed }) => {
          const shares = [0, middle, low];
          const books = new Books(minShare(shares), MIDDLE, LOW);
          const random = seededRandom(seed);
          const most = [0, 0, 0];
          const least = [0, 0, 0];
          for (let count = 0; count < 2_000; count += 1) {
            books.stand.apply({ act: random() < floods ? 'ready' : 'unready', band: HIGH });
            books.serve((band) => 1 + Math.floor(random() * largest[band]!));
            const total = books.served.reduce((sum, cost) => sum + cost, 0);
            for (const band of [MIDDLE, LOW]) {
              const share = shares[band] as number;
              const others = largest.reduce((sum, cost, at) => sum + (at === band ? 0 : cost), 0);
              const bound = largest[band]! + share * 2 * others;
              // How far it is ahead of its share, and has been at most and at least.
              const ahead = books.served[band]! - share * total;
              most[band] = Math.max(most[band]!, ahead);
              least[band] = Math.min(least[band]!, ahead);
              assert.ok(most[band] - ahead <= bound, `band ${PRIORITIES[band]} lags by ${most[band] - ahead}`);
              if (floods === 1 && share > 0)
                assert.ok(ahead - least[band] <= bound, `it has ${ahead - least[band]} too much`);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('refuses shares that are more than 1 together, and a band that is named twice', () => {
    assert.throws(
      () => minShare([0.5, 0.4, 0.2]),
      (error) => error instanceof PluginError && /shares are 1\.1 together; allowed is at most 1/.test(error.message),
    );
    assert.doesNotThrow(() => minShare([0.7, 0.2, 0.1]));
    const twice = [
      { priority: 1, share: 0.1 },
      { priority: 1, share: 0.2 },
    ];
    assert.throws(
      () => instanceOf(minShareBandSelectionPolicy, { parameters: { shares: twice } }),
      /shares\[1\]\.priority: 1 is named twice/,
    );
  });
});

describe('weighted-band-selection-policy', () => {
  it('shares by weight among the bands that have something to send', () => {
    const books = new Books(weighted([8, 3, 1]), HIGH, MIDDLE, LOW);
    for (let count = 0; count < 12_000; count += 1) books.serve(() => 1);
    near(books.shares(), [8 / 12, 3 / 12, 1 / 12], 0.001);
    near(
      PRIORITIES.map((_, band) => books.stand.shareOf(band) ?? 0),
      [8 / 12, 3 / 12, 1 / 12],
      1e-9,
    );
    books.stand.apply({ act: 'unready', band: HIGH });
    for (let count = 0; count < 4_000; count += 1) books.serve(() => 1);
    near(books.shares(), [0, 3 / 4, 1 / 4], 0.001);
    books.stand.apply({ act: 'ready', band: HIGH });
    for (let count = 0; count < 1_200; count += 1) books.serve(() => 1);
    near(books.shares(), [8 / 12, 3 / 12, 1 / 12]);
  });

  it('keeps any two bands within its bound over every interval in which both stay', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(0.5, 1, 3, 10), { minLength: 3, maxLength: 3 }),
        fc.array(fc.constantFrom(1, 5, 100, 1_000), { minLength: 3, maxLength: 3 }),
        fc.nat(1_000_000),
        (weights, largest, seed) => {
          const books = new Books(weighted(weights), MIDDLE, LOW);
          const random = seededRandom(seed);
          const span = { most: 0, least: 0 };
          const bound = largest[MIDDLE]! / weights[MIDDLE]! + largest[LOW]! / weights[LOW]!;
          for (let count = 0; count < 2_000; count += 1) {
            books.stand.apply({ act: random() < 0.8 ? 'ready' : 'unready', band: HIGH });
            books.serve((band) => 1 + Math.floor(random() * largest[band]!));
            const lag = books.served[MIDDLE]! / weights[MIDDLE]! - books.served[LOW]! / weights[LOW]!;
            span.most = Math.max(span.most, lag);
            span.least = Math.min(span.least, lag);
            assert.ok(span.most - span.least <= bound + 1e-6, `${span.most - span.least} is more than ${bound}`);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('keeps of what a band without room has missed no more than its share of a thousand dispatches', () => {
    const books = new Books(weighted([9, 1, 1]), HIGH, LOW);
    for (let count = 0; count < 20_000; count += 1) {
      if (books.stand.pick() === PRIORITIES[LOW]) books.stand.apply({ act: 'pass' });
      books.serve(() => 1);
      books.stand.apply({ act: 'turn' });
    }
    assert.equal(books.served[LOW], 0);
    for (let count = 0; count < 1_000; count += 1) books.serve(() => 1);
    assert.ok(books.served[LOW] >= 180 && books.served[LOW] <= 220, `${books.served[LOW]}`);
  });

  it('refuses a band that is named twice', () => {
    const twice = [
      { priority: 1, weight: 1 },
      { priority: 1, weight: 2 },
    ];
    assert.throws(
      () => instanceOf(weightedBandSelectionPolicy, { parameters: { weights: twice } }),
      /weights\[1\]\.priority: 1 is named twice/,
    );
  });
});
