// SPDX-License-Identifier: Apache-2.0

/**
 * How V8 collects garbage in a gateway. Bodies lie outside its heap, and by itself it marks the whole heap again for
 * every few megabytes of them that pass: with prompts of 220 KB that was a third of the process's time.
 */

import { setFlagsFromString } from 'node:v8';

/** Since this version of V8 the flag is there; an older one would complain of it. */
const SINCE_V8 = 14;

/** Counts bodies together with the heap, so that a collection is due when their sum has grown by a share of itself. */
export function countBodiesWithHeap(): void {
  if (Number.parseInt(process.versions.v8, 10) >= SINCE_V8) {
    setFlagsFromString('--external-memory-accounted-in-global-limit');
  }
}
