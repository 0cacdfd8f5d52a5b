// SPDX-License-Identifier: Apache-2.0

/**
 * A line of log that is being put together, as bytes and always the same ones. A busy gateway writes one for each request,
 * of some twenty names and numbers: as text they would be as many small objects, which somebody collects and encodes.
 */

import { isPlain, jsonNumber, jsonText } from './json-text.ts';

/** As a rule a line has 500. */
const BYTES_AT_FIRST = 4 * 1024;
const MOST_BYTES_OF_CHAR = 3;
/** The longest number that is written digit by digit: six digits before the point, three behind it. */
const MOST_DIGITS = 10;
const MOST_PLAIN_NUMBER = 999_999;
const [ZERO, POINT, QUOTE] = [0x30, 0x2e, 0x22];

export class JsonLine {
  #bytes = Buffer.allocUnsafeSlow(BYTES_AT_FIRST);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Begins another line. */
  clear(): this {
    this.#length = 0;
    return this;
  }

  copyTo(target: Buffer, at: number): void {
    this.#bytes.copy(target, at, 0, this.#length);
  }

  toString(): string {
    return this.#bytes.toString('utf8', 0, this.#length);
  }

  /** Adds JSON that was made before. */
  piece(json: Uint8Array): this {
    this.#needs(json.length);
    this.#bytes.set(json, this.#length);
    this.#length += json.length;
    return this;
  }

  /** Adds what is in another. */
  line(other: JsonLine): this {
    this.#needs(other.length);
    other.copyTo(this.#bytes, this.#length);
    this.#length += other.length;
    return this;
  }

  /** Adds JSON as it is. */
  json(json: string): this {
    this.#needs(json.length * MOST_BYTES_OF_CHAR);
    this.#length += this.#bytes.write(json, this.#length);
    return this;
  }

  /** Adds text as a value. */
  text(value: string): this {
    if (!isPlain(value)) return this.json(jsonText(value));
    this.#needs(value.length + 2);
    const bytes = this.#bytes;
    bytes[this.#length] = QUOTE;
    const end = this.#length + 1 + bytes.write(value, this.#length + 1, 'latin1');
    bytes[end] = QUOTE;
    this.#length = end + 1;
    return this;
  }

  /** Adds a number as a value, with three decimals at most; `null` for what is not finite. */
  number(value: number): this {
    if (!(value >= 0 && value < MOST_PLAIN_NUMBER)) return this.json(jsonNumber(value));
    const thousandths = Math.round(value * 1000);
    const whole = (thousandths / 1000) | 0;
    this.#needs(MOST_DIGITS);
    this.#digits(whole);
    this.#decimals(thousandths - whole * 1000);
    return this;
  }

  #digits(whole: number): void {
    const bytes = this.#bytes;
    let at = (this.#length += digitsOf(whole));
    let left = whole;
    do {
      const rest = (left / 10) | 0;
      at -= 1;
      bytes[at] = ZERO + left - rest * 10;
      left = rest;
    } while (left > 0);
  }

  /** No noughts at the end, and nothing of 0. */
  #decimals(thousandths: number): void {
    if (thousandths === 0) return;
    const bytes = this.#bytes;
    bytes[this.#length++] = POINT;
    for (let [left, unit] = [thousandths, 100]; left > 0; unit /= 10) {
      const digit = (left / unit) | 0;
      bytes[this.#length++] = ZERO + digit;
      left -= digit * unit;
    }
  }

  /** Makes room for so many bytes more. */
  #needs(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const wider = Buffer.allocUnsafeSlow(2 * needed);
    this.copyTo(wider, 0);
    this.#bytes = wider;
  }
}

function digitsOf(whole: number): number {
  if (whole < 1_000) return whole < 10 ? 1 : whole < 100 ? 2 : 3;
  return whole < 10_000 ? 4 : whole < 100_000 ? 5 : 6;
}
