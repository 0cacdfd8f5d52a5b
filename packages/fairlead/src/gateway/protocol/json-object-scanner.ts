// SPDX-License-Identifier: Apache-2.0

/**
 * Checks the whole syntax of a JSON object (RFC 8259, as strict as `JSON.parse`) over chunks as they came, without
 * building it, and tells a listener where its names and the values of its two outer levels lie. The state between two
 * bytes is a few numbers, so a chunk may end anywhere: inside a word, a number or an escape. UTF-8 is not checked: what a
 * model server makes of bad text inside a string is its own affair.
 *
 * Most bodies are short and consist of short tokens: one loop with a table look-up for each token takes those that lie
 * whole in a chunk; what is cut, long or escaped goes on a byte, or a run of them, at a time.
 */

import { HEX_ESCAPE, escapeKinds, isHexDigit, lastInteger } from './byte-runs.ts';
import { insideEnd } from './inside-string.ts';

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'true' | 'false' | 'null';

/** Depth 1 is a member of the object, depth 2 what is directly inside such a member. */
export interface JsonListener {
  /** A member's name lies at `[start, end)` of the body, quotes included. Told at every depth. */
  key(depth: number, start: number, end: number): void;
  /**
   * A value that lies at `[start, end)` of the body has ended; what is inside it was told before. Of a run of integers
   * in an array (tokens) only the last may be told. Told at depths 1 and 2.
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
const AFTER_MEMBER = 6;
const AFTER_ITEM = 7;
const AFTER_ROOT = 8;
const STRING = 9;
const ESCAPE = 10;
const HEX = 11;
const WORD = 12;
// Inside a number, see `numberState`.
const MINUS = 13;
const ZERO = 14;
const INTEGER = 15;
const POINT = 16;
const FRACTION = 17;
const EXPONENT = 18;
const EXPONENT_SIGN = 19;
const EXPONENT_DIGITS = 20;

const AFTER_VALUE = "',' or the end of the enclosing object or array";
const EXPECTED: readonly string[] = [
  'a JSON object',
  'a value',
  "a value or ']'",
  'a member name in double quotes',
  "a member name in double quotes or '}'",
  "':' after the member name",
  AFTER_VALUE,
  AFTER_VALUE,
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

// What to do with the byte that is next in a state up to AFTER_ROOT: a state means to pass it and be in that, and else:
const FAIL = 9;
const NAME = 10;
const TEXT = 11;
const OPEN = 12;
const CLOSE = 13;
const SCALAR = 14;

/** What to do by state and byte, 256 for each state. */
const actions = new Uint8Array((AFTER_ROOT + 1) << 8).fill(FAIL);

function act(states: readonly number[], bytes: string, action: number): void {
  for (const state of states) {
    for (const byte of Buffer.from(bytes)) actions[(state << 8) | byte] = action;
  }
}

for (let state = ROOT; state <= AFTER_ROOT; state += 1) act([state], ' \t\r\n', state);
act([ROOT], '{', OPEN);
act([VALUE, VALUE_OR_CLOSE], '{[', OPEN);
act([VALUE, VALUE_OR_CLOSE], '"', TEXT);
act([VALUE, VALUE_OR_CLOSE], '-0123456789tfn', SCALAR);
act([KEY, KEY_OR_CLOSE], '"', NAME);
act([COLON], ':', VALUE);
act([AFTER_MEMBER], ',', KEY);
act([AFTER_ITEM], ',', VALUE);
act([KEY_OR_CLOSE, AFTER_MEMBER], '}', CLOSE);
act([VALUE_OR_CLOSE, AFTER_ITEM], ']', CLOSE);

const QUOTE = 0x22;
/** The bytes of a string that stand for themselves. */
const isPlain = new Uint8Array(256).fill(1, 0x20);
isPlain[QUOTE] = isPlain[0x5c] = 0;

/** A string is looked through so far a byte at a time; from there on words are quicker. */
const SHORT_BYTES = 48;

const NO_BYTES: Uint8Array = new Uint8Array(0);

export class JsonObjectScanner {
  readonly #listener: JsonListener;
  #state = ROOT;
  #bytes = NO_BYTES;
  /** Of the same bytes, once a long string is looked through. */
  #view: DataView | undefined;
  /** Offset of the current chunk in the body. */
  #base = 0;
  #problem: SyntaxProblem | undefined;

