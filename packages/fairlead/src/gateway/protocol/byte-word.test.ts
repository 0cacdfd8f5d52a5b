// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteWord } from './byte-word.ts';

/** Pieces that nearly make a word. */
const text = fc
  .array(
    fc.constantFrom('"usage"', '"usage', 'usage"', '"', '"u', '"us', 'a', 'ge"', '"meta_info"', '"meta_', 'a_', ' '),
  )
  .map((pieces) => pieces.join(''));

for (const word of ['"usage"', '"meta_info"', 'aa', 'abab']) {
  const sought = new ByteWord(word);

  test(`${word} is found where a search for text finds it`, () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: fc.constantFrom('a', 'b') })), fc.nat(30), (haystack, from) => {
        assert.equal(sought.indexIn(Buffer.from(haystack), from), haystack.indexOf(word, from));
      }),
      { numRuns: 1000 },
    );
  });

  test(`the beginning of ${word} at the end is the longest one`, () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: fc.constantFrom('a', 'b') })), (haystack) => {
        const at = sought.beginningIn(Buffer.from(haystack), 0);
        const lengths = Array.from({ length: word.length - 1 }, (_, index) => word.length - 1 - index);
        const longest = lengths.find((length) => haystack.endsWith(word.slice(0, length))) ?? 0;
        assert.equal(at, haystack.length - longest);
      }),
      { numRuns: 1000 },
    );
  });
}
