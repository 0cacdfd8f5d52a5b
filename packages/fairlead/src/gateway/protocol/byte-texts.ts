// SPDX-License-Identifier: Apache-2.0

/**
 * The texts that string literals mean. The same few, names of models, come with every request: a literal that was seen
 * before is found by its bytes, which is quicker than to make another text of them, and one text is compared and looked up
 * more quickly than many that are equal.
 */

/** Literals remembered at most, a power of two. Each has one place, which it takes from another. */
const MAX_KNOWN = 256;
/** Longer ones are decoded each time. */
const MAX_REMEMBERED_BYTES = 64;

interface Known {
  readonly bytes: Uint8Array;
  readonly text: string;
}

export class ByteTexts {
  readonly #known = Array.from<Known | undefined>({ length: MAX_KNOWN }).fill(undefined);

  /** What the literal at `[from, to)` means, quotes included; its syntax has been checked. */
  of(bytes: Uint8Array, from: number, to: number): string {
    const length = to - from;
    if (length > MAX_REMEMBERED_BYTES) return literalText(Buffer.from(bytes.subarray(from, to)));
    let hash = length;
    for (let at = from; at < to; at += 1) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
    const place = (hash ^ (hash >>> 15)) & (MAX_KNOWN - 1);
    const known = this.#known[place];
    if (known?.bytes.length === length) {
      let same = 0;
      while (same < length && known.bytes[same] === bytes[from + same]) same += 1;
      if (same === length) return known.text;
    }
    const copy = new Uint8Array(bytes.subarray(from, to));
    const text = literalText(Buffer.from(copy.buffer));
    this.#known[place] = { bytes: copy, text };
    return text;
  }
}

/** What a string literal means whose syntax has been checked. */
export function literalText(literal: Buffer): string {
  return JSON.parse(literal.toString()) as string;
}
