// SPDX-License-Identifier: Apache-2.0

/** Long work on a body, a slice a turn: everybody else's streams go on in between. */

/** So much of a body is read at once: a few milliseconds of the costliest. */
const SLICE_BYTES = 128 * 1024;

/** Work that does so many bytes at a time; undefined while there is more. */
export interface Sliced<T> {
  next(bytes: number): T | undefined;
}

/** Does the work and hands on what comes of it, at once when one slice is enough; nothing once `isOver`. */
export function inSlices<T>(work: Sliced<T>, isOver: () => boolean, done: (result: T) => void): void {
  if (isOver()) return;
  const result = work.next(SLICE_BYTES);
  if (result === undefined) setImmediate(() => inSlices(work, isOver, done));
  else done(result);
}
