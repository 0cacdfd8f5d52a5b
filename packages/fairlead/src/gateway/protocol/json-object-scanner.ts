// SPDX-License-Identifier: Apache-2.0

/**
 * Checks the whole syntax of a JSON object (RFC 8259, as strict as `JSON.parse`) over chunks as they came, without
 * building it, and tells a listener where the values of its two outer levels lie. The state between two bytes is a few
 * numbers, so a chunk may end anywhere: inside a word, a number or an escape. UTF-8 is not checked: what a model server
 * makes of bad text inside a string is its own affair.
 */

import { SHORT_ESCAPES, lastInteger, plainEnd } from './byte-runs.ts';

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'true' | 'false' | 'null';

/** Told of the two outer levels only: depth 1 is a member of the object, depth 2 what is directly inside such a member. */
export interface JsonListener {
  /** A member's name lies at `[start, end)` of the body, quotes included. */
  key(depth: number, start: number, end: number): void;
  /**
   * A value that lies at `[start, end)` of the body has ended; what is inside it was told before. Of a run of integers
   * in an array (tokens) only the last may be told.
   */
  value(depth: number, kind: JsonKind, span: Span): void;
}

/** Offsets in the body; the same object is used for every call, so copy what is kept. */
export interface Span {
  start: number;
  end: number;
}

export interface SyntaxProblem {
  /** What was expected and found. */
  readonly message: string;
  /** Byte of the body at which it was found; the body's length when it ended too early. */
  readonly offset: number;
}

/** More levels than any request has, few enough for a model server's recursive parser. */
export const MAX_DEPTH = 512;

// What the next byte has to continue. Up to AFTER_ROOT whitespace may come first.
const ROOT = 0;
const VALUE = 1;
const VALUE_OR_CLOSE = 2;
const KEY = 3;
const KEY_OR_CLOSE = 4;
const COLON = 5;
const COMMA_OR_CLOSE = 6;
const AFTER_ROOT = 7;
const STRING = 8;
const ESCAPE = 9;
const HEX = 10;
const WORD = 11;
// Inside a number, see `inNumber`.
const MINUS = 12;
const ZERO = 13;
const INTEGER = 14;
const POINT = 15;
const FRACTION = 16;
const EXPONENT = 17;
const EXPONENT_SIGN = 18;
const EXPONENT_DIGITS = 19;

const EXPECTED: readonly string[] = [
  'a JSON object',
  'a value',
  "a value or ']'",
  'a member name in double quotes',
  "a member name in double quotes or '}'",
  "':' after the member name",
  "',' or the end of the enclosing object or array",
  'nothing after the object',
  'the rest of a string',
  'one of " \\ / b f n r t u after a backslash',
  'four hexadecimal digits after \\u',
  'true, false or null',
  'a digit after -',
  'the end of a number (no digit may follow a leading 0)',
  'the rest of a number',
  'a digit after the decimal point',
  'the rest of a number',
  'a digit or a sign in the exponent',
  'a digit in the exponent',
  'the rest of a number',
];

const SHORT_ESCAPE = 1;
const HEX_ESCAPE = 2;
/** What may follow a backslash, by byte. */
const escapes = new Uint8Array(256);
for (const letter of SHORT_ESCAPES) escapes[letter.charCodeAt(0)] = SHORT_ESCAPE;
escapes[0x75] = HEX_ESCAPE;

/** Expected letters of the words, by first letter. */
const WORDS: ReadonlyMap<number, 'true' | 'false' | 'null'> = new Map([
  [0x74, 'true'],
  [0x66, 'false'],
  [0x6e, 'null'],
]);

const NO_BYTES: Uint8Array = new Uint8Array(0);
const NO_VIEW = new DataView(NO_BYTES.buffer);

export class JsonObjectScanner {
  readonly #listener: JsonListener;
  #state = ROOT;
  #bytes = NO_BYTES;
  #view = NO_VIEW;
  #at = 0;
  /** Offset of the current chunk in the body. */
  #base = 0;
  #problem: SyntaxProblem | undefined;

  /** Whether each open container is an object, outermost first; else it is an array. */
  readonly #isObject: boolean[] = [];
  /** Where the value that is open at depths 0 to 2 began. */
  readonly #starts = [0, 0, 0];

