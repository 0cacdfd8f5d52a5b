// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HeadCollector } from './head-collector.ts';

const HEAD = 'GET / HTTP/1.1\r\nhost: a\r\nx: \xe9\r\n\r\n';

describe('a head', () => {
  it('is found across any three cuts, with the place where it ends', () => {
    const bytes = Buffer.from(`${HEAD}body`, 'latin1');
    for (let first = 0; first <= HEAD.length; first += 1) {
      for (let second = first; second <= HEAD.length; second += 1) {
        const collector = new HeadCollector();
        const pieces = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
        const ends = pieces.map((piece) => (collector.text === '' ? collector.take(piece, 0, 100) : -1));
        const last = ends.findIndex((end) => end >= 0);
        const before = pieces.slice(0, last).reduce((sum, { length }) => sum + length, 0);
        assert.equal(before + ends[last]!, HEAD.length, `cut at ${first} and ${second}`);
        assert.equal(collector.text, HEAD.slice(0, -4));
        assert.equal(collector.bytes, 0);
      }
    }
  });

  it('that comes byte by byte is the same head, and its beginning can be looked at', () => {
    const collector = new HeadCollector();
    for (const [at, byte] of [...Buffer.from(HEAD, 'latin1')].entries()) {
      const isLast = at === HEAD.length - 1;
      assert.equal(collector.take(Buffer.from([byte]), 0, 100), isLast ? 1 : -1);
      if (!isLast)
        assert.deepEqual([collector.bytes, collector.beginning(9)], [at + 1, HEAD.slice(0, Math.min(9, at + 1))]);
    }
    assert.equal(collector.text, HEAD.slice(0, -4));
  });

  it('may be lent: what is kept of a piece does not change with its memory', () => {
    const collector = new HeadCollector();
    const lent = Buffer.from(HEAD, 'latin1');
    assert.equal(collector.take(lent.subarray(0, 20), 0, 100), -1);
    lent.fill(0, 0, 20);
    assert.equal(collector.take(lent, 20, 100), HEAD.length);
    assert.equal(collector.text, HEAD.slice(0, -4));
  });

  it('is refused when it is longer than it may be, whole or not, and not a byte before', () => {
    const bytes = Buffer.from(HEAD, 'latin1');
    const tooLarge = { kind: 'head-too-large', message: `the head is longer than ${HEAD.length - 1} bytes` };
    assert.equal(new HeadCollector().take(bytes, 0, HEAD.length), HEAD.length);
    assert.throws(() => new HeadCollector().take(bytes, 0, HEAD.length - 1), tooLarge);
    const collector = new HeadCollector();
    collector.take(bytes.subarray(0, 10), 0, HEAD.length - 1);
    assert.throws(() => collector.take(bytes, 10, HEAD.length - 1), tooLarge);
  });
});
