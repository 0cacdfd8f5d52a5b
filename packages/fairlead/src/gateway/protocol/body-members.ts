// SPDX-License-Identifier: Apache-2.0

/** Keeps where the members of a body that mean something lie, while it is scanned. */

import { MEMBER_NAMES } from './body-shapes.ts';
import { ByteNames } from './byte-names.ts';
import { ByteTexts } from './byte-texts.ts';
import { ChunkText } from './chunk-text.ts';
import { numberIn } from './json-number.ts';
import type { JsonKind, JsonListener, Span } from './json-object-scanner.ts';

/** A value of the outermost level. */
export interface Member extends Readonly<Span> {
  readonly kind: JsonKind;
  /** What is directly inside an array: lists and strings are items, a run of numbers is one item (a token array). */
  readonly items: number;
}

/** Stands for a name in what is asked of `BodyMembers`. */
export function slotOf(name: string): number {
  return MEMBER_NAMES.indexOf(name);
}

const NAMES = new ByteNames(MEMBER_NAMES);
const TEXTS = new ByteTexts();
const NOTHING: readonly undefined[] = MEMBER_NAMES.map(() => undefined);
const STREAM_OPTIONS = slotOf('stream_options');
const MESSAGES = slotOf('messages');
const INPUT = slotOf('input');
const INCLUDE_USAGE = 'include_usage';
const USAGE_NAMES = new ByteNames([INCLUDE_USAGE]);
/** What a part of a message that is an image has once: OpenAI's chat and responses, Anthropic's messages. */
const IMAGE_NAMES = new ByteNames(['image_url', 'media_type']);

/** Names are at most this long as they stand in the body, each character being `\uXXXX`, with quotes. */
const MAX_NAME_BYTES = 6 * Math.max(...[...MEMBER_NAMES, INCLUDE_USAGE].map((name) => name.length)) + 2;
/** A number longer than this is none that could be used. */
const MAX_NUMBER_BYTES = 32;
const BACKSLASH = 0x5c;
const NO_BYTES = new Uint8Array(0);

export class BodyMembers implements JsonListener {
  readonly chunks: readonly Uint8Array[];
  includeUsage = false;
  images = 0;
  readonly #found: (Member | undefined)[] = NOTHING.slice();
  /** The chunk that is being scanned, and where it begins in the body. */
  #chunk: Uint8Array = NO_BYTES;
  #base = 0;
  #texts: ChunkText | undefined;
  /** Of the member that is being scanned; -1 when it means nothing. */
  #slot = -1;
  #isIncludeUsage = false;
  #items = 0;
  #hasNumbers = false;

  constructor(chunks: readonly Uint8Array[]) {
    this.chunks = chunks;
  }

  /** The next chunk is scanned from now on. */
  enter(chunk: Uint8Array): void {
    this.#base += this.#chunk.length;
    this.#chunk = chunk;
  }

  key(depth: number, start: number, end: number): void {
    if (depth === 1) {
      this.#slot = this.#indexOf(NAMES, start, end);
      this.#items = 0;
      this.#hasNumbers = false;
      if (this.#slot === STREAM_OPTIONS) this.includeUsage = false;
    } else if (depth > 2) {
      const hasImages = this.#slot === MESSAGES || this.#slot === INPUT;
      if (hasImages && this.#indexOf(IMAGE_NAMES, start, end) >= 0) this.images += 1;
    } else if (this.#slot === STREAM_OPTIONS) {
      this.#isIncludeUsage = this.#indexOf(USAGE_NAMES, start, end) === 0;
    }
  }

  value(depth: number, kind: JsonKind, span: Span): void {
    if (this.#slot < 0) return;
    if (depth === 2) {
      if (kind === 'number') this.#hasNumbers = true;
      else this.#items += 1;
      if (this.#isIncludeUsage) this.includeUsage = kind === 'true';
      return;
    }
    this.#isIncludeUsage = false;
    const items = kind === 'array' ? this.#items + (this.#hasNumbers ? 1 : 0) : 0;
    this.#found[this.#slot] = { kind, start: span.start, end: span.end, items };
  }

  /** The last member of this name. */
  at(slot: number): Member | undefined {
    return this.#found[slot];
  }

  /** The text of a member as it stands in the body. */
  textOf({ start, end }: Member): string {
    return new ChunkText(this.chunks).bytes(start, end).toString();
  }

  /** What a member means that is a string. */
  stringOf(member: Member): string {
    const from = member.start - this.#base;
    if (from >= 0) return TEXTS.of(this.#chunk, from, member.end - this.#base);
    return JSON.parse(this.textOf(member)) as string;
  }

  /** Undefined when it is none, or one that nobody could mean. */
  numberOf(member: Member): number | undefined {
    if (member.kind !== 'number' || member.end - member.start > MAX_NUMBER_BYTES) return undefined;
    const from = member.start - this.#base;
    return from < 0 ? Number(this.textOf(member)) : numberIn(this.#chunk, from, member.end - this.#base);
  }

  #indexOf(names: ByteNames, start: number, end: number): number {
    const chunk = this.#chunk;
    const from = start - this.#base;
    const to = end - this.#base;
    if (from < 0) return end - start > MAX_NAME_BYTES ? -1 : this.#decodedIndex(names, start, end);
    const index = names.indexIn(chunk, from + 1, to - 1);
    if (index >= 0 || end - start > MAX_NAME_BYTES) return index;
    for (let at = from + 1; at < to; at += 1) {
      if (chunk[at] === BACKSLASH) return this.#decodedIndex(names, start, end);
    }
    return -1;
  }

  /** Of a name that is cut, or written with escapes. */
  #decodedIndex(names: ByteNames, start: number, end: number): number {
    this.#texts ??= new ChunkText(this.chunks);
    const name = Buffer.from(JSON.parse(this.#texts.bytes(start, end).toString()) as string);
    return names.indexIn(name, 0, name.length);
  }
}
