// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { headerLines, isForbidden } from './header-lines.ts';

const FIRST = 'GET / HTTP/1.1';

describe('header lines', () => {
  it('are names and values in turn, spelled as they came and without blanks around values', () => {
    assert.deepEqual(headerLines(FIRST), []);
    assert.deepEqual(headerLines(`${FIRST}\r\nHost:a\r\nx-empty: \t\r\nX-Colon: \ta:b c \t`), [
      ...['Host', 'a'],
      ...['x-empty', ''],
      ...['X-Colon', 'a:b c'],
    ]);
  });

  it('may be nothing but blanks, or nothing but colons', () => {
    const blanks = `${' '.repeat(30_000)}x${' '.repeat(30_000)}`;
    assert.deepEqual(headerLines(`${FIRST}\r\na:${blanks}`), ['a', 'x']);
    assert.equal(headerLines(FIRST + '\r\n:'.repeat(30_000)).length, 60_000);
  });

  it('that are none are refused by their place, without a byte of them', () => {
    assert.throws(() => headerLines(`${FIRST}\r\na: b\r\nsecret`), { message: 'line 3 of the head is no header' });
    for (const bad of ['a: b\nc: d', 'a: b\rc', 'a: \0', 'a: \x7f', 'a: b\r\n\nc: d']) {
      assert.throws(() => headerLines(`${FIRST}\r\n${bad}`), { message: 'the head holds a byte that none may hold' });
    }
  });

  it('cut anywhere hold nothing forbidden, and what is forbidden is seen in a piece that holds it', () => {
    const head = `${FIRST}\r\na: b\r\n`;
    for (let from = 0; from < head.length; from += 1) {
      for (let to = from; to <= head.length; to += 1) {
        if (head[from] !== '\n' || from === to) assert.equal(isForbidden(head.slice(from, to)), false);
      }
    }
    for (const bad of ['a\0', 'a\rb', 'a\nb']) assert.equal(isForbidden(bad), true, JSON.stringify(bad));
  });
});
