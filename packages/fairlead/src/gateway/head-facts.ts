// SPDX-License-Identifier: Apache-2.0

/** Small questions to the head of a message. */

import { validateHeaderValue } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { GatewayProblem } from './problem-answer.ts';
import { MAX_HEADERS, codedBody, missingHost, tooManyHeaders, twoHosts } from './problems.ts';

/** Why a head that could be read is refused all the same; undefined when it is not. */
export function malformedHead({ rawHeaders, httpVersion, headers }: IncomingMessage): GatewayProblem | undefined {
  if (rawHeaders.length > 2 * MAX_HEADERS) return tooManyHeaders;
  if (headers.host === undefined) return httpVersion === '1.1' ? missingHost : undefined;
  if (hostsIn(rawHeaders) > 1) return twoHosts;
  const coding = headers['transfer-encoding'];
  // The parser refuses those that do not end in `chunked`, and leaves what is under that as it is.
  return coding === undefined || !coding.includes(',') ? undefined : codedBody;
}

function hostsIn(raw: readonly string[]): number {
  let count = 0;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count;
}

/** Whether a body of this `content-encoding` would have to be unpacked. */
export function isPacked(encoding: string | undefined): boolean {
  return encoding !== undefined && !/^\s*(identity\s*)?$/i.test(encoding);
}

/**
 * Headers that plugins add to an answer; a model server's own are checked as they come.
 * @throws TypeError when one cannot be written.
 */
export function writable(added: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const name in added) validateHeaderValue(name, added[name] as string);
  return added;
}
