// SPDX-License-Identifier: Apache-2.0

/** Whether an address, or the name in a Host header, is this machine talking to itself. */

import { BlockList, isIP } from 'node:net';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

export function isLoopback(address: string): boolean {
  // An IPv4 peer of a socket that listens on both comes as ::ffff:127.0.0.1.
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  const family = isIP(plain);
  return family !== 0 && loopback.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}

/** `host` as in the header: a name or address, perhaps with a port. */
export function isLoopbackHost(host: string): boolean {
  if (/[@/?#\\]/.test(host)) return false;
  const hostname = URL.parse(`http://${host}`)?.hostname ?? '';
  return hostname === 'localhost' || isLoopback(hostname.replace(/^\[|\]$/g, ''));
}
