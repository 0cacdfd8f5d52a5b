// SPDX-License-Identifier: Apache-2.0

/** Small questions to the head of a message. */

import { validateHeaderValue } from 'node:http';
import type { GatewayProblem } from './problem-answer.ts';
import { MAX_HEADERS, codedBody, missingHost, tooManyHeaders, twoHosts } from './problems.ts';
import type { ClientHead } from './wire/client-head.ts';

/** Why a head that could be read is refused all the same; undefined when it is not. */
export function malformedHead({ rawHeaders, isHttp10, headers, hosts }: ClientHead): GatewayProblem | undefined {
  if (rawHeaders.length > 2 * MAX_HEADERS) return tooManyHeaders;
  if (hosts === 0) return isHttp10 ? undefined : missingHost;
  if (hosts > 1) return twoHosts;
  const coding = headers['transfer-encoding'];
  // The parser refuses those that do not end in `chunked`, and leaves what is under that as it is.
  return coding === undefined || !coding.includes(',') ? undefined : codedBody;
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
