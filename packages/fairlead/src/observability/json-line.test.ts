// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonLine } from './json-line.ts';

const line = new JsonLine();

test('every number reads as if it had been rounded to three decimals and written by the language itself', () => {
  const awkward = [0, -0, 0.0004, 0.0005, 0.9995, 1.0005, 1.005, 12.34567, 99.9999, 1e-9, -0.0004, -1.5, -17];
  const large = [9, 10, 999, 1000, 1001.5, 99_999.1, 100_000, 999_998.9994, 999_998.9995, 999_999, 1e6, 2 ** 53, 1e300];
  const many = Array.from({ length: 100_000 }, (_, index) => index * 0.0377 + index ** 2 / 7e4);
  for (const value of [...awkward, ...large, ...many]) {
    assert.equal(String(line.clear().number(value)), String(Math.round(value * 1000) / 1000), String(value));
  }
});

test('what is no number is null', () => {
  for (const value of [NaN, Infinity, -Infinity]) assert.equal(String(line.clear().number(value)), 'null');
});

test('text is escaped as JSON has it, and cut when it has no end', () => {
  for (const text of ['', 'llama-3.1', 'a"b\\c', 'line\nend\u0000\u007f', 'ü🚢', '\ud83d']) {
    assert.equal(String(line.clear().text(text)), JSON.stringify(text));
  }
  assert.equal(String(line.clear().text('x'.repeat(512))), `"${'x'.repeat(512)}"`);
  assert.equal(String(line.clear().text('x'.repeat(513))), `"${'x'.repeat(512)}…"`);
});

test('a line has room for whatever is added to it, and the next one begins anew', () => {
  line.clear();
  const piece = Buffer.from('[1,2]');
  const parts: string[] = [];
  for (let count = 0; count < 2_000; count += 1) {
    line
      .piece(piece)
      .number(count + 0.125)
      .text('\u0001'.repeat(9))
      .json('"ü"')
      .text('plain');
    parts.push(`[1,2]${count + 0.125}"${'\\u0001'.repeat(9)}""ü""plain"`);
  }
  const copy = Buffer.alloc(line.length + 1, '.');
  line.copyTo(copy, 1);
  assert.equal(copy.toString(), `.${parts.join('')}`);
  const next = new JsonLine().text('next');
  assert.equal(String(next.line(line)), `"next"${parts.join('')}`);
  assert.equal(String(line.clear().line(next.clear().number(7)).text('ü')), '7"ü"');
  assert.equal(line.length, 5);
});