  #tokenStart = 0;
  #isKey = false;
  #hexDigits = 0;
  #word: 'true' | 'false' | 'null' = 'null';
  #wordAt = 0;
  readonly #span: Span = { start: 0, end: 0 };

  constructor(listener: JsonListener) {
    this.#listener = listener;
  }

  /** What is wrong, once `feed` or `finish` said false. */
  get problem(): SyntaxProblem | undefined {
    return this.#problem;
  }

  /** Checks the next bytes of the body. False: they are wrong, and nothing more may be fed. */
  feed(bytes: Uint8Array): boolean {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = 0;
    while (this.#at < bytes.length) {
      if (!this.#step()) return false;
    }
    this.#base += bytes.length;
    this.#at = 0;
    return true;
  }

  /** No more bytes come. False when the object is not complete. */
  finish(): boolean {
    if (this.#state === AFTER_ROOT) return true;
    this.#problem = { message: `expected ${EXPECTED[this.#state]!}, but the body ends here`, offset: this.#base };
    return false;
  }

  #step(): boolean {
    const state = this.#state;
    if (state === STRING) return this.#inString();
    if (state <= AFTER_ROOT) return this.#structure();
    if (state >= MINUS) return this.#inNumber();
    if (state === WORD) return this.#inWord();
    return this.#inEscape();
  }

  #structure(): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    let byte = bytes[at]!;
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
      at += 1;
      if (at === bytes.length) {
        this.#at = at;
        return true;
      }
      byte = bytes[at]!;
    }
    this.#at = at;
    switch (this.#state) {
      case ROOT:
        return byte === 0x7b ? this.#open(byte) : this.#fail();
      case VALUE:
        return this.#beginValue(byte);
      case VALUE_OR_CLOSE:
        return byte === 0x5d ? this.#close() : this.#beginValue(byte);
      case KEY:
        return byte === 0x22 ? this.#beginString(true) : this.#fail();
      case KEY_OR_CLOSE:
        if (byte === 0x22) return this.#beginString(true);
        return byte === 0x7d ? this.#close() : this.#fail();
      case COLON:
        return byte === 0x3a ? this.#consume(VALUE) : this.#fail();
      case COMMA_OR_CLOSE: {
        const inObject = this.#isObject.at(-1)!;
        if (byte === 0x2c) return this.#consume(inObject ? KEY : VALUE);
        return byte === (inObject ? 0x7d : 0x5d) ? this.#close() : this.#fail();
      }
      default:
        return this.#fail();
    }
  }

  #consume(next: number): boolean {
    this.#at += 1;
    this.#state = next;
    return true;
  }

  #beginValue(byte: number): boolean {
    if (byte === 0x22) return this.#beginString(false);
    if (byte === 0x7b || byte === 0x5b) return this.#open(byte);
    const isInteger = byte > 0x30 && byte <= 0x39;
    if (isInteger && !this.#isObject.at(-1)) this.#at = lastInteger(this.#bytes, this.#at);
    this.#tokenStart = this.#base + this.#at;
    if (isInteger) return this.#consume(INTEGER);
    if (byte === 0x2d) return this.#consume(MINUS);
    if (byte === 0x30) return this.#consume(ZERO);
    const word = WORDS.get(byte);
    if (word === undefined) return this.#fail();
    this.#word = word;
    this.#wordAt = 1;
    return this.#consume(WORD);
  }

  #open(byte: number): boolean {
    const depth = this.#isObject.length;
    if (depth === MAX_DEPTH) return this.#fail(`nested more than ${MAX_DEPTH} levels deep`);
    if (depth <= 2) this.#starts[depth] = this.#base + this.#at;
    const isObject = byte === 0x7b;
    this.#isObject.push(isObject);
    return this.#consume(isObject ? KEY_OR_CLOSE : VALUE_OR_CLOSE);
  }

  #close(): boolean {
    const kind = this.#isObject.pop() === true ? 'object' : 'array';
    this.#at += 1;
    const depth = this.#isObject.length;
    return this.#endValue(kind, depth <= 2 ? this.#starts[depth]! : 0);
  }

  #endValue(kind: JsonKind, start: number): boolean {
    const depth = this.#isObject.length;
    this.#state = depth === 0 ? AFTER_ROOT : COMMA_OR_CLOSE;
    if (depth === 1 || depth === 2) {
      this.#span.start = start;
      this.#span.end = this.#base + this.#at;
      this.#listener.value(depth, kind, this.#span);
    }
    return true;
  }

  #beginString(isKey: boolean): boolean {
    this.#tokenStart = this.#base + this.#at;
    this.#isKey = isKey;
    return this.#consume(STRING);
  }

  #inString(): boolean {
    const bytes = this.#bytes;
    this.#at = plainEnd(bytes, this.#view, this.#at);
    if (this.#at === bytes.length) return true;
    const byte = bytes[this.#at]!;
    if (byte === 0x5c) return this.#consume(ESCAPE);
    if (byte !== 0x22) return this.#fail('a control character must be escaped inside a string');
    this.#at += 1;
    if (!this.#isKey) return this.#endValue('string', this.#tokenStart);
    this.#state = COLON;
    const depth = this.#isObject.length;
    if (depth <= 2) this.#listener.key(depth, this.#tokenStart, this.#base + this.#at);
    return true;
  }

  #inEscape(): boolean {
    const byte = this.#bytes[this.#at]!;
    if (this.#state === ESCAPE) {
      if (escapes[byte] === 0) return this.#fail();
      this.#hexDigits = 0;
      return this.#consume(escapes[byte] === HEX_ESCAPE ? HEX : STRING);
    }
    const lower = byte | 0x20;
    const isHex = (byte >= 0x30 && byte <= 0x39) || (lower >= 0x61 && lower <= 0x66);
    if (!isHex) return this.#fail();
    this.#hexDigits += 1;
    return this.#consume(this.#hexDigits === 4 ? STRING : HEX);
  }

  #inWord(): boolean {
    const word = this.#word;
    if (this.#bytes[this.#at] !== word.charCodeAt(this.#wordAt)) return this.#fail();
    this.#at += 1;
    this.#wordAt += 1;
    return this.#wordAt < word.length || this.#endValue(word, this.#tokenStart);
  }

  #inNumber(): boolean {
    const bytes = this.#bytes;
    let state = this.#state;
    let at = this.#at;
    for (; at < bytes.length; at += 1) {
      const byte = bytes[at]!;
      const isDigit = byte >= 0x30 && byte <= 0x39;
      if (isDigit && (state === INTEGER || state === FRACTION || state === EXPONENT_DIGITS)) continue;
      const next = isDigit ? afterDigit(state, byte) : afterSign(state, byte);
      if (next === 0) break;
      state = next;
    }
    this.#at = at;
    this.#state = state;
    if (at === bytes.length) return true;
    const mayEnd =
      state === INTEGER || state === FRACTION || state === EXPONENT_DIGITS || isZeroAlone(state, bytes[at]!);
    return mayEnd ? this.#endValue('number', this.#tokenStart) : this.#fail();
  }

  #fail(message?: string): boolean {
    const found = describeByte(this.#bytes[this.#at]!);
    this.#problem = {
      message: message ?? `expected ${EXPECTED[this.#state]!}, found ${found}`,
      offset: this.#base + this.#at,
    };
    return false;
  }
}

/** The state of a number after a digit that begins a part of it; 0 when no digit may follow. */
function afterDigit(state: number, digit: number): number {
  if (state === MINUS) return digit === 0x30 ? ZERO : INTEGER;
  if (state === POINT) return FRACTION;
  return state === ZERO ? 0 : EXPONENT_DIGITS;
}

/** The state of a number after a byte that is no digit; 0 when the byte is not a part of it. */
function afterSign(state: number, byte: number): number {
  const isInteger = state === ZERO || state === INTEGER;
  if (byte === 0x2e) return isInteger ? POINT : 0;
  if (byte === 0x65 || byte === 0x45) return isInteger || state === FRACTION ? EXPONENT : 0;
  if (byte === 0x2b || byte === 0x2d) return state === EXPONENT ? EXPONENT_SIGN : 0;
  return 0;
}

function isZeroAlone(state: number, next: number): boolean {
  return state === ZERO && !(next >= 0x30 && next <= 0x39);
}

function describeByte(byte: number): string {
  if (byte === 0x27) return `"'"`;
  return byte > 0x20 && byte < 0x7f ? `'${String.fromCharCode(byte)}'` : `byte 0x${byte.toString(16).padStart(2, '0')}`;
}
