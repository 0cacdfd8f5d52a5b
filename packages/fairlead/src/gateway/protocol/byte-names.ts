// SPDX-License-Identifier: Apache-2.0

/**
 * Finds a name among a few by the bytes it is written in, without making a text of them: most members of a body have
 * names that mean nothing, and a text and its look-up cost more than all else that is done with them.
 */

interface Known {
  readonly bytes: readonly number[];
  readonly index: number;
}

/** Names longer than this are not looked up. */
const MAX_BYTES = 32;

export class ByteNames {
  /** By length and the lower five bits of the first byte. */
  readonly #known: readonly (readonly Known[])[];

  /** `names` are ASCII, of 1 to 31 characters. */
  constructor(names: readonly string[]) {
    const known: Known[][] = Array.from({ length: MAX_BYTES << 5 }, () => []);
    for (const [index, name] of names.entries()) {
      const bytes = [...Buffer.from(name)];
      known[placeOf(bytes.length, bytes[0]!)]!.push({ bytes, index });
    }
    this.#known = known;
  }

  /** Index of the name that `[from, to)` is; -1 when it is none. */
  indexIn(bytes: Uint8Array, from: number, to: number): number {
    const length = to - from;
    if (length === 0 || length >= MAX_BYTES) return -1;
    const known = this.#known[placeOf(length, bytes[from]!)]!;
    for (let which = 0; which < known.length; which += 1) {
      const { bytes: name, index } = known[which]!;
      let same = 0;
      while (same < length && bytes[from + same] === name[same]) same += 1;
      if (same === length) return index;
    }
    return -1;
  }
}

function placeOf(length: number, first: number): number {
  return (length << 5) | (first & 31);
}
