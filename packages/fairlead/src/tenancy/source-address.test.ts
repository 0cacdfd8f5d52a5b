// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { addressTenant, createTrustedSources, parseCidr } from './source-address.ts';

describe('trusted sources', () => {
  it('are the addresses in any of the ranges', () => {
    const isTrusted = createTrustedSources(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', ' 127.0.0.1/32 ']);
    for (const address of [
      '10.1.2.3',
      '192.0.2.7',
      '2001:db8:1::5',
      '127.0.0.1',
      '::ffff:10.9.9.9',
      '::FFFF:192.0.2.7',
    ]) {
      assert.equal(isTrusted(address), true, address);
    }
    for (const address of [
      '11.0.0.1',
      '192.0.2.8',
      '2001:db9::1',
      '::1',
      '::ffff:11.0.0.1',
      '',
      'nonsense',
      undefined,
    ]) {
      assert.equal(isTrusted(address), false, String(address));
    }
  });

  it('may be written as IPv4 mapped into IPv6', () => {
    assert.deepEqual(parseCidr('::ffff:10.0.0.0/104'), { network: '10.0.0.0', prefix: 8, family: 'ipv4' });
    assert.equal(createTrustedSources(['::ffff:10.0.0.0/104'])('10.200.0.1'), true);
  });

  it('are nobody when there are no ranges, and everybody when a range says so', () => {
    assert.equal(createTrustedSources([])('127.0.0.1'), false);
    const isTrusted = createTrustedSources(['0.0.0.0/0']);
    assert.equal(isTrusted('198.51.100.1'), true);
    assert.equal(isTrusted('2001:db8::1'), false);
  });

  for (const bad of [
    '',
    'localhost',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0/8',
    '::/129',
    '10.0.0.0/8/9',
    'fe80::1%eth0',
    '::ffff:10.0.0.0/8',
    '1.2.3.4/x',
  ]) {
    it(`refuse what is no range: '${bad}'`, () => {
      assert.throws(() => parseCidr(bad), {
        name: 'RangeError',
        message: /not an address range: .*; allowed is CIDR notation/,
      });
    });
  }
});

describe('an address as a tenant', () => {
  for (const [address, tenant] of [
    ['192.0.2.1', 'addr-192.0.2.1'],
    ['::ffff:192.0.2.1', 'addr-192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', 'addr-2001:db8:1:2::/64'],
    ['2001:db8::1', 'addr-2001:db8:0:0::/64'],
    ['2001:0db8:0001:0000:0000:0000:0000:0001', 'addr-2001:db8:1:0::/64'],
    ['fe80::1%eth0', 'addr-fe80:0:0:0::/64'],
    ['::1', 'addr-0:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', 'addr-64:ff9b:0:0::/64'],
    ['', 'addr-unknown'],
    [undefined, 'addr-unknown'],
  ] as const) {
    it(`is ${tenant} for ${address}`, () => {
      assert.equal(addressTenant(address), tenant);
    });
  }

  it('is the same for all of a /64, and another for another', () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.ipV6(), (a, b) => {
        const isSame64 = bits64(a) === bits64(b);
        assert.equal(addressTenant(a) === addressTenant(b), isSame64);
        assert.match(addressTenant(a), /^addr-[0-9a-f:]+::\/64$/);
      }),
    );
  });
});

/** The first 64 bits by another way: the URL parser's canonical form, spelled out. */
function bits64(address: string): string {
  const [left = '', right] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const head = left.split(':').filter((group) => group !== '');
  const tail = (right ?? '').split(':').filter((group) => group !== '');
  const zeros = Array<string>(8 - head.length - tail.length).fill('0');
  return [...head, ...zeros, ...tail].slice(0, 4).join(':');
}
