// SPDX-License-Identifier: Apache-2.0

/**
 * Reads token usage out of an answer as it passes by, whole JSON bodies and streams of server-sent events alike. The
 * bytes are relayed untouched; a chunk that does not hold the word (`"usage"`; in SGLang's own API `"meta_info"`) costs
 * one search and is not kept.
 *
 * From the first `"usage": {` on, bytes are kept until the unit it belongs to ends (the body, or the event): only then
 * can be told at which level it stands, counting back from the unit's last brace, and `usage` inside a tool call's
 * arguments is not believed. What is kept is bounded; when it grows beyond, all but its tail is let go.
 */

import type { Usage } from '@fairlead/core';
import { KnownTexts } from '../../sockets/known-texts.ts';
import { ByteWord } from './byte-word.ts';
import type { ApiFormat } from './error-bodies.ts';
import { readUsageObject } from './usage-object.ts';
import { LatestUsage, UsageOfSequences } from './usage.ts';
import type { UsageTally } from './usage.ts';

export interface UsageReader {
  push(chunk: Uint8Array): void;
  /** What has been told. May be called before the last byte; what is pushed afterwards is ignored. */
  end(): Usage | undefined;
}

interface Search {
  /** The name of the member, in quotes. */
  readonly word: ByteWord;
  /** Deepest level at which a `usage` object is believed: 1 is a member of the outermost object. */
  readonly maxLevel: number;
  /** Most bytes kept. */
  readonly maxKeptBytes: number;
  /** What is kept of them when there are more. */
  readonly tailBytes: number;
}

const USAGE = new ByteWord('"usage"');
const BODY: Search = { word: USAGE, maxLevel: 1, maxKeptBytes: 1 << 20, tailBytes: 1 << 16 };
/** In events it may stand one level deeper: `response.usage`, `message.usage`. */
const EVENT: Search = { word: USAGE, maxLevel: 2, maxKeptBytes: 1 << 18, tailBytes: 1 << 16 };
/** SGLang answers a list of prompts with a list. */
const SGLANG: Search = { ...BODY, word: new ByteWord('"meta_info"'), maxLevel: 2 };

/** A `usage` object longer than this is none. */
const MAX_USAGE_BYTES = 16_384;

const TYPES = new KnownTexts((contentType) => {
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase();
  const isJson = type === '' || type === 'application/json' || type.endsWith('+json');
  return { isStream: type === 'text/event-stream', isJson };
});

/** Of what is neither: there is none. */
const NO_READER: UsageReader = { push: () => undefined, end: () => undefined };

/** A reader for an answer of this `content-type`: events, or else one JSON body. */
export function createUsageReader(contentType: string | undefined, api: ApiFormat = 'openai'): UsageReader {
  const { isStream, isJson } = TYPES.of(contentType ?? '');
  if (!isStream && !isJson) return NO_READER;
  if (api === 'sglang') return new PassingReader(SGLANG, isStream, new UsageOfSequences());
  return new PassingReader(isStream ? EVENT : BODY, isStream, new LatestUsage());
}

class PassingReader implements UsageReader {
  readonly #limits: Search;
  readonly #isStream: boolean;
  readonly #tally: UsageTally;
  /** The end of the last chunk when it may be the beginning of the word. */
  #carry: Uint8Array | undefined;
  /** What began with a candidate and has not ended; empty when nothing did. */
  readonly #kept = new KeptBytes();
  #ended = false;

  constructor(limits: Search, isStream: boolean, tally: UsageTally) {
    this.#limits = limits;
    this.#isStream = isStream;
    this.#tally = tally;
  }

