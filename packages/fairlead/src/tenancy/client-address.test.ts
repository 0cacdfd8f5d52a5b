// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createClientAddress } from './client-address.ts';

const proxy = '10.0.0.1';
const find = createClientAddress(['10.0.0.0/8', 'fd00::/8']);

function addressFor(headers: Record<string, string>, remoteAddress = proxy): string | undefined {
  return find(headers, remoteAddress).address;
}

describe('the address of a client', () => {
  it('is that of the connection, whatever is said, unless a trusted proxy says it', () => {
    const headers = { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.1' };
    assert.deepEqual(find(headers, '198.51.100.7'), { address: '198.51.100.7', viaProxy: false });
    assert.deepEqual(find(headers, undefined), { address: undefined, viaProxy: false });
    assert.deepEqual(createClientAddress([])(headers, proxy), { address: proxy, viaProxy: false });
    assert.deepEqual(find(headers, `::ffff:${proxy}`), { address: '192.0.2.1', viaProxy: true });
  });

  for (const [header, address] of [
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:4711', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['6.6.6.6, 192.0.2.1', '192.0.2.1'],
    ['6.6.6.6, 192.0.2.1,10.0.0.9 ,  fd00::7', '192.0.2.1'],
    ['6.6.6.6, nonsense, 192.0.2.1', '192.0.2.1'],
    ['10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ] as const) {
    it(`is ${address} behind 'X-Forwarded-For: ${header}'`, () => {
      assert.equal(addressFor({ 'x-forwarded-for': header }), address);
    });
  }

  for (const [header, address] of [
    ['for=192.0.2.1', '192.0.2.1'],
    ['For="192.0.2.1:4711";proto=https;by=203.0.113.43', '192.0.2.1'],
    ['for="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17'],
    ['for=6.6.6.6, for=192.0.2.1;host="a,b;c", for=10.9.9.9', '192.0.2.1'],
    ['host="\\"";for=192.0.2.1', '192.0.2.1'],
  ] as const) {
    it(`is ${address} behind 'Forwarded: ${header}'`, () => {
      assert.equal(addressFor({ forwarded: header }), address);
    });
  }

  for (const headers of [
    {},
    { 'x-forwarded-for': '' },
    { 'x-forwarded-for': 'unknown' },
    { 'x-forwarded-for': '192.0.2.1, nonsense' },
    { 'x-forwarded-for': '192.0.2.1, 10.0.0.2, _hidden, 10.0.0.3' },
    { 'x-forwarded-for': '192.0.2.1:99999999' },
    { 'x-forwarded-for': 'fe80::1%eth0' },
    { forwarded: 'for=unknown' },
    { forwarded: 'for=_gazonk' },
    { forwarded: 'proto=https' },
    { forwarded: 'for=192.0.2.1;for=192.0.2.2' },
    // A quote that the client opened swallows what the proxy adds.
    { forwarded: 'for=6.6.6.6;a=", for="[2001:db8::1]"' },
    { forwarded: 'for=6.6.6.6, for="192.0.2.1' },
    // One of the two headers is the client's own.
    { forwarded: 'for=6.6.6.6', 'x-forwarded-for': '192.0.2.1' },
    { forwarded: 'nonsense', 'x-forwarded-for': '192.0.2.1' },
    { 'x-forwarded-for': Array<string>(33).fill('10.0.0.2').join() },
  ] as Record<string, string>[]) {
    it(`is that of the connection behind ${JSON.stringify(headers).slice(0, 70)}`, () => {
      assert.deepEqual(find(headers, proxy), { address: proxy, viaProxy: true });
    });
  }

  it('is the same in both headers, when both are there', () => {
    assert.equal(addressFor({ forwarded: 'for="192.0.2.1:5"', 'x-forwarded-for': '6.6.6.6, 192.0.2.1' }), '192.0.2.1');
  });

  it('cannot be chosen by what a client sends before the proxy adds its own', () => {
    const sent = fc.oneof(
      fc.string({ unit: 'binary-ascii' }),
      fc.constantFrom('for=6.6.6.6', 'for=6.6.6.6;a="', '"', 'for="6.6.6.6\\', '6.6.6.6', ','),
    );
    const added = fc.constantFrom('for=192.0.2.1', 'for="192.0.2.1:80";by="_x"', 'for=192.0.2.1;proto="https"');
    fc.assert(
      fc.property(fc.array(sent), added, (parts, own) => {
        const forwarded = [...parts, own].join(', ');
        assert.match(addressFor({ forwarded })!, /^(192\.0\.2\.1|10\.0\.0\.1)$/, forwarded);
        const listed = [...parts, '192.0.2.1'].join(', ');
        assert.equal(addressFor({ 'x-forwarded-for': listed }), '192.0.2.1');
      }),
    );
  });
});
