// SPDX-License-Identifier: Apache-2.0

/** An endpoint that is this process itself, by a mistyped port, would have the gateway ask itself for ever. */

import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isLoopback } from '../admin/loopback.ts';

/** An address that `serve` is told to listen on; port 0 is any free one, which nobody can name beforehand. */
export interface OwnAddress {
  readonly host: string;
  readonly port: number;
}

/** Whether a request to `url` would come to `own`. Names other than `localhost` are not looked up. */
export function leadsTo(url: string, own: OwnAddress): boolean {
  const { protocol, hostname, port } = new URL(url);
  const wanted = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
  if (wanted !== own.port) return false;
  const host = address(hostname);
  const listening = address(own.host);
  if (listening === '0.0.0.0' || listening === '::') return isOfThisMachine(host);
  return host === listening;
}

/** `localhost` and an address in brackets as a plain address, else what is given. */
function address(host: string): string {
  return host === 'localhost' ? '127.0.0.1' : host.replace(/^\[|\]$/g, '').toLowerCase();
}

function isOfThisMachine(host: string): boolean {
  if (isIP(host) === 0) return false;
  if (isLoopback(host) || host === '0.0.0.0' || host === '::') return true;
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some((each) => each.address === host));
}
