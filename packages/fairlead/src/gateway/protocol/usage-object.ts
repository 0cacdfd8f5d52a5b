// SPDX-License-Identifier: Apache-2.0

/**
 * What a `usage` object means, in every spelling that model servers use: OpenAI's chat and completions, its responses
 * API, Anthropic's messages, and the `meta_info` of SGLang's own API. Read where it lies, without building it.
 */

import type { Usage } from '@fairlead/core';
import { ByteNames } from './byte-names.ts';
import { literalText } from './byte-texts.ts';
import { numberIn } from './json-number.ts';
import { JsonObjectScanner } from './json-object-scanner.ts';
import type { JsonKind, JsonListener, Span } from './json-object-scanner.ts';

const NAMES: readonly string[] = [
  'prompt_tokens',
  'completion_tokens',
  'cached_tokens',
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'prompt_tokens_details',
  'input_tokens_details',
  'id',
];
const [PROMPT, COMPLETION, CACHED, INPUT, OUTPUT, CACHE_READ, CACHE_CREATION, PROMPT_DETAILS, INPUT_DETAILS, ID] =
  NAMES.keys() as unknown as readonly [number, number, number, number, number, number, number, number, number, number];

const MEMBERS = new ByteNames(NAMES);
/** What the details tell. */
const DETAILS = new ByteNames(['cached_tokens']);
const NOTHING: readonly undefined[] = NAMES.map(() => undefined);
const BACKSLASH = 0x5c;

/** Counts are whole numbers, or texts of up to ten digits; whatever else stands for one counts as absent. */
const DIGITS = /^\d{1,10}$/;

/** Reads the object that `bytes` are; undefined when they are not one. */
export function readUsageObject(bytes: Uint8Array): UsageObject | undefined {
  const object = new UsageObject(bytes);
  const scanner = new JsonObjectScanner(object);
  return scanner.feed(bytes) && scanner.finish() ? object : undefined;
}

export class UsageObject implements JsonListener {
  readonly #bytes: Uint8Array;
  /** By name; under the name of details what these tell. */
  readonly #counts: (number | undefined)[] = NOTHING.slice();
  #id = '';
  #name = -1;
  /** Whether the value of the details that comes next is what they tell. */
  #isDetail = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Of which sequence of the answer it speaks; empty when it does not say. */
  get id(): string {
    return this.#id;
  }

  /**
   * What it tells; what no request has is passed on as it is told (`saneUsage` brings it within bounds, and it is
   * counted). Anthropic tells the tokens read from and written to its cache beside `input_tokens`, not within: there the
   * prompt is their sum.
   */
  get usage(): Usage | undefined {
    const counts = this.#counts;
    const input = counts[INPUT];
    const anthropicInput =
      input === undefined ? undefined : input + (counts[CACHE_READ] ?? 0) + (counts[CACHE_CREATION] ?? 0);
    return withoutGaps({
      promptTokens: counts[PROMPT] ?? anthropicInput,
      completionTokens: counts[COMPLETION] ?? counts[OUTPUT],
      cachedTokens: counts[PROMPT_DETAILS] ?? counts[INPUT_DETAILS] ?? counts[CACHE_READ] ?? counts[CACHED],
    });
  }

  key(depth: number, start: number, end: number): void {
    this.#isDetail = false;
    if (depth === 1) {
      this.#name = this.#indexOf(MEMBERS, start, end);
      if (this.#isDetails) this.#counts[this.#name] = undefined;
    } else if (depth === 2 && this.#isDetails) {
      this.#isDetail = this.#indexOf(DETAILS, start, end) === 0;
    }
  }

  value(depth: number, kind: JsonKind, span: Span): void {
    if (this.#name < 0) return;
    if (depth === 1 ? this.#isDetails : !this.#isDetail) return;
    if (this.#name === ID) this.#id = kind === 'string' ? this.#textAt(span) : '';
    else this.#counts[this.#name] = this.#countAt(kind, span);
  }

  get #isDetails(): boolean {
    return this.#name === PROMPT_DETAILS || this.#name === INPUT_DETAILS;
  }

  #countAt(kind: JsonKind, span: Span): number | undefined {
    if (kind === 'number') {
      const tokens = numberIn(this.#bytes, span.start, span.end);
      return Number.isInteger(tokens) ? tokens : undefined;
    }
    if (kind !== 'string') return undefined;
    const text = this.#textAt(span);
    return DIGITS.test(text) ? Number(text) : undefined;
  }

  #textAt({ start, end }: Readonly<Span>): string {
    return literalText(Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start));
  }

  #indexOf(names: ByteNames, start: number, end: number): number {
    const index = names.indexIn(this.#bytes, start + 1, end - 1);
    if (index >= 0) return index;
    for (let at = start + 1; at < end; at += 1) {
      if (this.#bytes[at] !== BACKSLASH) continue;
      const name = Buffer.from(this.#textAt({ start, end }));
      return names.indexIn(name, 0, name.length);
    }
    return -1;
  }
}

/** Leaves out what is not told; undefined when that is all. */
export function withoutGaps({ promptTokens, completionTokens, cachedTokens }: Usage): Usage | undefined {
  if (promptTokens === undefined && completionTokens === undefined && cachedTokens === undefined) return undefined;
  const told: { -readonly [K in keyof Usage]: Usage[K] } = {};
  if (promptTokens !== undefined) told.promptTokens = promptTokens;
  if (completionTokens !== undefined) told.completionTokens = completionTokens;
  if (cachedTokens !== undefined) told.cachedTokens = cachedTokens;
  return told;
}
