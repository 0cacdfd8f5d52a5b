// SPDX-License-Identifier: Apache-2.0

/**
 * Reads token usage out of an answer as it passes by, whole JSON bodies and streams of server-sent events alike. The
 * bytes are relayed untouched; a chunk that does not hold the word (`"usage"`; in SGLang's own API `"meta_info"`) costs
 * one native search and is not kept.
 *
 * From the first `"usage": {` on, bytes are kept until the unit it belongs to ends (the body, or the event): only then
 * can be told at which level it stands, counting back from the unit's last brace, and `usage` inside a tool call's
 * arguments is not believed. What is kept is bounded; when it grows beyond, all but its tail is let go.
 */

import type { Usage } from '@fairlead/core';
import { KnownTexts } from '../../sockets/known-texts.ts';
import type { ApiFormat } from './error-bodies.ts';
import { LatestUsage, UsageOfSequences } from './usage.ts';
import type { UsageTally } from './usage.ts';

export interface UsageReader {
  push(chunk: Uint8Array): void;
  /** What has been told. May be called before the last byte; what is pushed afterwards is ignored. */
  end(): Usage | undefined;
}

interface Search {
  /** The name of the member, in quotes. */
  readonly word: Buffer;
  /** Deepest level at which a `usage` object is believed: 1 is a member of the outermost object. */
  readonly maxLevel: number;
  /** Most bytes kept. */
  readonly maxKeptBytes: number;
  /** What is kept of them when there are more. */
  readonly tailBytes: number;
}

const USAGE = Buffer.from('"usage"');
const BODY: Search = { word: USAGE, maxLevel: 1, maxKeptBytes: 1 << 20, tailBytes: 1 << 16 };
/** In events it may stand one level deeper: `response.usage`, `message.usage`. */
const EVENT: Search = { word: USAGE, maxLevel: 2, maxKeptBytes: 1 << 18, tailBytes: 1 << 16 };
/** SGLang answers a list of prompts with a list. */
const SGLANG: Search = { ...BODY, word: Buffer.from('"meta_info"'), maxLevel: 2 };

/** A `usage` object longer than this is none. */
const MAX_USAGE_BYTES = 16_384;

const TYPES = new KnownTexts((contentType) => {
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase();
  const isJson = type === '' || type === 'application/json' || type.endsWith('+json');
  return { isStream: type === 'text/event-stream', isJson };
});

/** A reader for an answer of this `content-type`: events, or else one JSON body. */
export function createUsageReader(contentType: string | undefined, api: ApiFormat = 'openai'): UsageReader {
  const { isStream, isJson } = TYPES.of(contentType ?? '');
  if (!isStream && !isJson) return { push: () => {}, end: () => undefined };
  if (api === 'sglang') return new PassingReader(SGLANG, isStream, new UsageOfSequences());
  return new PassingReader(isStream ? EVENT : BODY, isStream, new LatestUsage());
}

class PassingReader implements UsageReader {
  readonly #limits: Search;
  readonly #isStream: boolean;
  readonly #tally: UsageTally;
  /** The end of the last chunk when it may be the beginning of the word. */
  #carry: Buffer | undefined;
  readonly #kept: KeptBytes;
  #ended = false;

  constructor(limits: Search, isStream: boolean, tally: UsageTally) {
    this.#limits = limits;
    this.#isStream = isStream;
    this.#tally = tally;
    this.#kept = new KeptBytes();
  }

