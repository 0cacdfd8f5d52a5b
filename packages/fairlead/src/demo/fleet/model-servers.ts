// SPDX-License-Identifier: Apache-2.0

/**
 * The fleet that the demo and the flood benchmark measure: modelled servers, each in a process of its own.
 */

import type { Child } from './child.ts';
import { startChild, stopChildren } from './child.ts';

/** Pace and size of each server. */
export const SERVER_SLOTS = 8;
export const FIRST_TOKEN_MS = 50;
export const TOKEN_MS = 10;
/** What they serve. */
export const DEMO_MODEL = 'demo-model';

const LISTENS = `model server ${DEMO_MODEL}`;

/** One of them. */
export interface ServerProcess {
  readonly url: string;
  readonly process: Child;
}

/**
 * Starts so many, on free ports; `words` are further flags.
 *
 * @throws {ChildError} when one does not start; none is left running then.
 */
export async function startModelServers(
  count: number,
  seed: number,
  words: readonly string[] = [],
): Promise<ServerProcess[]> {
  const starts = Array.from({ length: count }, (_, index) =>
    startChild({
      name: `model server ${index + 1}`,
      words: [
        ...['model-server', '--port', '0', '--model', DEMO_MODEL],
        ...['--max-num-seqs', String(SERVER_SLOTS), '--seed', String(seed + index)],
        ...['--prefill-ms', String(FIRST_TOKEN_MS), '--token-ms', String(TOKEN_MS)],
        ...words,
      ],
      listens: [LISTENS],
    }),
  );
  const results = await Promise.allSettled(starts);
  const children = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failure = results.find((result) => result.status === 'rejected');
  if (failure !== undefined) {
    await stopChildren(children);
    throw failure.reason;
  }
  return children.map((child) => ({ url: child.urls.get(LISTENS) ?? '', process: child }));
}
