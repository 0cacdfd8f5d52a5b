// SPDX-License-Identifier: Apache-2.0

/**
 * A word that is looked for in the bytes of every answer. In the few hundred bytes of an event a native search costs more
 * for the call than for the search; here whole words are skipped at a time, by what their last byte allows (Horspool, 1980).
 */
export class ByteWord {
  readonly length: number;
  readonly #bytes: Uint8Array;
  /** How far the next place can be where the word ends, by the byte at which it was thought to end. */
  readonly #skips: Uint8Array;

  /** `text` is ASCII, of 2 to 255 characters. */
  constructor(text: string) {
    const bytes = new Uint8Array(Buffer.from(text));
    this.length = bytes.length;
    this.#bytes = bytes;
    this.#skips = new Uint8Array(256).fill(bytes.length);
    for (let at = 0; at < bytes.length - 1; at += 1) this.#skips[bytes[at]!] = bytes.length - 1 - at;
  }

  /** Where it lies next, from `from` on; -1 when it does not. */
  indexIn(bytes: Uint8Array, from: number): number {
    const skips = this.#skips;
    const last = this.#bytes.length - 1;
    const end = this.#bytes[last];
    const { length } = bytes;
    for (let at = from + last; at < length;) {
      const byte = bytes[at]!;
      if (byte === end && this.isAt(bytes, at - last)) return at - last;
      at += skips[byte]!;
    }
    return -1;
  }

  /** Whether it lies there, whole. */
  isAt(bytes: Uint8Array, at: number): boolean {
    const word = this.#bytes;
    if (at + word.length > bytes.length) return false;
    for (let index = 0; index < word.length; index += 1) {
      if (bytes[at + index] !== word[index]) return false;
    }
    return true;
  }

  /** Where, from `from` on, its beginning lies at the end of `bytes`, not all of it; the length when it does not. */
  beginningIn(bytes: Uint8Array, from: number): number {
    const word = this.#bytes;
    let at = Math.max(from, bytes.length - word.length + 1);
    for (; at < bytes.length; at += 1) {
      if (bytes[at] !== word[0]) continue;
      let same = 1;
      while (at + same < bytes.length && bytes[at + same] === word[same]) same += 1;
      if (at + same === bytes.length) break;
    }
    return at;
  }
}