  push(chunk: Uint8Array): void {
    if (this.#ended || chunk.length === 0) return;
    let bytes = chunk;
    if (this.#carry !== undefined) {
      bytes = Buffer.concat([this.#carry, chunk]);
      this.#carry = undefined;
    }
    this.#search(bytes, this.#kept.length > 0 ? this.#keepOn(bytes) : 0);
  }

  end(): Usage | undefined {
    if (!this.#ended && this.#kept.length > 0) this.#read(this.#kept.bytes);
    this.#ended = true;
    this.#kept.clear();
    return this.#tally.usage;
  }

  /** Looks for candidates from `from` on; reads the units that end within `bytes`, keeps what begins one that does not. */
  #search(bytes: Uint8Array, from: number): void {
    let at = from;
    while (at < bytes.length) {
      at = nextCandidate(bytes, at, this.#limits.word);
      if (at < 0) {
        this.#carry = beginningOfWord(bytes, this.#limits.word);
        return;
      }
      const end = this.#isStream ? endOfEvent(bytes, at) : -1;
      if (end < 0) {
        this.#kept.append(bytes.subarray(at));
        this.#letGo();
        return;
      }
      this.#read(bytes.subarray(at, end));
      at = end;
    }
  }

  /** Adds to what is kept. Returns where in `bytes` the search goes on: behind the event that ended, or at their end. */
  #keepOn(bytes: Uint8Array): number {
    const before = this.#kept.length;
    this.#kept.append(bytes);
    // The blank line may have begun in what was kept before.
    const end = this.#isStream ? endOfEvent(this.#kept.bytes, Math.max(0, before - 3)) : -1;
    if (end < 0) {
      this.#letGo();
      return bytes.length;
    }
    this.#read(this.#kept.bytes.subarray(0, end));
    this.#kept.clear();
    return end - before;
  }

  /** Bounds what is kept: of too much only the tail stays, from its first candidate on. */
  #letGo(): void {
    if (this.#kept.length <= this.#limits.maxKeptBytes) return;
    const tail = this.#kept.bytes.subarray(-this.#limits.tailBytes);
    this.#kept.clear();
    const at = nextCandidate(tail, 0, this.#limits.word);
    if (at >= 0) this.#kept.append(tail.subarray(at));
    else this.#carry = beginningOfWord(tail, this.#limits.word);
  }

  #read(unit: Uint8Array): void {
    for (const { start, end } of usagesIn(unit, this.#limits)) {
      const object = readUsageObject(unit.subarray(start, end));
      if (object !== undefined) this.#tally.add(object);
    }
  }
}

const NOTHING = Buffer.alloc(0);

/** Copies of bytes, in a buffer that doubles: chunks may be single bytes, and a list of them would cost more than they do. */
class KeptBytes {
  #buffer: Buffer = NOTHING;
  length = 0;

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }

  append(bytes: Uint8Array): void {
    const length = this.length + bytes.length;
    if (length > this.#buffer.length) {
      // Mostly there is one piece, and no more.
      const larger = Buffer.allocUnsafe(this.length === 0 ? length : Math.max(1024, 2 * length));
      this.#buffer.copy(larger, 0, 0, this.length);
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.length);
    this.length = length;
  }

  clear(): void {
    this.#buffer = NOTHING;
    this.length = 0;
  }
}

/** Where the next `word` lies that may have an object for a value; -1 when none does. */
function nextCandidate(bytes: Uint8Array, from: number, word: ByteWord): number {
  for (let at = word.indexIn(bytes, from); at >= 0; at = word.indexIn(bytes, at + word.length)) {
    if (objectAfter(bytes, at + word.length) !== -1 && !isEscaped(bytes, at)) return at;
  }
  return -1;
}

/** Where the object begins that follows a word's end; -1 when something else does, the length when that is yet to come. */
function objectAfter(bytes: Uint8Array, wordEnd: number): number {
  const colon = skipBlanks(bytes, wordEnd);
  if (colon === bytes.length) return colon;
  if (bytes[colon] !== 0x3a) return -1;
  const value = skipBlanks(bytes, colon + 1);
  return value === bytes.length || bytes[value] === 0x7b ? value : -1;
}

function skipBlanks(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at += 1;
  return at;
}

/** Whether the word's first quote is an escaped one, inside of a string that ends with the word. */
function isEscaped(bytes: Uint8Array, at: number): boolean {
  return at > 0 && bytes[at - 1] === 0x5c;
}

/** The end of `bytes` that the next chunk may make a word, or an escape, of; as a copy: the chunk's memory is not ours. */
function beginningOfWord(bytes: Uint8Array, word: ByteWord): Uint8Array | undefined {
  if (bytes[bytes.length - 1] === 0x5c) return Uint8Array.of(0x5c);
  let at = word.beginningIn(bytes, 0);
  while (at < bytes.length && isEscaped(bytes, at)) at = word.beginningIn(bytes, at + 1);
  return at === bytes.length ? undefined : new Uint8Array(bytes.subarray(at));
}

/** Where the blank line ends that ends an event; -1 when there is none yet. */
function endOfEvent(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0x0a, from); at >= 0; at = bytes.indexOf(0x0a, at + 1)) {
    if (bytes[at + 1] === 0x0a) return at + 2;
    if (bytes[at + 1] === 0x0d && bytes[at + 2] === 0x0a) return at + 3;
  }
  return -1;
}

/** An object of a unit, and how much deeper it stands than the unit's beginning. */
interface Found {
  readonly start: number;
  end: number;
  readonly depth: number;
  /** The one that it stands within. */
  readonly outer: Found | undefined;
}

const OPEN = 1;
const CLOSE = 2;
const QUOTE = 3;
/** What a byte means outside of strings, if it has to do with levels. */
const meanings = new Uint8Array(256);
meanings[0x7b] = meanings[0x5b] = OPEN;
meanings[0x7d] = meanings[0x5d] = CLOSE;
meanings[0x22] = QUOTE;

/**
 * The objects of `unit` that have the word for a name and stand at most at `maxLevel`, in the order in which they end.
 * `unit` begins with a candidate, outside of any string, and ends where its outermost object has been closed: so the
 * level of each candidate follows from how much deeper it stands than the end.
 */
function usagesIn(unit: Uint8Array, { word, maxLevel }: Search): Found[] {
  const { length } = unit;
  const closed: Found[] = [];
  let open: Found | undefined;
  let depth = 0;
  for (let at = 0; at < length; at += 1) {
    const meaning = meanings[unit[at]!]!;
    if (meaning === 0) continue;
    if (meaning === OPEN) depth += 1;
    else if (meaning === CLOSE) {
      depth -= 1;
      if (open?.depth !== depth) continue;
      open.end = at + 1;
      closed.push(open);
      open = open.outer;
    } else {
      const start = usageAt(unit, at, word);
      if (start !== -1) open = { start, end: length, depth, outer: open };
      at = endOfString(unit, at);
    }
  }
  return closed.filter((one) => one.depth - depth <= maxLevel && one.end - one.start <= MAX_USAGE_BYTES);
}

/** Where the object of a `"usage": {` at `at` begins; -1 when there is none. */
function usageAt(unit: Uint8Array, at: number, word: ByteWord): number {
  if (!word.isAt(unit, at)) return -1;
  const start = objectAfter(unit, at + word.length);
  return start < unit.length ? start : -1;
}

/** Where the string that begins at `at` has its last quote; the length when it does not end. */
function endOfString(bytes: Uint8Array, at: number): number {
  const { length } = bytes;
  for (let next = at + 1; next < length; next += 1) {
    const byte = bytes[next]!;
    if (byte === 0x22) return next;
    if (byte === 0x5c) next += 1;
  }
  return length;
}
