// SPDX-License-Identifier: Apache-2.0

/** A chunked body alone; in messages, and cut at every place, the parsers of requests and answers try it. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BadMessage } from './bad-message.ts';
import { ChunkedBody } from './chunked-body.ts';

function take(text: string): { readonly pieces: string[]; readonly end: number } {
  const pieces: string[] = [];
  const sink = { onBody: (chunk: Buffer) => void pieces.push(chunk.toString('latin1')) };
  return { pieces, end: new ChunkedBody().take(Buffer.from(text, 'latin1'), 0, sink) };
}

describe('a chunked body', () => {
  it('hands on the chunks of one read as one piece, and tells where it ends', () => {
    const body = '3\r\nabc\r\n2;x=y\r\nde\r\n1\r\nf\r\n0\r\nx-sum: 1\r\n\r\n';
    assert.deepEqual(take(`${body}GET /`), { pieces: ['abcdef'], end: body.length });
    assert.deepEqual(take('3\r\nabc\r\n4\r\nd'), { pieces: ['abcd'], end: -1 });
  });

  it('hands on what came before it went wrong', () => {
    const pieces: string[] = [];
    const sink = { onBody: (chunk: Buffer) => void pieces.push(chunk.toString('latin1')) };
    assert.throws(() => new ChunkedBody().take(Buffer.from('3\r\nabc\r\nzz'), 0, sink), BadMessage);
    assert.deepEqual(pieces, ['abc']);
  });

  it('is refused when its extensions or its trailers have no end', () => {
    const tooLarge = { kind: 'extensions-too-large' };
    const extended = (bytes: number): string => `1;${'x'.repeat(bytes)}\r\na\r\n0\r\n\r\n`;
    assert.deepEqual(take(extended(1024)).pieces, ['a']);
    assert.throws(() => take(extended(1025)), tooLarge);
    assert.throws(() => take(`1;${'x'.repeat(1025)}`), tooLarge);
    assert.deepEqual(
      take(extended(1000).replace('0\r\n\r\n', extended(1000))).pieces,
      ['aa'],
      'each chunk has its own',
    );
    const trailed = (lines: number): string => `0\r\n${'x: y\r\n'.repeat(lines)}\r\n`;
    assert.equal(take(trailed(4096)).end, trailed(4096).length);
    assert.throws(() => take(trailed(4097)), tooLarge, 'all trailers count together');
  });
});
