// SPDX-License-Identifier: Apache-2.0

/** Gathers the head of an HTTP/1.1 message, whichever way its bytes are cut, up to its empty line and within a limit. */

import { BadMessage } from './bad-message.ts';

/** Held one by one at most. */
const MOST_PIECES = 16;
const NO_PIECES: readonly Buffer[] = [];
const HEAD_END = Buffer.from('\r\n\r\n');

export class HeadCollector {
  /** The head without its empty line, each byte a character; from when `take` has found that until `clear`. */
  text = '';
  #pieces: readonly Buffer[] = NO_PIECES;
  #bytes = 0;

  /** Bytes of a head that is not whole. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What came of a head that is not whole: at most the first `length` bytes. */
  beginning(length: number): string {
    const [first] = this.#pieces;
    const whole = first !== undefined && first.length >= length ? first : Buffer.concat(this.#pieces);
    return whole.toString('latin1', 0, length);
  }

  /**
   * Reads on from `at`. Returns the place just behind the empty line, or -1 when that is yet to come; the chunk may be lent.
   * @throws {BadMessage} when the head is longer than `maxBytes`.
   */
  take(chunk: Buffer, at: number, maxBytes: number): number {
    if (at === chunk.length) return -1;
    const end = this.#bytes === 0 ? endIn(chunk, at) : this.#endBehind(chunk, at);
    const bytes = this.#bytes + (end < 0 ? chunk.length : end) - at;
    if (bytes > maxBytes) throw new BadMessage(`the head is longer than ${maxBytes} bytes`, 'head-too-large');
    if (end < 0) {
      // Each piece costs some hundred bytes beside its own: a head that comes byte by byte is joined now and then.
      const pieces = this.#pieces.length === MOST_PIECES ? [Buffer.concat(this.#pieces)] : this.#pieces;
      this.#pieces = [...pieces, Buffer.from(chunk.subarray(at))];
      this.#bytes = bytes;
    } else if (this.#bytes === 0) this.text = chunk.toString('latin1', at, end - HEAD_END.length);
    else {
      const whole = Buffer.concat([...this.#pieces, chunk.subarray(at, end)]);
      this.clear();
      this.text = whole.toString('latin1', 0, bytes - HEAD_END.length);
    }
    return end;
  }

  /** Forgets the head or what came of one: a connection that is kept for long holds neither. */
  clear(): void {
    this.text = '';
    this.#pieces = NO_PIECES;
    this.#bytes = 0;
  }

  /** As `endIn`, for an empty line that may have begun before the chunk. */
  #endBehind(chunk: Buffer, at: number): number {
    const tail = Buffer.concat(this.#pieces.slice(-3)).subarray(-3);
    const seam = Buffer.concat([tail, chunk.subarray(at, at + 3)]);
    const across = seam.indexOf(HEAD_END);
    return across < 0 ? endIn(chunk, at) : at + across + HEAD_END.length - tail.length;
  }
}

function endIn(chunk: Buffer, at: number): number {
  const found = chunk.indexOf(HEAD_END, at);
  return found < 0 ? -1 : found + HEAD_END.length;
}
