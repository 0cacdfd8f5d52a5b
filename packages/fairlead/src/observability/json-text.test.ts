// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonNumber, jsonText } from './json-text.ts';

test('every number reads as if it had been rounded to three decimals and written by the language itself', () => {
  const awkward = [0, -0, 0.0004, 0.0005, 0.9995, 1.005, 12.34567, 99.9999, 1e-9, -0.0004, -1.5, -17, 2147483.6474];
  const large = [
    2147483.647,
    2147483.6476,
    2147483.648,
    2 ** 31,
    2 ** 31 - 1,
    -(2 ** 31),
    2 ** 40 + 0.125,
    1e21,
    1e300,
  ];
  const many = Array.from({ length: 100_000 }, (_, index) => index * 0.0377 + index ** 2 / 7e4);
  for (const value of [...awkward, ...large, ...many]) {
    assert.equal(jsonNumber(value), String(Math.round(value * 1000) / 1000), String(value));
  }
});

test('what is no number is null', () => {
  assert.deepEqual([NaN, Infinity, -Infinity].map(jsonNumber), ['null', 'null', 'null']);
});

test('text is escaped as JSON has it, and cut when it has no end', () => {
  for (const text of ['', 'llama-3.1', 'a"b\\c', 'line\nend\u0000\u007f', 'ü🚢', '\ud83d']) {
    assert.equal(jsonText(text), JSON.stringify(text));
  }
  assert.equal(jsonText('x'.repeat(512)), `"${'x'.repeat(512)}"`);
  assert.equal(jsonText('x'.repeat(513)), `"${'x'.repeat(512)}…"`);
});