  #depth = 0;
  /** Whether each open container is an object, outermost first; else it is an array. */
  readonly #isObject = [false, false, false, false, false, false, false, false];
  /** Where the value that is open at depths 1 and 2 began. */
  #start1 = 0;
  #start2 = 0;

  /** Of a token that does not end in its chunk, or needs a closer look. */
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
    this.#view = undefined;
    for (let at = 0; at < bytes.length;) {
      at = this.#state <= AFTER_ROOT ? this.#structure(at) : this.#inToken(at);
      if (this.#problem !== undefined) return false;
    }
    this.#base += bytes.length;
    return true;
  }

  /** No more bytes come. False when the object is not complete. */
  finish(): boolean {
    if (this.#state === AFTER_ROOT) return true;
    this.#problem = { message: `expected ${EXPECTED[this.#state]!}, but the body ends here`, offset: this.#base };
    return false;
  }

  /** Takes tokens from `at` on; returns where it left off, at the end or within a token. */
  #structure(from: number): number {
    const bytes = this.#bytes;
    const length = bytes.length;
    let state = this.#state;
    let at = from;
    while (at < length) {
      const byte = bytes[at]!;
      const action = actions[(state << 8) | byte]!;
      if (action < FAIL) {
        state = action;
        at += 1;
      } else if (action === NAME || action === TEXT) {
        const limit = Math.min(length, at + SHORT_BYTES);
        let end = at + 1;
        while (end < limit && isPlain[bytes[end]!] === 1) end += 1;
        if (end >= limit || bytes[end] !== QUOTE) {
          this.#begin(STRING, at);
          this.#isKey = action === NAME;
          return end;
        }
        end += 1;
        if (action === NAME) {
          this.#listener.key(this.#depth, this.#base + at, this.#base + end);
          state = COLON;
        } else {
          state = this.#endValue('string', this.#base + at, this.#base + end);
        }
        at = end;
      } else if (action === OPEN) {
        state = this.#open(byte === 0x7b, this.#base + at);
        if (state === FAIL) return this.#fail(at, `nested more than ${MAX_DEPTH} levels deep`);
        at += 1;
      } else if (action === CLOSE) {
        at += 1;
        state = this.#close(byte === 0x7d, this.#base + at);
      } else {
        this.#state = state;
        return action === SCALAR ? this.#beginScalar(byte, at) : this.#fail(at);
      }
    }
    this.#state = state;
    return at;
  }

  #open(isObject: boolean, start: number): number {
    const depth = this.#depth;
    if (depth === MAX_DEPTH) return FAIL;
    if (depth === 1) this.#start1 = start;
    else if (depth === 2) this.#start2 = start;
    this.#isObject[depth] = isObject;
    this.#depth = depth + 1;
    return isObject ? KEY_OR_CLOSE : VALUE_OR_CLOSE;
  }

