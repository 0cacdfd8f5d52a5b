// SPDX-License-Identifier: Apache-2.0

/**
 * What the load draws at random. Every caller has a stream of its own, made from the run's seed and who it is, so that
 * what one of them draws does not depend on how fast another was answered.
 */

import type { Random } from '@fairlead/core';
import { seededRandom } from '../../model-server/random.ts';

/** The stream of one caller; `path` says which (tenant, loop …). The same seed and path give the same numbers. */
export function randomFor(seed: number, ...path: readonly number[]): Random {
  let mixed = seed >>> 0;
  // The multiplier is 2^32 divided by the golden ratio (Knuth, TAOCP 6.4): neighbours end up far apart.
  for (const step of path) mixed = (Math.imul(mixed ^ (step + 1), 0x9e3779b1) ^ (mixed >>> 15)) >>> 0;
  return seededRandom(mixed);
}

/** An exponentially distributed number with this mean: the gaps of a Poisson process, or thinking time. */
export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random()) * mean;
}

/** A whole number from `min` to `max`, both included. */
export function wholeNumber(random: Random, range: { readonly min: number; readonly max: number }): number {
  return range.min + Math.floor(random() * (range.max - range.min + 1));
}
