// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { KeptHead, RepeatedHeads } from './repeated-heads.ts';

const head = (length: string): string => `POST / HTTP/1.1\r\nhost: a\r\nContent-Length: ${length}\r\nx-last: 1\r\n\r\n`;

/** Heads of which this one is kept. */
function keeping(text: string): RepeatedHeads<string> {
  const repeated = new RepeatedHeads<string>(1);
  keep(repeated, text, 7);
  return repeated;
}

/** Keeps it if it is worth that. */
function keep(heads: RepeatedHeads<string>, text: string, lengthBytes?: number): boolean {
  const bytes = Buffer.from(text);
  if (!heads.isWorthKeeping(bytes)) return false;
  heads.keep(new KeptHead(bytes, text, lengthBytes));
  return true;
}

describe('a head that comes again', () => {
  it('is found wherever it begins, and with another length of the body', () => {
    const kept = keeping(head('7'));
    for (const length of ['7', '0', '0012', '999999999999999']) {
      const chunk = Buffer.from(`ab${head(length)}body`);
      assert.equal(kept.find(chunk, 2), chunk.length - 4);
      assert.equal(kept.lengthBytes, Number(length));
      assert.equal(kept.head, head('7'));
    }
  });

  it('without a length is found when it is the same, with what was made of it', () => {
    const text = 'POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n';
    const kept = new RepeatedHeads<string>(1);
    keep(kept, text);
    assert.equal(kept.find(Buffer.from(`${text}0\r\n\r\n`), 0), text.length);
    assert.equal(kept.lengthBytes, undefined);
  });

  it('is not found when a byte of it differs, is missing, or the length is none', () => {
    const text = head('7');
    const kept = keeping(text);
    for (let at = 0; at < text.length; at += 1) {
      const other = Buffer.from(text);
      other[at] = 0xff;
      assert.equal(kept.find(other, 0), -1, `another byte at ${at}`);
      assert.equal(kept.find(Buffer.from(text).subarray(0, at), 0), -1, `cut at ${at}`);
    }
    for (const length of ['', '-1', '+1', '1 2', '1, 1', '0x1', '1'.repeat(16)]) {
      assert.equal(kept.find(Buffer.from(head(length)), 0), -1, length);
    }
  });

  it('is never found in anything but itself, whatever else is put in its place', () => {
    const text = head('7');
    const kept = keeping(text);
    fc.assert(
      fc.property(fc.nat(text.length), fc.nat(text.length), fc.string({ unit: 'binary' }), (from, to, piece) => {
        const other = text.slice(0, from) + piece + text.slice(to);
        const isSame =
          /^\d{1,15}$/.test(/Content-Length: (.*)\r\nx/.exec(other)?.[1] ?? '') &&
          head('7') === other.replace(/(?<=Length: )\d+/, '7');
        if (kept.find(Buffer.from(other, 'latin1'), 0) >= 0) assert.ok(isSame || other.startsWith(text), other);
      }),
    );
  });

  it('is forgotten when asked, and not kept when it is long', () => {
    const kept = keeping(head('7'));
    kept.forget();
    assert.equal(kept.find(Buffer.from(head('7')), 0), -1);
    const long = `GET / HTTP/1.1\r\nx: ${'x'.repeat(5000)}\r\n\r\n`;
    assert.equal(keeping(long).find(Buffer.from(long), 0), -1);
  });

  it('is found among as many others as are kept, and what was found last stays', () => {
    const heads = new RepeatedHeads<string>(2);
    const found = (text: string): string | undefined => (heads.find(Buffer.from(text), 0) < 0 ? undefined : heads.head);
    const [a, b, c] = ['a\r\n\r\n', 'b\r\n\r\n', 'c\r\n\r\n'];
    assert.deepEqual([keep(heads, a), keep(heads, b)], [true, true]);
    assert.deepEqual([found(a), found(b)], [a, b]);
    keep(heads, c);
    assert.deepEqual([found(a), found(b), found(c)], [undefined, b, c]);
  });

  it('is not compared for a while with those of somebody who never says one twice', () => {
    const heads = new RepeatedHeads<string>(1);
    let isKept = 0;
    for (let round = 0; round < 730; round += 1) if (keep(heads, `${round}\r\n\r\n`)) isKept += 1;
    assert.equal(isKept, 80);
  });
});
