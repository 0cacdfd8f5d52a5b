// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteTexts } from './byte-texts.ts';

test('a literal means what JSON.parse says, however often it comes and whatever came before it', () => {
  const texts = new ByteTexts();
  const literal = fc.string({ unit: 'binary', maxLength: 12 }).map((text) => JSON.stringify(text));
  fc.assert(
    fc.property(fc.array(literal, { minLength: 1, maxLength: 600 }), fc.nat(9), (literals, before) => {
      for (const each of [...literals, ...literals]) {
        const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(each), Buffer.from('"')]);
        assert.equal(texts.of(bytes, before, bytes.length - 1), JSON.parse(each));
      }
    }),
    { numRuns: 50 },
  );
});

test('what was read stays read when its memory is used for something else', () => {
  const texts = new ByteTexts();
  const bytes = Buffer.from('"one"');
  assert.equal(texts.of(bytes, 0, 5), 'one');
  bytes.write('"two"');
  assert.equal(texts.of(bytes, 0, 5), 'two');
  assert.equal(texts.of(Buffer.from('"one"'), 0, 5), 'one');
});

test('literals of every length are read', () => {
  const texts = new ByteTexts();
  for (let length = 0; length < 200; length += 1) {
    const literal = Buffer.from(`"${'é'.repeat(length)}"`);
    for (let times = 0; times < 2; times += 1) assert.equal(texts.of(literal, 0, literal.length).length, length);
  }
});
