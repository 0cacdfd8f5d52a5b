// SPDX-License-Identifier: Apache-2.0

/**
 * A client's headers on their way through the gateway: what of them goes upstream, and what plugins are shown. Raw headers are flat lists, a name and its value in turn, as they came; spelling and order are kept.
 */

import type { RequestHeaders } from '../../tenancy/control-names.ts';
import { KnownTexts } from '../../sockets/known-texts.ts';
import { CREDENTIALS, HOP_BY_HOP, REWRITTEN_UPSTREAM, isControl, isForwarding } from './header-tables.ts';

export interface UpstreamHeaderOptions {
  /** Pass the client's credentials on. */
  readonly forwardAuthorization: boolean;
  /** Pass on what a proxy says of the client (`Forwarded`, `X-Forwarded-…`): it is a trusted one. */
  readonly viaProxy: boolean;
}

/** What becomes of a client's header on its way upstream. */
type Fate = 'kept' | 'dropped' | 'connection' | 'credential' | 'forwarding';

const fates = new KnownTexts<Fate>((spelled) => {
  const name = spelled.toLowerCase();
  if (name === 'connection') return 'connection';
  if (HOP_BY_HOP.has(name) || REWRITTEN_UPSTREAM.has(name)) return 'dropped';
  if (CREDENTIALS.has(name)) return 'credential';
  if (isForwarding(name)) return 'forwarding';
  return isControl(name) ? 'dropped' : 'kept';
});

/** What of a client's headers goes upstream; host, length, connection and the server's own key are the upstream client's. */
export function upstreamHeaders(raw: readonly string[], options: UpstreamHeaderOptions): string[] {
  const { forwardAuthorization, viaProxy } = options;
  const sent: string[] = [];
  const listed = listedByConnection(raw, fates, 'connection');
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] as string;
    const fate = fates.of(name);
    if (fate === 'dropped' || fate === 'connection') continue;
    if (fate === 'credential' && !forwardAuthorization) continue;
    if (fate === 'forwarding' && !viaProxy) continue;
    if (listed !== undefined && listed.has(name.toLowerCase())) continue;
    sent.push(name, raw[at + 1] as string);
  }
  return sent;
}

/** More of a header is not handed to plugins; they compare short ids. */
const MAX_WANTED_LENGTH = 1024;

/** Those of a client's headers that `names` (lower-case) lists and that say something; undefined for none. */
export function wantedHeaders(
  headers: RequestHeaders,
  names: readonly string[],
): Readonly<Record<string, string>> | undefined {
  let wanted: Record<string, string> | undefined;
  for (const name of names) {
    const value = headers[name];
    if (value === undefined || value === '' || value.length > MAX_WANTED_LENGTH) continue;
    (wanted ??= {})[name] = value;
  }
  return wanted;
}

/** Headers that a `Connection` header declares hop-by-hop; undefined when it declares none that are not anyway. */
export function listedByConnection<Meaning>(
  raw: readonly string[],
  names: KnownTexts<Meaning>,
  connection: Meaning,
): ReadonlySet<string> | undefined {
  let listed: Set<string> | undefined;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    if (names.of(raw[at] as string) !== connection) continue;
    const value = raw[at + 1] as string;
    if (value === 'keep-alive') continue;
    for (const word of value.toLowerCase().split(',')) (listed ??= new Set()).add(word.trim());
  }
  return listed;
}
