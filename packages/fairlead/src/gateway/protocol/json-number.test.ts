// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { numberIn } from './json-number.ts';

test('a number is read as JSON.parse reads it', () => {
  const number = fc.oneof(fc.nat(), fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.maxSafeNat());
  const text = fc.oneof(
    number.map((value) => JSON.stringify(value)),
    fc.constantFrom('-0', '1E3', '2.50', '1e400', '0'),
  );
  fc.assert(
    fc.property(text, fc.nat(9), (written, before) => {
      const bytes = Buffer.from(`${'7'.repeat(before)}${written}7`);
      assert.equal(numberIn(bytes, before, before + written.length), JSON.parse(written));
    }),
    { numRuns: 1000 },
  );
});
