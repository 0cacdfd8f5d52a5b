// SPDX-License-Identifier: Apache-2.0

/** Requests of one connection whose heads repeat; what else is read of bytes is told in `request-parser.test.ts`. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClientHead } from './client-head.ts';
import { SharedHeads } from '../../sockets/shared-heads.ts';
import { RequestParser } from './request-parser.ts';

const request = (key: string, body: string): string =>
  `POST /v1/x HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${key}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

/** What a parser reads of these pieces: heads, announced lengths, and bodies. */
function read(pieces: readonly string[], parser = new RequestParser(new SharedHeads())) {
  const heads: ClientHead[] = [];
  const lengths: (number | undefined)[] = [];
  const bodies: string[] = [];
  const sink = {
    maxHeadBytes: 4096,
    onHead: (head: ClientHead, lengthBytes: number | undefined) => {
      heads.push(head);
      lengths.push(lengthBytes);
      bodies.push('');
    },
    onBody: (chunk: Uint8Array) => void (bodies[bodies.length - 1] += Buffer.from(chunk).toString()),
    onEnd: () => undefined,
  };
  for (const piece of pieces) parser.feed(Buffer.from(piece), sink);
  return { heads, lengths, bodies, parser };
}

describe('requests of one connection', () => {
  it('share a head when it repeats but for the length, and have each its own body', () => {
    const { heads, lengths, bodies } = read([request('k', 'one') + request('k', ''), request('k', 'the third')]);
    assert.equal(new Set(heads).size, 1);
    assert.deepEqual(lengths, [3, 0, 9]);
    assert.deepEqual(bodies, ['one', '', 'the third']);
  });

  it('have each its own head when anything else in it differs', () => {
    const { heads } = read([request('k', 'one'), request('l', 'one'), request('l', 'two'), request('k', 'one')]);
    assert.deepEqual(
      heads.map(({ headers }) => headers['authorization']),
      ['Bearer k', 'Bearer l', 'Bearer l', 'Bearer k'],
    );
    assert.equal(heads[1], heads[2]);
  });

  it('are read the same when a head that repeats comes in pieces', () => {
    const whole = request('k', 'one');
    for (let at = 1; at < whole.length; at += 1) {
      const { heads, bodies } = read([whole, whole.slice(0, at), whole.slice(at), whole]);
      assert.equal(heads.length, 3);
      assert.deepEqual(bodies, ['one', 'one', 'one'], `cut at ${at}`);
    }
  });

  it('keep to a limit on heads that was lowered meanwhile', () => {
    const { parser } = read([request('k', 'one')]);
    const never = (): void => assert.fail();
    const sink = { maxHeadBytes: 20, onHead: never, onBody: never, onEnd: never };
    assert.throws(() => parser.feed(Buffer.from(request('k', 'one')), sink), /longer than 20 bytes/);
  });
});
