// SPDX-License-Identifier: Apache-2.0

/**
 * A head that comes again. Clients and servers say the same with every message of a connection, byte for byte but for the
 * length of the body; what was made of such a head once holds for the next, and to see that it is the same takes two
 * native comparisons.
 */

/** The number that may differ. */
const LENGTH = /\r\ncontent-length:[ \t]*(\d{1,15})(?=[ \t]*\r\n)/i;
/** What a number can hold exactly. */
const MOST_DIGITS = 15;
/** A longer head is not kept. */
const MOST_BYTES = 4096;
/** Whoever said something else so many times in a row is not compared with any more. */
const MOST_MISSES = 4;

const ZERO = 0x30;

export class RepeatedHead<Head> {
  #bytes: Buffer | undefined;
  /** Where the digits of its length lie; both at its end when it has none. */
  #lengthAt = 0;
  #lengthEnd = 0;
  #misses = 0;
  #head: Head | undefined;
  #lengthBytes: number | undefined;

  /** What was made of the head that is kept; undefined: none is. */
  get head(): Head | undefined {
    return this.#head;
  }

  /** The length that it gives its body. */
  get lengthBytes(): number | undefined {
    return this.#lengthBytes;
  }

  /** Where the head that begins at `at` ends, behind its empty line, when it is the one kept; -1 when not, or not whole. */
  endIn(chunk: Buffer, at: number): number {
    const bytes = this.#bytes;
    if (bytes === undefined) return -1;
    const lengthAt = at + this.#lengthAt;
    if (lengthAt > chunk.length || chunk.compare(bytes, 0, this.#lengthAt, at, lengthAt) !== 0) return -1;
    if (this.#lengthEnd === this.#lengthAt) return this.#found(lengthAt);
    let lengthEnd = lengthAt;
    let lengthBytes = 0;
    for (; lengthEnd < chunk.length; lengthEnd += 1) {
      const digit = (chunk[lengthEnd] as number) - ZERO;
      if (digit < 0 || digit > 9) break;
      lengthBytes = lengthBytes * 10 + digit;
    }
    const digits = lengthEnd - lengthAt;
    const end = lengthEnd + bytes.length - this.#lengthEnd;
    if (digits === 0 || digits > MOST_DIGITS || end > chunk.length) return -1;
    if (chunk.compare(bytes, this.#lengthEnd, bytes.length, lengthEnd, end) !== 0) return -1;
    this.#lengthBytes = lengthBytes;
    return this.#found(end);
  }

  /** Keeps a head with its empty line, which may be lent, and what was made of it. */
  keep(bytes: Buffer, head: Head, lengthBytes: number | undefined): void {
    this.#misses += 1;
    if (this.#misses > MOST_MISSES || bytes.length > MOST_BYTES) {
      this.#bytes = undefined;
      this.#head = undefined;
      return;
    }
    const length = LENGTH.exec(bytes.toString('latin1'));
    this.#lengthEnd = length === null ? bytes.length : length.index + length[0].length;
    this.#lengthAt = length === null ? bytes.length : this.#lengthEnd - (length[1] as string).length;
    this.#bytes = Buffer.from(bytes);
    this.#head = head;
    this.#lengthBytes = lengthBytes;
  }

  /** A connection that says nothing for long holds no head. */
  forget(): void {
    this.#misses = 0;
    this.#bytes = undefined;
    this.#head = undefined;
  }

  #found(end: number): number {
    this.#misses = 0;
    return end;
  }
}
