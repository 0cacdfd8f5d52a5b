// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { PromptHasher, textSeed } from './prompt-prefix.ts';

function hashesOf(chunks: readonly Uint8Array[], blockBytes = 16, salt?: Uint8Array): number[] {
  const hasher = new PromptHasher({ blockBytes, maxBlocks: 1000, expectedBytes: 0 });
  if (salt !== undefined) hasher.salt(salt);
  for (const chunk of chunks) hasher.update(chunk);
  return [...hasher.finish().hashes];
}

const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const someBytes = fc.uint8Array({ maxLength: 400 });
const wholeWords = fc.integer({ min: 1, max: 20 }).map((words) => words * 4);

test('a prompt has the same hashes however it was cut into chunks', () => {
  const cuts = fc.array(fc.nat(400), { maxLength: 6 });
  fc.assert(
    fc.property(someBytes, cuts, wholeWords, (bytes, places, blockBytes) => {
      const sorted = [0, ...places.toSorted((a, b) => a - b), bytes.length];
      const chunks = sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
      assert.deepEqual(hashesOf(chunks, blockBytes), hashesOf([bytes], blockBytes));
    }),
  );
});

test('two prompts share as many hashes as they share whole blocks from the start, and none after', () => {
  fc.assert(
    fc.property(someBytes, fc.nat(399), wholeWords, (bytes, place, blockBytes) => {
      fc.pre(place < bytes.length);
      const other = bytes.slice();
      other[place] = (other[place] as number) ^ 0x5a;
      const [one, two] = [hashesOf([bytes], blockBytes), hashesOf([other], blockBytes)];
      const shared = Math.min(one.length, Math.floor(place / blockBytes));
      assert.deepEqual(one.slice(0, shared), two.slice(0, shared));
      for (let index = shared; index < one.length; index += 1) assert.notEqual(one[index], two[index]);
    }),
  );
});

test('a last part shorter than a block has no hash, and no more blocks are hashed than wanted', () => {
  assert.equal(hashesOf([text('fifteen letters')]).length, 0);
  assert.equal(hashesOf([text('sixteen letters!')]).length, 1);
  const hasher = new PromptHasher({ blockBytes: 4, maxBlocks: 3, expectedBytes: 100 });
  assert.equal(hasher.isFull, false);
  hasher.update(text('one two three four'));
  assert.equal(hasher.isFull, true);
  hasher.update(text('five'));
  assert.equal(hasher.finish().hashes.length, 3);
});

test('a salt changes every hash, and each salt in another way', () => {
  const prompt = [text('the same thirty-two letters here')];
  const salted = ['', 'a', 'b', 'a\0', 'abcd'].map((salt) => hashesOf(prompt, 16, text(salt)).join());
  assert.equal(new Set([...salted, hashesOf(prompt).join()]).size, 6);
});

test('blocks of parts of words are refused', () => {
  for (const blockBytes of [0, 6, -4, NaN]) {
    assert.throws(
      () => new PromptHasher({ blockBytes, maxBlocks: 1, expectedBytes: 0 }),
      /positive multiple of 4, got/,
    );
  }
});

test('hashes of counted texts do not meet: 32 bits of spread', () => {
  const seen = new Set<number>();
  for (let count = 0; count < 20_000; count += 1)
    seen.add(hashesOf([text(`prompt number ${count}`.padEnd(64))], 64)[0]!);
  // Of 20 000 random numbers of 32 bits 0.05 pairs are equal on average.
  assert.ok(seen.size >= 19_998, String(seen.size));
  assert.notEqual(textSeed('model-a'), textSeed('model-b'));
});
