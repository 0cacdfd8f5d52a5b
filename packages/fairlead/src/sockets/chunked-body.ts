// SPDX-License-Identifier: Apache-2.0

/**
 * A chunked body on its way through: sizes are read, extensions and trailers thrown away. The data that one read holds
 * is pushed together in place, over the sizes between, so that whoever takes it is called once and not once a chunk.
 */

import { BadMessage } from './bad-message.ts';

/** Hexadecimal digits of a size: what a number can hold exactly. */
const MAX_SIZE_DIGITS = 13;
const MAX_EXTENSION_BYTES = 1024;
const MAX_TRAILER_BYTES = 16 * 1024;

const CR = 0x0d;
const LF = 0x0a;

type Place =
  | 'size'
  | 'size-blank'
  | 'extension'
  | 'size-lf'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | 'trailer'
  | 'trailer-line'
  | 'trailer-lf'
  | 'end-lf'
  | 'end';

/** Takes the data of a body, a piece at a time; each is part of the chunk that was read. */
export interface BodySink {
  onBody(chunk: Buffer): void;
}

export class ChunkedBody {
  #place: Place = 'size';
  #size = 0;
  #digits = 0;
  /** Of the extension or of all trailers. */
  #ignoredBytes = 0;

  /**
   * Reads on from `at`. Returns the place just behind the body, or -1 when its end is yet to come. What the chunk holds of
   * data is handed on even when it goes wrong after.
   *
   * @throws {BadMessage} for what is no chunk, and for extensions or trailers without end.
   */
  take(chunk: Buffer, at: number, sink: BodySink): number {
    let from = -1;
    let to = -1;
    try {
      while (at < chunk.length && this.#place !== 'end') {
        if (this.#place !== 'data') {
          this.#step(chunk[at] as number);
          at += 1;
          continue;
        }
        const end = Math.min(chunk.length, at + this.#size);
        if (from < 0) from = to = at;
        if (to !== at) chunk.copyWithin(to, at, end);
        to += end - at;
        this.#size -= end - at;
        at = end;
        if (this.#size === 0) this.#place = 'data-cr';
      }
    } finally {
      if (to > from) sink.onBody(chunk.subarray(from, to));
    }
    return this.#place === 'end' ? at : -1;
  }

  /** One byte of what is not data. */
  #step(byte: number): void {
    switch (this.#place) {
      case 'size':
        return this.#sizeByte(byte);
      case 'size-blank':
        return this.#sizeOver(byte);
      case 'extension':
        if (byte === CR) this.#place = 'size-lf';
        else this.#ignore(byte, MAX_EXTENSION_BYTES);
        return;
      case 'size-lf':
        this.#expect(byte, LF, this.#size === 0 ? 'trailer' : 'data');
        return;
      case 'data-cr':
        return this.#expect(byte, CR, 'data-lf');
      case 'data-lf':
        this.#digits = 0;
        this.#ignoredBytes = 0;
        return this.#expect(byte, LF, 'size');
      case 'trailer':
        if (byte === CR) this.#place = 'end-lf';
        else {
          this.#place = 'trailer-line';
          this.#ignore(byte, MAX_TRAILER_BYTES);
        }
        return;
      case 'trailer-line':
        if (byte === CR) this.#place = 'trailer-lf';
        else this.#ignore(byte, MAX_TRAILER_BYTES);
        return;
      case 'trailer-lf':
        return this.#expect(byte, LF, 'trailer');
      case 'end-lf':
        return this.#expect(byte, LF, 'end');
      default:
        throw new BadMessage('nothing can follow');
    }
  }

  #sizeByte(byte: number): void {
    const digit = digitOf(byte);
    if (digit >= 0) {
      this.#digits += 1;
      if (this.#digits > MAX_SIZE_DIGITS) throw new BadMessage('a chunk without end');
      this.#size = this.#size * 16 + digit;
    } else if (this.#digits === 0) throw new BadMessage('a chunk without a size');
    else this.#sizeOver(byte);
  }

  /** Some pad sizes with blanks; a digit behind one would be part of the size to others. */
  #sizeOver(byte: number): void {
    if (byte === CR) this.#place = 'size-lf';
    else if (byte === 0x3b) this.#place = 'extension';
    else if (byte === 0x20 || byte === 0x09) {
      this.#place = 'size-blank';
      this.#ignore(byte, MAX_EXTENSION_BYTES);
    } else throw new BadMessage('not the size of a chunk');
  }

  #expect(byte: number, wanted: number, next: Place): void {
    if (byte !== wanted) throw new BadMessage('a chunk does not end where it says');
    this.#place = next;
  }

  #ignore(byte: number, most: number): void {
    this.#ignoredBytes += 1;
    if (this.#ignoredBytes > most)
      throw new BadMessage('chunk extensions or trailers without end', 'extensions-too-large');
    if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f) throw new BadMessage('a byte that no line may hold');
  }
}

function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
