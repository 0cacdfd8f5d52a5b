// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BodyChunks, giveBack } from './body-chunks.ts';

describe('body chunks', () => {
  it('keep a body that came in one piece as that piece', () => {
    const chunks = new BodyChunks();
    const piece = new Uint8Array(100);
    chunks.add(piece, 100);
    assert.equal(chunks.take()[0], piece);
  });

  it('hold the bytes in order, in blocks that waste no more than they hold, whatever the pieces were', () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 20_000 })), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(sizes, fc.boolean(), (lengths, isAnnounced) => {
        const body = Buffer.alloc(lengths.reduce((sum, length) => sum + length, 0));
        for (let index = 0; index < body.length; index += 1) body[index] = index % 251;
        const chunks = new BodyChunks();
        let from = 0;
        for (const length of lengths) {
          chunks.add(body.subarray(from, from + length), isAnnounced ? body.length : undefined);
          from += length;
        }
        const taken = chunks.take();
        assert.deepEqual(Buffer.concat(taken), body);
        assert.equal(chunks.sizeBytes, body.length);
        assert.ok(taken.length <= 2 + body.length / 4096, `${taken.length} buffers for ${body.length} bytes`);
      }),
    );
  });

  it('keep nothing of what was taken', () => {
    const chunks = new BodyChunks();
    chunks.add(new Uint8Array(100), undefined);
    assert.equal(chunks.take().length, 1);
    assert.equal(chunks.take().length, 0);
    assert.equal(chunks.sizeBytes, 100);
  });

  it('are given back at once when they are long, unless something stands behind them in the same memory', () => {
    const alone = new Uint8Array(10_000);
    const behindHead = new Uint8Array(new ArrayBuffer(10_100), 100);
    const beforeAnother = new Uint8Array(new ArrayBuffer(10_100), 0, 10_000);
    const short = new Uint8Array(100);
    giveBack([alone, behindHead, beforeAnother, short]);
    assert.deepEqual(
      [alone, behindHead, beforeAnother, short].map(({ byteLength }) => byteLength),
      [0, 0, 10_000, 100],
    );
  });
});
