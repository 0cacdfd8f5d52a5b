// SPDX-License-Identifier: Apache-2.0

/**
 * The model's name on its way back: where an answer says which model it is of, the name that the model server knows is
 * replaced by the one that the client asked for. It is found by its place and not by its text: the member `model` of a
 * document, or of its `response` or `message` (the events of OpenAI's responses and of Anthropic's messages begin so).
 * Whatever a model wrote, and whatever stands deeper, is passed on as it is. Chunks may end anywhere; only a name that is
 * not whole yet is held back.
 */

/** Members whose own `model` is the answer's. */
const ENVELOPES: ReadonlySet<string> = new Set(['response', 'message']);
/** The longest member name that means something. */
const MAX_KEY_BYTES = 8;
/** The longest name, each character being `\uXXXX`, with quotes. */
const MAX_NAME_BYTES = 6 * 256 + 2;
/** Deeper documents are passed on from there as they are. */
const MAX_DEPTH = 512;

const NOTHING = new Uint8Array(0);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const DATA_LINE = Buffer.from('data:');

export interface ModelNamesOptions {
  /** As the model server says it. */
  readonly from: string;
  /** As the client is told it. */
  readonly to: string;
  /** The answer is an event stream: one document on each `data:` line. */
  readonly isStream: boolean;
}

export class ModelNames {
  readonly #from: string;
  readonly #to: Buffer;
  readonly #isStream: boolean;
  /** Bytes of `data:` that the line has so far; -1 when it is another line, and the document's when it is whole. */
  #linePlace = 0;
  #depth = 0;
  readonly #isObject = new Uint8Array(MAX_DEPTH + 1);
  #isInString = false;
  #isEscaped = false;
  #isKeyNext = false;
  #isKey = false;
  #key = '';
  /** The member of the document that is being read. */
  #outerKey = '';
  /** A name that may have to be replaced, from its first quote on. */
  #held: number[] | undefined;
  #isOff = false;

  constructor({ from, to, isStream }: ModelNamesOptions) {
    this.#from = from;
    this.#to = Buffer.from(JSON.stringify(to));
    this.#isStream = isStream;
  }

  /** What of the answer can be passed on after this chunk; the chunk itself when nothing in it is to change. */
  push(chunk: Uint8Array): Uint8Array {
    const parts: Uint8Array[] = [];
    let passed = 0;
    for (let at = 0; at < chunk.length && !this.#isOff; at += 1) {
      const byte = chunk[at] as number;
      const wasHeld = this.#held !== undefined;
      if (this.#isStream && !this.#isInDocument(byte)) continue;
      this.#read(byte);
      if (wasHeld || this.#held !== undefined) {
        if (!wasHeld) parts.push(chunk.subarray(passed, at));
        passed = at + 1;
        if (this.#held === undefined) parts.push(this.#name);
      }
    }
    if (passed === 0 && parts.length === 0) return chunk;
    parts.push(chunk.subarray(passed));
    return Buffer.concat(parts);
  }

  /** What was held back of an answer that ended in the middle of a name. */
  end(): Uint8Array {
    const held = this.#held;
    this.#held = undefined;
    return held === undefined ? NOTHING : Uint8Array.from(held);
  }

  /** What takes the place of the name that was held last. */
  #name: Uint8Array = NOTHING;

  /** Whether the byte is one of a document: what follows `data:` on its line. */
  #isInDocument(byte: number): boolean {
    if (byte === NEWLINE || byte === 0x0d) {
      // A name never spans lines: one that is cut by its end is passed on as it was.
      this.#linePlace = 0;
      this.#depth = 0;
      this.#isInString = false;
      this.#isEscaped = false;
      return this.#held !== undefined;
    }
    if (this.#linePlace === DATA_LINE.length) return true;
    if (this.#linePlace >= 0) this.#linePlace = byte === DATA_LINE[this.#linePlace] ? this.#linePlace + 1 : -1;
    return false;
  }

  #read(byte: number): void {
    if (this.#held !== undefined) return this.#hold(byte);
    if (this.#isInString) return this.#readString(byte);
    if (byte === QUOTE) {
      this.#isInString = true;
      this.#isKey = this.#isKeyNext;
      this.#isKeyNext = false;
      if (this.#isKey) this.#key = '';
      else if (this.#isModel()) this.#held = [QUOTE];
    } else if (byte === 0x7b || byte === 0x5b) {
      if (this.#depth === 1) this.#outerKey = this.#isObject[1] === 1 ? this.#key : '';
      if (this.#depth === MAX_DEPTH) this.#isOff = true;
      else this.#isObject[(this.#depth += 1)] = byte === 0x7b ? 1 : 0;
      this.#isKeyNext = byte === 0x7b;
    } else if (byte === 0x7d || byte === 0x5d) {
      this.#depth = Math.max(0, this.#depth - 1);
      this.#key = '';
      this.#isKeyNext = false;
    } else if (byte === 0x2c) {
      this.#key = '';
      this.#isKeyNext = this.#isObject[this.#depth] === 1;
    }
  }

  /** Whether the value that begins is the answer's model. */
  #isModel(): boolean {
    if (this.#key !== 'model' || this.#isObject[this.#depth] !== 1) return false;
    return this.#depth === 1 || (this.#depth === 2 && ENVELOPES.has(this.#outerKey));
  }

  #readString(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) {
      this.#isInString = false;
      return;
    }
    // A longer one, or one with escapes, is none that means something.
    if (this.#isKey && this.#key.length <= MAX_KEY_BYTES) this.#key += String.fromCharCode(byte);
  }

  #hold(byte: number): void {
    const held = this.#held as number[];
    held.push(byte);
    const isEnd = byte === QUOTE && !this.#isEscaped;
    this.#isEscaped = byte === BACKSLASH && !this.#isEscaped;
    if (!isEnd && held.length <= MAX_NAME_BYTES && byte !== NEWLINE) return;
    const literal = Buffer.from(held);
    this.#name = isEnd && textOf(literal) === this.#from ? this.#to : literal;
    this.#held = undefined;
    this.#isInString = !isEnd && byte !== NEWLINE;
  }
}

function textOf(literal: Buffer): unknown {
  try {
    return JSON.parse(literal.toString());
  } catch {
    return undefined;
  }
}
