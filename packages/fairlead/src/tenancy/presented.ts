// SPDX-License-Identifier: Apache-2.0

/**
 * What a request's head presents as keys: their digests, and who that was when it was last asked. It is kept with the head,
 * so a head that comes again, on whichever connection, is not hashed again. The keys themselves are not kept here.
 */

import type { RequestHeaders } from './control-names.ts';
import type { Identity } from './identity.ts';
import { hashKey } from './hash-key.ts';

/** A request's head, as far as it says who is asking. */
export interface CallerHead {
  /** Never other ones for the same head. */
  readonly headers: RequestHeaders;
  /** Made when somebody asks, and kept with the head. */
  presented?: Presented | undefined;
}

/** Who a caller was, and what that holds for. */
export interface KnownCaller {
  /** The configuration by which it was identified. */
  readonly rules: object;
  readonly remoteAddress: string | undefined;
  readonly identity: Identity;
  /** The name by which it asked to be told apart from other strangers; undefined when it is none. */
  readonly stranger: string | undefined;
}

export class Presented {
  /** Of the keys that are presented, in the order in which they are tried. */
  readonly digests: readonly string[];
  caller: KnownCaller | undefined = undefined;

  constructor(digests: readonly string[]) {
    this.digests = digests;
  }
}

const NONE: readonly string[] = [];

/** What the head presents; looked for once. */
export function presentedBy(head: CallerHead): Presented {
  return (head.presented ??= new Presented(digestsOf(head.headers)));
}

/** The key that is tried first. */
export function firstKey(headers: RequestHeaders): string | undefined {
  return bearerKey(headers) ?? apiKey(headers);
}

/** The digest of a presented key: of its bytes, as headers carry them. */
export function presentedDigest(key: string): string {
  // What is as long in UTF-8 is ASCII, and that has the same bytes in both.
  return hashKey(Buffer.byteLength(key) === key.length ? key : Buffer.from(key, 'latin1'));
}

function digestsOf(headers: RequestHeaders): readonly string[] {
  const bearer = bearerKey(headers);
  const own = apiKey(headers);
  if (bearer === undefined) return own === undefined ? NONE : [presentedDigest(own)];
  if (own === undefined) return [presentedDigest(bearer)];
  return [presentedDigest(bearer), presentedDigest(own)];
}

function bearerKey({ authorization }: RequestHeaders): string | undefined {
  return authorization === undefined ? undefined : /^bearer +(\S+) *$/i.exec(authorization)?.[1];
}

function apiKey(headers: RequestHeaders): string | undefined {
  const key = headers['x-api-key']?.trim();
  return key === '' ? undefined : key;
}