  #close(isObject: boolean, end: number): number {
    this.#depth -= 1;
    return this.#endValue(isObject ? 'object' : 'array', this.#depth === 1 ? this.#start1 : this.#start2, end);
  }

  /** Tells of a value. Returns the state after it. */
  #endValue(kind: JsonKind, start: number, end: number): number {
    const depth = this.#depth;
    if (depth === 0) return AFTER_ROOT;
    if (depth <= 2) {
      this.#span.start = start;
      this.#span.end = end;
      this.#listener.value(depth, kind, this.#span);
    }
    return this.#isObject[depth - 1] === true ? AFTER_MEMBER : AFTER_ITEM;
  }

  #begin(state: number, at: number): void {
    this.#state = state;
    this.#tokenStart = this.#base + at;
  }

  /** A number or a word begins at `at`. */
  #beginScalar(byte: number, at: number): number {
    if (byte >= 0x61) {
      this.#begin(WORD, at);
      this.#word = byte === 0x74 ? 'true' : byte === 0x66 ? 'false' : 'null';
      this.#wordAt = 1;
    } else if (byte === 0x2d) this.#begin(MINUS, at);
    else if (byte === 0x30) this.#begin(ZERO, at);
    else {
      const start = this.#isObject[this.#depth - 1] === true ? at : lastInteger(this.#bytes, at);
      this.#begin(INTEGER, start);
      return start + 1;
    }
    return at + 1;
  }

  /** Goes on within a token. */
  #inToken(at: number): number {
    const state = this.#state;
    if (state === STRING) return this.#inString(at);
    if (state >= MINUS) return this.#inNumber(at);
    return state === WORD ? this.#inWord(at) : this.#inEscape(at);
  }

  #inString(from: number): number {
    const bytes = this.#bytes;
    this.#view ??= new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const at = insideEnd(bytes, this.#view, from);
    if (at === bytes.length) return at;
    const byte = bytes[at]!;
    if (byte === 0x5c) {
      this.#state = ESCAPE;
      return at + 1;
    }
    if (byte !== QUOTE) return this.#fail(at, 'a control character must be escaped inside a string');
    const end = this.#base + at + 1;
    if (this.#isKey) {
      this.#listener.key(this.#depth, this.#tokenStart, end);
      this.#state = COLON;
    } else this.#state = this.#endValue('string', this.#tokenStart, end);
    return at + 1;
  }

  #inEscape(at: number): number {
    const byte = this.#bytes[at]!;
    if (this.#state === ESCAPE) {
      const kind = escapeKinds[byte]!;
      if (kind === 0) return this.#fail(at);
      this.#hexDigits = 0;
      this.#state = kind === HEX_ESCAPE ? HEX : STRING;
      return at + 1;
    }
    if (!isHexDigit(byte)) return this.#fail(at);
    this.#hexDigits += 1;
    if (this.#hexDigits === 4) this.#state = STRING;
    return at + 1;
  }

  #inWord(from: number): number {
    const bytes = this.#bytes;
    const word = this.#word;
    let at = from;
    for (; at < bytes.length && this.#wordAt < word.length; at += 1) {
      if (bytes[at] !== word.charCodeAt(this.#wordAt)) return this.#fail(at);
      this.#wordAt += 1;
    }
    if (this.#wordAt === word.length) this.#state = this.#endValue(word, this.#tokenStart, this.#base + at);
    return at;
  }

  #inNumber(from: number): number {
    const bytes = this.#bytes;
    let state = this.#state;
    let at = from;
    for (; at < bytes.length; at += 1) {
      const byte = bytes[at]!;
      const isDigit = byte >= 0x30 && byte <= 0x39;
      if (isDigit && (state === INTEGER || state === FRACTION || state === EXPONENT_DIGITS)) continue;
      const next = isDigit ? afterDigit(state, byte) : afterSign(state, byte);
      if (next === 0) break;
      state = next;
    }
    this.#state = state;
    if (at === bytes.length) return at;
    const mayEnd =
      state === INTEGER || state === FRACTION || state === EXPONENT_DIGITS || isZeroAlone(state, bytes[at]!);
    if (!mayEnd) return this.#fail(at);
    this.#state = this.#endValue('number', this.#tokenStart, this.#base + at);
    return at;
  }

  #fail(at: number, message?: string): number {
    const found = describeByte(this.#bytes[at]!);
    this.#problem = {
      message: message ?? `expected ${EXPECTED[this.#state]!}, found ${found}`,
      offset: this.#base + at,
    };
    return at;
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
