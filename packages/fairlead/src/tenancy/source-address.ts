// SPDX-License-Identifier: Apache-2.0

/**
 * Where a request comes from: which addresses are trusted (`identity.trustedSources`), and what an address without any
 * credentials is called as a tenant. An IPv4 address that arrives mapped into IPv6 (`::ffff:192.0.2.1`, on dual-stack
 * sockets) is the IPv4 address in both.
 */

import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { KnownTexts } from '../sockets/known-texts.ts';

/** One range of addresses in CIDR notation. */
export interface AddressRange {
  readonly network: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * Reads `192.0.2.0/24`, `2001:db8::/32` or a single address.
 * @throws RangeError when it is neither.
 */
export function parseCidr(text: string): AddressRange {
  const [address = '', prefixText, ...rest] = text.trim().split('/');
  const inner = mapped.exec(address)?.[1];
  const network = inner ?? address;
  const family = isIPv4(network) ? 'ipv4' : 'ipv6';
  const bits = family === 'ipv4' ? 32 : 128;
  const given = prefixText === undefined ? undefined : Number(prefixText) - (inner === undefined ? 0 : 96);
  const prefix = given ?? bits;
  const isNumber = prefixText === undefined || /^\d{1,3}$/.test(prefixText);
  const isAddress = family === 'ipv4' || (isIPv6(network) && !network.includes('%'));
  if (rest.length > 0 || !isAddress || !isNumber || prefix < 0 || prefix > bits) {
    throw new RangeError(`not an address range: '${text}'; allowed is CIDR notation such as 10.0.0.0/8 or fd00::/8`);
  }
  return { network, prefix, family };
}

/**
 * Tells whether an address lies in one of the ranges. No ranges: nobody is trusted.
 * @throws RangeError when a range cannot be read.
 */
export function createTrustedSources(ranges: readonly string[]): (remoteAddress: string | undefined) => boolean {
  const list = new BlockList();
  for (const { network, prefix, family } of ranges.map(parseCidr)) list.addSubnet(network, prefix, family);
  const known = new KnownTexts((remoteAddress) => {
    const address = plainAddress(remoteAddress);
    if (isIPv4(address)) return list.check(address, 'ipv4');
    return isIPv6(address) && list.check(address, 'ipv6');
  });
  return (remoteAddress) => ranges.length > 0 && remoteAddress !== undefined && known.of(remoteAddress);
}

/**
 * The tenant name of an address: an IPv4 address as it is, an IPv6 address by its /64, because one subscriber has at
 * least a whole /64 to choose from (RFC 6177) and would otherwise be as many tenants as it likes.
 */
export function addressTenant(remoteAddress: string | undefined): string {
  return remoteAddress === undefined ? 'addr-unknown' : tenants.of(remoteAddress);
}

const tenants = new KnownTexts((remoteAddress) => {
  const address = plainAddress(remoteAddress);
  if (isIPv4(address)) return `addr-${address}`;
  return isIPv6(address) ? `addr-${network64(address)}::/64` : 'addr-unknown';
});

/** Without the mapping into IPv6 and without the zone (`%eth0`). */
function plainAddress(remoteAddress: string): string {
  const address = remoteAddress.split('%', 1)[0]!;
  return mapped.exec(address)?.[1] ?? address;
}

/** The first four groups of a valid IPv6 address, without leading zeros. */
function network64(address: string): string {
  const [left = '', right] = address.split('::');
  const head = groups(left);
  const tail = right === undefined ? [] : groups(right);
  const zeros = Array<string>(8 - head.length - tail.length).fill('0');
  const all = right === undefined ? head : [...head, ...zeros, ...tail];
  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

/** A dotted IPv4 tail stands for two groups; it never reaches the first four of an address that is not mapped. */
function groups(text: string): string[] {
  return text === '' ? [] : text.split(':').flatMap((group) => (group.includes('.') ? ['0', '0'] : [group]));
}
