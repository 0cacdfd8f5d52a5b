// SPDX-License-Identifier: Apache-2.0

/**
 * Whose address counts behind proxies. Only a connection from `identity.trustedProxies` may say that it speaks for
 * somebody else, in `Forwarded` (RFC 7239) or `X-Forwarded-For`; read from the right, each proxy vouches for the hop
 * before it, and the first address that is no trusted proxy is the client. Whatever stands left of that was written by
 * the client and is not looked at.
 *
 * A proxy that writes one of the two headers usually passes the other on as the client sent it. So when both are there
 * they have to agree; two answers are none, and neither is `unknown`, `_hidden` or nonsense: then it is the address of
 * the connection, which nobody can make up.
 */

import { isIP } from 'node:net';
import type { RequestHeaders } from './control-names.ts';
import { present } from './control-names.ts';
import { createTrustedSources } from './source-address.ts';

export interface Client {
  /** The client's address, as far as it is known. */
  readonly address: string | undefined;
  /** The connection comes from a trusted proxy: what it says of who and what it speaks for may be passed on. */
  readonly viaProxy: boolean;
}

/** Proxies in a row at most; a longer chain is a loop, or made up. */
const MAX_HOPS = 32;

/**
 * Makes the function that finds the client of a request.
 * @throws RangeError when a range cannot be read.
 */
export function createClientAddress(
  trustedProxies: readonly string[],
): (headers: RequestHeaders, remoteAddress: string | undefined) => Client {
  const isProxy = createTrustedSources(trustedProxies);
  return (headers, remoteAddress) => {
    if (!isProxy(remoteAddress)) return { address: remoteAddress, viaProxy: false };
    const told = [
      forwardedHops(present(headers, ['forwarded'])?.value),
      listedHops(present(headers, ['x-forwarded-for'])?.value),
    ].filter((hops) => hops !== undefined);
    const [first, ...others] = told.map((hops) => clientOf(hops, isProxy));
    const agreed = others.every((other) => other === first) ? first : undefined;
    return { address: agreed ?? remoteAddress, viaProxy: true };
  };
}

type Hops = readonly (string | undefined)[];

/** The rightmost address that is no trusted proxy; when all are, the farthest. Undefined when a hop before it is not known. */
function clientOf(hops: Hops, isProxy: (address: string) => boolean): string | undefined {
  for (let index = hops.length - 1; index >= Math.max(0, hops.length - MAX_HOPS); index -= 1) {
    const address = hops[index];
    if (address === undefined) return undefined;
    if (index === 0 || !isProxy(address)) return address;
  }
  return undefined;
}

/** Hops of `X-Forwarded-For`: addresses, with or without a port. */
function listedHops(value: string | undefined): Hops | undefined {
  return value?.split(',').map((hop) => addressOf(hop.trim()));
}

/** One element of `Forwarded` as far as the next: pairs of a token and a value, which may be quoted. */
const PAIR = /[ \t]*([!#$%&'*+.^_`|~\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*))[ \t]*(;|,|$)/y;

/** The `for` of each element; one unknown hop when the header cannot be read, because a part of it may be the client's. */
function forwardedHops(value: string | undefined): Hops | undefined {
  if (value === undefined) return undefined;
  const hops: (string | undefined)[] = [];
  let by: string[] = [];
  PAIR.lastIndex = 0;
  for (let isLast = false; !isLast;) {
    const pair = PAIR.exec(value);
    if (pair === null) return [undefined];
    const [, name = '', quoted, token = '', end = ''] = pair;
    if (name.toLowerCase() === 'for') by.push(quoted?.replace(/\\(.)/g, '$1') ?? token);
    isLast = end === '';
    if (end === ';') continue;
    hops.push(by.length === 1 ? addressOf(by[0]!) : undefined);
    by = [];
  }
  return hops;
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`; undefined for anything else. */
function addressOf(node: string): string | undefined {
  const bare = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(node)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(node)?.[1] ?? node;
  return isIP(bare) !== 0 && !bare.includes('%') ? bare : undefined;
}