  push(chunk: Uint8Array): void {
    if (this.#ended || chunk.length === 0) return;
    let bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#carry !== undefined) {
      bytes = Buffer.concat([this.#carry, bytes]);
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
  #search(bytes: Buffer, from: number): void {
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
  #keepOn(bytes: Buffer): number {
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

  #read(unit: Buffer): void {
    for (const json of usagesIn(unit, this.#limits)) this.#tally.add(json);
  }
}

const NOTHING = Buffer.alloc(0);

/** Bytes in a buffer that doubles: chunks may be single bytes, and a list of them would cost more than they do. */
class KeptBytes {
  #buffer: Buffer = NOTHING;
  #isOwn = false;
  length = 0;

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  /** The first piece is kept as it is, without a copy: nobody changes what has passed. */
  append(bytes: Buffer): void {
    if (this.length === 0) {
      this.#buffer = bytes;
      this.#isOwn = false;
      this.length = bytes.length;
      return;
    }
    const length = this.length + bytes.length;
    if (length > this.#buffer.length || !this.#isOwn) {
      const larger = Buffer.allocUnsafeSlow(Math.max(1024, 2 * this.#buffer.length, length));
      this.#buffer.copy(larger, 0, 0, this.length);
      this.#buffer = larger;
      this.#isOwn = true;
    }
    bytes.copy(this.#buffer, this.length);
    this.length = length;
  }

  clear(): void {
    this.#buffer = NOTHING;
    this.length = 0;
  }
}

/** Where the next `word` lies that may have an object for a value; -1 when none does. */
function nextCandidate(bytes: Buffer, from: number, word: Buffer): number {
  for (let at = bytes.indexOf(word, from); at >= 0; at = bytes.indexOf(word, at + word.length)) {
    if (objectAfter(bytes, at + word.length) !== -1 && !isEscaped(bytes, at)) return at;
  }
  return -1;
}

/** Where the object begins that follows a word's end; -1 when something else does, the length when that is yet to come. */
function objectAfter(bytes: Buffer, wordEnd: number): number {
  const colon = skipBlanks(bytes, wordEnd);
  if (colon === bytes.length) return colon;
  if (bytes[colon] !== 0x3a) return -1;
  const value = skipBlanks(bytes, colon + 1);
  return value === bytes.length || bytes[value] === 0x7b ? value : -1;
}

function skipBlanks(bytes: Buffer, from: number): number {
  let at = from;
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at += 1;
  return at;
}

/** Whether the word's first quote is an escaped one, inside of a string that ends with the word. */
function isEscaped(bytes: Buffer, at: number): boolean {
  return at > 0 && bytes[at - 1] === 0x5c;
}

/** The end of `bytes` that the next chunk may make a word, or an escape, of; as a copy: the chunk's memory is not ours. */
function beginningOfWord(bytes: Buffer, word: Buffer): Buffer | undefined {
  if (bytes[bytes.length - 1] === 0x5c) return Buffer.from(bytes.subarray(-1));
  for (let at = Math.max(0, bytes.length - word.length + 1); at < bytes.length; at += 1) {
    if (bytes[at] !== word[0]) continue;
    const end = bytes.subarray(at);
    if (end.equals(word.subarray(0, end.length)) && !isEscaped(bytes, at)) return Buffer.from(end);
  }
  return undefined;
}

/** Where the blank line ends that ends an event; -1 when there is none yet. */
function endOfEvent(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(0x0a, from); at >= 0; at = bytes.indexOf(0x0a, at + 1)) {
    if (bytes[at + 1] === 0x0a) return at + 2;
    if (bytes[at + 1] === 0x0d && bytes[at + 2] === 0x0a) return at + 3;
  }
  return -1;
}

/**
 * The JSON texts of the objects of `unit` that have the word for a name and stand at most at `maxLevel`, in their order.
 * `unit` begins with a candidate, outside of any string, and ends where its outermost object has been closed: so the
 * level of each candidate follows from how much deeper it stands than the end.
 */
function usagesIn(unit: Buffer, { word, maxLevel }: Search): string[] {
  const open: { start: number; depth: number }[] = [];
  const closed: { start: number; end: number; depth: number }[] = [];
  let depth = 0;
  for (let at = 0; at < unit.length; at += 1) {
    const byte = unit[at];
    if (byte === 0x7b || byte === 0x5b) depth += 1;
    else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
      if (open.at(-1)?.depth === depth) closed.push({ ...open.pop()!, end: at + 1 });
    } else if (byte === 0x22) {
      const start = usageAt(unit, at, word);
      if (start !== -1) open.push({ start, depth });
      at = endOfString(unit, at) - 1;
    }
  }
  return closed
    .filter((one) => one.depth - depth <= maxLevel && one.end - one.start <= MAX_USAGE_BYTES)
    .map(({ start, end }) => unit.toString('utf8', start, end));
}

/** Where the object of a `"usage": {` at `at` begins; -1 when there is none. */
function usageAt(unit: Buffer, at: number, word: Buffer): number {
  // Most members have another name; to find that out by a native call costs more than all else.
  if (unit[at + 1] !== word[1]) return -1;
  if (unit.compare(word, 0, word.length, at, Math.min(at + word.length, unit.length)) !== 0) return -1;
  const start = objectAfter(unit, at + word.length);
  return start < unit.length ? start : -1;
}

/** Just behind the string that begins at `at`; the length when it does not end. */
function endOfString(bytes: Buffer, at: number): number {
  for (let next = at + 1; next < bytes.length; next += 1) {
    if (bytes[next] === 0x5c) next += 1;
    else if (bytes[next] === 0x22) return next + 1;
  }
  return bytes.length;
}
