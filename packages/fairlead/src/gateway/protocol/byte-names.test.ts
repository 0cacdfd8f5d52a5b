// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteNames } from './byte-names.ts';

const names = ['model', 'modem', 'n', 'stream', 'suffix', 'system', 'stream_options', 'x'.repeat(31)];
const known = new ByteNames(names);

test('a name is found wherever it lies among other bytes', () => {
  for (const [index, name] of names.entries()) {
    const bytes = Buffer.from(`{"${name}":1}`);
    assert.equal(known.indexIn(bytes, 2, 2 + name.length), index);
    assert.equal(known.indexIn(bytes, 1, 2 + name.length), -1);
    assert.equal(known.indexIn(bytes, 2, 1 + name.length), -1);
  }
});

test('whatever is no name is none, even when it is nearly one', () => {
  const nearly = fc
    .tuple(fc.constantFrom(...names), fc.nat(), fc.integer({ min: 0, max: 255 }))
    .map(([name, at, byte]) => Buffer.from(name).fill(byte, at % name.length, (at % name.length) + 1));
  const anything = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(nearly, anything), (bytes) => {
      assert.equal(known.indexIn(bytes, 0, bytes.length), names.indexOf(bytes.toString('latin1')));
    }),
    { numRuns: 500 },
  );
});
