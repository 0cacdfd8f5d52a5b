// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BodyScan } from './body-scan.ts';
import { bodyFor } from './rewrite-body.ts';

/** The body with `model` in it, cut into chunks of `size` bytes. */
function rewritten(text: string, model: string, size: number): string {
  const bytes = Buffer.from(text);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  const scan = new BodyScan(chunks, 'chat');
  scan.next(Infinity);
  const body = bodyFor(model, { chunks }, scan.modelSpan);
  const whole = Buffer.concat(body.chunks);
  assert.equal(whole.length, body.sizeBytes);
  return whole.toString();
}

describe('a body for another model', () => {
  it('has the other name, and every other byte as it came, however it was cut', () => {
    const before = ' {"a": 1e3, "model" : "old\\u0041", "messages": [{"content": "\\"model\\":\\"old\\""}]} ';
    const after = ' {"a": 1e3, "model" : "new/\\"x\\"", "messages": [{"content": "\\"model\\":\\"old\\""}]} ';
    for (let size = 1; size <= before.length; size += 1) assert.equal(rewritten(before, 'new/"x"', size), after);
  });

  it('is given a name when it has none, or null', () => {
    assert.equal(rewritten(' { "a":1}', 'm', 2), ' {"model":"m", "a":1}');
    assert.equal(rewritten('{ \n }', 'm', 1), '{"model":"m" \n }');
    assert.equal(rewritten('{"model": null}', 'm', 3), '{"model": "m"}');
  });

  it('is read by a model server as naming the other model, whatever else is in it', () => {
    const bodies = fc.record({
      before: fc.jsonValue(),
      model: fc.string({ minLength: 1, maxLength: 20 }),
      after: fc.jsonValue(),
    });
    fc.assert(
      fc.property(bodies, fc.string(), fc.integer({ min: 1, max: 40 }), (body, model, size) => {
        const expected = { ...(JSON.parse(JSON.stringify(body)) as object), model };
        assert.deepEqual(JSON.parse(rewritten(JSON.stringify(body), model, size)), expected);
      }),
    );
  });
});
