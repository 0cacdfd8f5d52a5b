// SPDX-License-Identifier: Apache-2.0

/**
 * Heads that come again. Clients and servers say the same with every message, byte for byte but for the length of the
 * body; what was made of such a head once holds for the next, and to see that it is the same takes two native comparisons.
 */

/** The line of the length, which may differ. */
export const LENGTH = /\r\ncontent-length:[ \t]*(\d{1,15})(?=[ \t]*\r\n)/i;
/** What a number can hold exactly. */
const MOST_DIGITS = 15;
/** A longer head is not kept. */
const MOST_BYTES = 4096;
/** After so many heads in a row that were none of those kept, so many more are not compared. */
const MOST_MISSES = 8;
const PAUSE = 64;

const ZERO = 0x30;
const SHORT_BYTES = 64;

/** A head that was kept, and what was made of it. */
export class KeptHead<Head> {
  readonly head: Head;
  /** The length of the body that the head gives that was found last, by whoever: only until the next `endIn`. */
  lengthBytes: number | undefined;
  readonly #bytes: Buffer;
  /** Where the digits of its length lie; both at its end when it has none. */
  readonly #lengthAt: number;
  readonly #lengthEnd: number;

  /** `bytes`: with its empty line; may be lent. */
  constructor(bytes: Buffer, head: Head, lengthBytes: number | undefined) {
    const length = LENGTH.exec(bytes.toString('latin1'));
    this.#lengthEnd = length === null ? bytes.length : length.index + length[0].length;
    this.#lengthAt = length === null ? bytes.length : this.#lengthEnd - (length[1] as string).length;
    this.#bytes = Buffer.from(bytes);
    this.head = head;
    this.lengthBytes = lengthBytes;
  }

  /** Where the head ends that begins at `at`, when it is this one; -1 when it is not, or not whole. */
  endIn(chunk: Buffer, at: number): number {
    const bytes = this.#bytes;
    const lengthAt = at + this.#lengthAt;
    if (lengthAt > chunk.length || chunk.compare(bytes, 0, this.#lengthAt, at, lengthAt) !== 0) return -1;
    if (this.#lengthEnd === this.#lengthAt) return lengthAt;
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
    if (!this.#endsAt(chunk, lengthEnd)) return -1;
    this.lengthBytes = lengthBytes;
    return end;
  }

  /** Whether what stands behind its length stands at `at`. Of a few bytes a native call costs more than the loop. */
  #endsAt(chunk: Buffer, at: number): boolean {
    const bytes = this.#bytes;
    const from = this.#lengthEnd;
    const length = bytes.length - from;
    if (length > SHORT_BYTES) return chunk.compare(bytes, from, bytes.length, at, at + length) === 0;
    for (let index = 0; index < length; index += 1) if (chunk[at + index] !== bytes[from + index]) return false;
    return true;
  }
}

const NONE: readonly never[] = [];

/** The last different heads of whoever speaks. */
export class RepeatedHeads<Head> {
  readonly #most: number;
  #kept: readonly KeptHead<Head>[] = NONE;
  #found: KeptHead<Head> | undefined;
  #misses = 0;

  /** Keeps at most so many. */
  constructor(most: number) {
    this.#most = most;
  }

  /** What was made of the head that was found last. */
  get head(): Head {
    return (this.#found as KeptHead<Head>).head;
  }

  /** The length that it gives its body; undefined: none. */
  get lengthBytes(): number | undefined {
    return this.#found?.lengthBytes;
  }

  /** Where the head ends, behind its empty line, that begins at `at`; -1 when it is none of those kept, or not whole. */
  find(chunk: Buffer, at: number): number {
    for (const kept of this.#kept) {
      const end = kept.endIn(chunk, at);
      if (end < 0) continue;
      this.#found = kept;
      this.#misses = 0;
      return end;
    }
    return -1;
  }

  /** A head came that is none of those kept. Whether it should be: not when none has come twice for some time. */
  isWorthKeeping(bytes: Buffer): boolean {
    this.#misses += 1;
    if (this.#misses <= MOST_MISSES) return bytes.length <= MOST_BYTES;
    this.#kept = NONE;
    this.#found = undefined;
    if (this.#misses > MOST_MISSES + PAUSE) this.#misses = 0;
    return false;
  }

  /** Keeps a head, in place of the oldest. */
  keep(head: KeptHead<Head>): void {
    const others = this.#kept.length === this.#most ? this.#kept.slice(1) : this.#kept;
    this.#kept = [...others, head];
  }

  /** Holds none any more. */
  forget(): void {
    this.#misses = 0;
    this.#kept = NONE;
    this.#found = undefined;
  }
}
