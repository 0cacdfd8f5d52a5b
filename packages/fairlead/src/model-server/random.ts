// SPDX-License-Identifier: Apache-2.0

/**
 * A small seeded generator, so that an injected failure strikes the same requests on every run.
 */

/** Numbers in [0, 1), the same sequence for the same seed. The algorithm is mulberry32 (Tommy Ettinger, public domain). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
