// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SharedHeads } from './shared-heads.ts';

interface Read {
  readonly text: string;
  readonly lengthBytes: number | undefined;
}

const head = (key: string, length: string): string => `POST / HTTP/1.1\r\nx-key: ${key}\r\ncontent-length: ${length}`;

/** Heads, and the texts that were read of them. */
function heads() {
  const shared = new SharedHeads<Read>();
  const texts: string[] = [];
  const of = (text: string) =>
    shared.of(Buffer.from(`${text}\r\n\r\n`), text, () => {
      texts.push(text);
      return { text, lengthBytes: 7 };
    });
  return { shared, texts, of };
}

describe('heads of many connections', () => {
  it('are read once when they are equal but for the length, and say each its own length', () => {
    const { texts, of } = heads();
    const first = of(head('a', '7')).head;
    const again = of(head('a', '12'));
    assert.equal(again.head, first);
    assert.equal(again.lengthBytes, 12);
    assert.equal(texts.length, 1);
  });

  it('are never taken for others, also when nothing but a length tells them apart', () => {
    const { of } = heads();
    const two = (first: string, second: string): string => `${head('a', first)}\r\ncontent-length: ${second}`;
    const pairs = [head('a', '7'), head('b', '7'), 'GET / HTTP/1.1', two('7', '7'), two('7', '8'), head('a', '7x')];
    for (const text of [...pairs, ...pairs.toReversed()]) assert.equal(of(text).head.text, text);
  });

  it('are let go of when nobody asked between two sweeps, or so many others came', () => {
    const { shared, texts, of } = heads();
    of('a');
    shared.sweep();
    of('a');
    shared.sweep();
    shared.sweep();
    of('a');
    assert.deepEqual(texts, ['a', 'a']);
    for (let other = 0; other < 512; other += 1) of(`other ${other}`);
    of('a');
    assert.equal(texts.filter((text) => text === 'a').length, 3);
  });

  it('that cannot be read leave nothing behind', () => {
    const { shared, of } = heads();
    const fails = (): never => {
      throw new Error('unreadable');
    };
    assert.throws(() => shared.of(Buffer.from('a\r\n\r\n'), 'a', fails), /unreadable/);
    assert.equal(of('a').head.text, 'a');
  });
});
