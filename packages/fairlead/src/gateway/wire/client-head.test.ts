// SPDX-License-Identifier: Apache-2.0

/** What is made of a head that can be read; what must be refused is told in `test/stories/hostile-clients.test.ts`. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readControlHeaders } from '../protocol/control-headers.ts';
import { ClientHead } from './client-head.ts';

function head(lines: readonly string[], version = '1.1'): ClientHead {
  return new ClientHead([`POST /v1/x HTTP/${version}`, ...lines].join('\r\n'));
}

describe('the head of a request', () => {
  it('has its headers by lower-case name, several of one name joined where a list makes sense', () => {
    const { headers, rawHeaders, hosts } = head([
      ...['Host: a', 'X-Trace: 1', 'x-trace: 2', 'Authorization: Bearer a', 'authorization: Bearer b', 'host: b'],
    ]);
    assert.deepEqual({ ...headers }, { host: 'a', 'x-trace': '1, 2', authorization: 'Bearer a' });
    assert.deepEqual(rawHeaders.slice(0, 6), ['Host', 'a', 'X-Trace', '1', 'x-trace', '2']);
    assert.equal(hosts, 2);
  });

  it('has no header that the client did not send, whatever the names it sends', () => {
    assert.equal(head([]).headers['constructor'], undefined);
    assert.equal(head([]).headers['toString'], undefined);
    const { headers } = head(['__proto__: a', 'constructor: b', '__proto__: c']);
    assert.equal(headers['constructor'], 'b');
    assert.equal(headers['__proto__'], 'a, c');
    assert.equal(headers['toString'], undefined);
  });

  it('has values that control headers can be read from, as a client may space them', () => {
    const { headers } = head(['X-Fairlead-TTL-ms: \t20 ', 'X-LLM-D-Model-Name-Rewrite:m']);
    assert.deepEqual(readControlHeaders(headers, true), { ttlMs: 20, modelRewrite: 'm' });
  });

  it('says how long the body is: none, so many bytes, or in chunks', () => {
    assert.equal(head([]).lengthBytes, 0);
    assert.equal(head(['content-length: 007']).lengthBytes, 7);
    assert.equal(head(['content-length: 999999999999999']).lengthBytes, 999_999_999_999_999);
    assert.equal(head(['Transfer-Encoding: Chunked']).lengthBytes, undefined);
    assert.throws(() => head(['content-length: 9999999999999999']), /not one number/);
    assert.throws(() => head(['transfer-encoding: chunked'], '1.0'), /where the body ends/);
  });

  it('says whether the connection is kept, by the version and by what `Connection` lists', () => {
    const kept = (version: string, ...values: string[]): boolean =>
      head(
        values.map((value) => `connection: ${value}`),
        version,
      ).keepAlive;
    assert.deepEqual([kept('1.1'), kept('1.1', 'close'), kept('1.1', 'x-hop, Close')], [true, false, false]);
    assert.deepEqual([kept('1.1', 'x-hop', 'close'), kept('1.1', 'closed')], [false, true]);
    assert.deepEqual([kept('1.0'), kept('1.0', 'Keep-Alive'), kept('1.0', 'x-hop')], [false, true, false]);
  });

  it('may expect something, unless it is of HTTP/1.0', () => {
    assert.equal(head([]).expects, undefined);
    assert.equal(head(['expect: 100-Continue']).expects, 'continue');
    assert.equal(head(['expect: the-inquisition']).expects, 'unknown');
    assert.equal(head(['expect: 100-continue'], '1.0').expects, undefined);
  });
});
