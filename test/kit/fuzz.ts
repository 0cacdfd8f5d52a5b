// SPDX-License-Identifier: Apache-2.0

/**
 * Bytes that nobody would send on purpose, for a fixed time and from a seed: `FAIRLEAD_FUZZ_MS` for each target (1 000),
 * `FAIRLEAD_FUZZ_SEED` (by default another each time). Each case has a seed of its own, which is in the message when it
 * fails: with it as `FAIRLEAD_FUZZ_SEED` that case is the first.
 */

import type { TestContext } from 'node:test';
import { seededRandom } from '@fairlead/core/testing';

const BUDGET_MS = Number(process.env['FAIRLEAD_FUZZ_MS'] ?? 1000);
const SEED = Number(process.env['FAIRLEAD_FUZZ_SEED'] ?? Date.now() % 1_000_000_000);

/** What a case draws from. */
export class Chance {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** A whole number below `end`. */
  below(end: number): number {
    return Math.floor(this.#random() * end);
  }

  oneOf<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** One of the samples, damaged a few times; `words` are what a damage may put in. */
  damaged(samples: readonly string[], words: readonly string[]): Buffer {
    let bytes: Buffer = Buffer.from(this.oneOf(samples), 'latin1');
    for (let count = this.below(5); count > 0; count -= 1) bytes = this.#damage(bytes, samples, words);
    return bytes;
  }

  /** The bytes in pieces. */
  cut(bytes: Buffer): Buffer[] {
    const places = Array.from({ length: this.below(6) }, () => this.below(bytes.length + 1)).sort((a, b) => a - b);
    return [...places, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : places[index - 1], end));
  }

  #damage(bytes: Buffer, samples: readonly string[], words: readonly string[]): Buffer {
    const at = this.below(bytes.length + 1);
    const to = Math.min(bytes.length, at + 1 + this.below(this.oneOf([2, 16, 200])));
    const [before, middle, behind] = [bytes.subarray(0, at), bytes.subarray(at, to), bytes.subarray(to)];
    const other = Buffer.from(this.oneOf(samples), 'latin1');
    const put = this.oneOf([
      Buffer.alloc(0),
      Buffer.from([this.below(256)]),
      Buffer.from(this.oneOf(words), 'latin1'),
      Buffer.concat([middle, middle]),
      Buffer.from(this.oneOf(words).repeat(1 + this.below(300)), 'latin1'),
      other.subarray(this.below(other.length + 1)),
    ]);
    return Buffer.concat(this.below(2) === 0 ? [before, put, behind] : [before, put, middle, behind]);
  }
}

/** Runs cases until the time is over; what a case throws names its seed. */
export async function fuzz(context: TestContext, one: (chance: Chance) => void | Promise<void>): Promise<void> {
  context.diagnostic(`FAIRLEAD_FUZZ_SEED=${SEED}`);
  const endMs = performance.now() + BUDGET_MS;
  let cases = 0;
  for (let seed = SEED; cases === 0 || performance.now() < endMs; seed += 1) {
    try {
      await one(new Chance(seed));
    } catch (error) {
      throw new Error(`FAIRLEAD_FUZZ_SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
    cases += 1;
  }
  context.diagnostic(`${cases} cases`);
}
