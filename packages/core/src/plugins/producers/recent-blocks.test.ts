// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { RecentBlocks, bucketOf } from './recent-blocks.ts';

/** The same in the plainest way: a list, the newest last. */
class PlainBlocks {
  capacity: number;
  keys: string[] = [];

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  trim(): void {
    this.keys = this.keys.slice(Math.max(0, this.keys.length - this.capacity));
  }

  matched(hashes: Uint32Array, count: number, seed: number): number {
    let matched = 0;
    while (matched < count && this.keys.includes(`${seed} ${hashes[matched]}`)) matched += 1;
    return matched;
  }

  use(hashes: Uint32Array, count: number, seed: number): void {
    for (const hash of [...hashes.subarray(0, Math.min(count, this.capacity))].reverse()) {
      const key = `${seed} ${hash}`;
      this.keys = [...this.keys.filter((known) => known !== key), key];
    }
    this.trim();
  }
}

/** Prompts that branch: hash i of each depends on the choices up to i, as chained hashes do. */
function promptOf(choices: readonly number[]): Uint32Array {
  let hash = 1;
  return Uint32Array.from(choices, (choice) => (hash = Math.imul(hash * 31 + choice + 1, 0x85ebca77) >>> 0));
}

const prompt = fc.array(fc.nat(2), { maxLength: 12 }).map(promptOf);
const step = fc.oneof(
  { weight: 9, arbitrary: fc.record({ prompt, seed: fc.constantFrom(7, 8) }) },
  { weight: 1, arbitrary: fc.record({ capacity: fc.integer({ min: 1, max: 40 }) }) },
);

test('what is remembered is what a list in order of use would hold', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.array(step, { maxLength: 60 }), (capacity, steps) => {
      const blocks = new RecentBlocks(capacity);
      const plain = new PlainBlocks(capacity);
      for (const each of steps) {
        if ('capacity' in each) {
          blocks.capacity = each.capacity;
          plain.capacity = each.capacity;
          plain.trim();
          continue;
        }
        const { prompt: hashes, seed } = each;
        assert.equal(blocks.matched(hashes, hashes.length, seed), plain.matched(hashes, hashes.length, seed));
        blocks.use(hashes, hashes.length, seed);
        plain.use(hashes, hashes.length, seed);
        assert.equal(blocks.size, plain.keys.length);
        assert.equal(blocks.matched(hashes, hashes.length, seed), Math.min(hashes.length, blocks.capacity));
      }
    }),
    { numRuns: 300 },
  );
});

test('of a prompt that is forgotten, the end goes first: a match never has a hole', () => {
  const blocks = new RecentBlocks(10);
  const [long, other] = [promptOf([0, 0, 0, 0, 0, 0, 0, 0]), promptOf([1, 1, 1, 1])];
  blocks.use(long, long.length, 0);
  blocks.use(other, other.length, 0);
  assert.equal(blocks.matched(long, long.length, 0), 6);
});

test('ten thousand prompts later it holds its capacity and no more', () => {
  const blocks = new RecentBlocks(1000);
  for (let count = 0; count < 10_000; count += 1) {
    const hashes = promptOf([count, 1, 2]);
    blocks.use(hashes, hashes.length, 0);
    assert.ok(blocks.size <= 1000);
  }
  assert.equal(blocks.size, 1000);
});

test('prompts that are chosen to fall into one bucket fall into many where the secret is another', () => {
  const buckets = 4096;
  const chosen: number[] = [];
  for (let key = 1; chosen.length < 256; key += 1) if ((bucketOf(key, 1) & (buckets - 1)) === 0) chosen.push(key);
  for (const secret of [0, 2, 0x12345678, 0xffffffff]) {
    const found = new Set(chosen.map((key) => bucketOf(key, secret) & (buckets - 1)));
    assert.ok(found.size > 200, `${found.size} buckets with ${secret}`);
  }
});
