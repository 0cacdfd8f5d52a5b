// SPDX-License-Identifier: Apache-2.0

/**
 * What V8 does with memory that nobody needs any more, in a gateway. Bodies lie outside its heap, and by itself it marks
 * the whole heap again for every few megabytes of them that pass: with prompts of 220 KB that was a third of the
 * process's time. And what its compiler has used lies about in the threads that were to free it: some 18 MB, for good.
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

/** Frees what compiling a function took when that is done, function by function, which takes microseconds each. */
export function freeCompilersMemory(): void {
  setFlagsFromString('--no-maglev-destroy-on-background');
}
