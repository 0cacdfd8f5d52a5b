// SPDX-License-Identifier: Apache-2.0

/**
 * What the gateway has to know of a request's body before it may wait: read in one pass over the chunks as they came,
 * without building the object and without joining them, while the whole syntax is checked. A malformed body is answered
 * here with its position and never takes a place in a queue; a well-formed one is read as the model server's own parser
 * reads it (outermost level only, escaped names decoded, the last of duplicate members wins), so that nobody can show
 * one model to the gateway and another to the engine.
 */

import { BODY_SHAPES, CACHE_SALT, READ_MEMBERS } from './body-shapes.ts';
import type { BodyFamily, BodyShape } from './body-shapes.ts';
import { JsonObjectScanner } from './json-object-scanner.ts';
import type { JsonKind, JsonListener, Span } from './json-object-scanner.ts';

export interface BodyFacts {
  /** Undefined when the body names none (or `null`). */
  readonly model?: string;
  readonly stream: boolean;
  /** `stream_options.include_usage`. */
  readonly includeUsage: boolean;
  /** Sequences the model server will run: `n` × prompts, at least 1. */
  readonly sequences: number;
  /** The most tokens the client allows in an answer, when it says so in a sane way. */
  readonly maxTokens?: number;
  /** Images among the messages; undefined for none. */
  readonly images?: number;
  /** Bytes of the members the model reads, as they stand in the body: an upper bound of the prompt's text. */
  readonly promptBytes: number;
}

export interface BodyError {
  /** One sentence that says what is wrong, where, and what is allowed. */
  readonly message: string;
  /** Byte offset in the body. */
  readonly offset: number;
  /** Counted from 1. */
  readonly line: number;
  /** Counted from 1, in characters. */
  readonly column: number;
  /** The member that is wrong, when it is not the syntax. */
  readonly param?: string;
}

/** The largest `n`: beyond it one request would be a fleet's work. */
export const MAX_N = 1024;
/** The longest name of a model, in UTF-16 units. */
export const MAX_MODEL_LENGTH = 256;

/** `sampling_params` longer than this hold more than sampling parameters. */
const MAX_SAMPLING_BYTES = 262_144;

/** Names are at most this long as they stand in the body, each character being `\uXXXX`, with quotes. */
const MAX_NAME_BYTES = 6 * Math.max(...[...READ_MEMBERS, 'include_usage'].map((name) => name.length)) + 2;
/** What a part of a message that is an image has once: OpenAI's chat and responses, Anthropic's messages. */
const IMAGE_NAMES: ReadonlySet<string> = new Set(['image_url', 'media_type']);
const IMAGE_LENGTHS: ReadonlySet<number> = new Set([...IMAGE_NAMES].map((name) => name.length + 2));
const MAX_NUMBER_BYTES = 32;

/** Reads a body. An object with a `message` is what is wrong with it. */
export function scanBody(chunks: readonly Uint8Array[], family: BodyFamily): BodyFacts | BodyError {
  return new BodyScan(chunks, family).next(Infinity)!;
}

/**
 * Reads a body a part at a time. Some bodies take a microsecond for thirty bytes (nothing but short members), and one of
 * the largest that is allowed would hold up everybody else's streams for a second.
 */
export class BodyScan {
  readonly #chunks: readonly Uint8Array[];
  readonly #family: BodyFamily;
  readonly #members: BodyMembers;
  readonly #scanner: JsonObjectScanner;
  #index = 0;

  constructor(chunks: readonly Uint8Array[], family: BodyFamily) {
    this.#chunks = chunks;
    this.#family = family;
    this.#members = new BodyMembers(chunks);
    this.#scanner = new JsonObjectScanner(this.#members);
  }

  /** Reads whole chunks until they have `bytes`; undefined when there are more. Not to be asked after it answered. */
  next(bytes: number): BodyFacts | BodyError | undefined {
    const chunks = this.#chunks;
    for (let read = 0; this.#index < chunks.length; this.#index += 1) {
      if (read >= bytes) return undefined;
      const chunk = chunks[this.#index]!;
      if (!this.#scanner.feed(chunk)) return this.#malformed();
      read += chunk.length;
    }
    return this.#scanner.finish() ? readFacts(this.#members, this.#family) : this.#malformed();
  }

  /** Where the prompt lies in the body, in the order in which engines render it; once the facts are known. */
  get promptSpans(): readonly Span[] {
    const { found } = this.#members;
    return BODY_SHAPES[this.#family].prompt.flatMap((name) => found.get(name) ?? []);
  }

  /** Where the body says with whom it shares its cache; undefined when it does not. */
  get saltSpan(): Span | undefined {
    const salt = this.#members.found.get(CACHE_SALT);
    return salt?.kind === 'string' ? salt : undefined;
  }

  /** Where the value of `model` lies, `null` included; undefined when there is none. To be asked when all is read. */
  get modelSpan(): { readonly start: number; readonly end: number } | undefined {
    return this.#members.found.get('model');
  }

  #malformed(): BodyError {
    const { message, offset } = this.#scanner.problem!;
    const { line, column } = positionOf(this.#chunks, offset);
    const isEmpty = this.#chunks.every((chunk) => chunk.length === 0);
    const text = isEmpty
      ? 'the request body is empty, a JSON object is required'
      : `malformed JSON at line ${line} column ${column}: ${message}`;
    return { message: text, offset, line, column };
  }
}

/** A value of the outermost level. */
interface Member {
  readonly kind: JsonKind;
  readonly start: number;
  readonly end: number;
  /** What is directly inside an array: lists and strings are items, a run of numbers is one item (a token array). */
  readonly items: number;
}

/** Keeps where the members that mean something lie. */
class BodyMembers implements JsonListener {
  readonly chunks: readonly Uint8Array[];
  readonly found = new Map<string, Member>();
  includeUsage = false;
  images = 0;
  readonly #text: ChunkText;
  #name: string | undefined;
  #isIncludeUsage = false;
  #items = 0;
  #hasNumbers = false;

  constructor(chunks: readonly Uint8Array[]) {
    this.chunks = chunks;
    this.#text = new ChunkText(chunks);
  }

  key(depth: number, start: number, end: number): void {
    if (depth === 1) {
      const name = this.#nameAt(start, end);
      this.#name = name !== undefined && READ_MEMBERS.has(name) ? name : undefined;
      this.#items = 0;
      this.#hasNumbers = false;
      if (name === 'stream_options') this.includeUsage = false;
    } else if (this.#name === 'stream_options') {
      this.#isIncludeUsage = this.#nameAt(start, end) === 'include_usage';
    } else if (this.#name !== undefined && depth > 2 && IMAGE_LENGTHS.has(end - start)) {
      if (IMAGE_NAMES.has(this.#nameAt(start, end) ?? '')) this.images += 1;
    }
  }

  value(depth: number, kind: JsonKind, span: Span): void {
    if (this.#name === undefined) return;
    if (depth === 2) {
      if (kind === 'number') this.#hasNumbers = true;
      else this.#items += 1;
      if (this.#isIncludeUsage) this.includeUsage = kind === 'true';
      return;
    }
    this.#isIncludeUsage = false;
    const items = kind === 'array' ? this.#items + (this.#hasNumbers ? 1 : 0) : 0;
    this.found.set(this.#name, { kind, start: span.start, end: span.end, items });
  }

  /** The text of a member as it stands in the body. */
  textOf(member: Member): string {
    return new ChunkText(this.chunks).read(member.start, member.end, 'utf8');
  }

  #nameAt(start: number, end: number): string | undefined {
    if (end - start > MAX_NAME_BYTES) return undefined;
    const text = this.#text.read(start, end, 'latin1');
    return text.includes('\\') ? decodeString(text) : text.slice(1, -1);
  }
}

/** Reads short texts out of chunks at offsets that never go back, so that no number of chunks makes it slow. */
class ChunkText {
  readonly #chunks: readonly Uint8Array[];
  #index = 0;
  #base = 0;

  constructor(chunks: readonly Uint8Array[]) {
    this.#chunks = chunks;
  }

  /** `latin1` is quicker and right for names, which are ASCII if they are ours. */
  read(start: number, end: number, encoding: 'latin1' | 'utf8'): string {
    while (start >= this.#base + this.#chunks[this.#index]!.length) {
      this.#base += this.#chunks[this.#index]!.length;
      this.#index += 1;
    }
    const chunk = this.#chunks[this.#index]!;
    if (end <= this.#base + chunk.length) {
      return asBuffer(chunk).toString(encoding, start - this.#base, end - this.#base);
    }
    const parts: Uint8Array[] = [];
    let base = this.#base;
    for (let index = this.#index; base < end; index += 1) {
      const next = this.#chunks[index]!;
      parts.push(next.subarray(Math.max(0, start - base), end - base));
      base += next.length;
    }
    return Buffer.concat(parts).toString(encoding);
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A short string literal whose syntax has been checked. */
function decodeString(literal: string): string {
  return JSON.parse(literal) as string;
}

function readFacts(members: BodyMembers, family: BodyFamily): BodyFacts | BodyError {
  const shape = BODY_SHAPES[family];
  const model = readModel(members);
  if (typeof model === 'object') return model;
  const read = readSampling(members, shape);
  if ('message' in read) return read;
  const { sampling } = read;
  const n = readN(members, shape, sampling);
  if (typeof n === 'object') return n;
  const maxTokens = readMaxTokens(members, shape, sampling);
  const { lists = [] } = shape;
  const facts: { -readonly [K in keyof BodyFacts]: BodyFacts[K] } = {
    stream: members.found.get('stream')?.kind === 'true',
    includeUsage: members.includeUsage,
    sequences: n * Math.max(1, ...lists.map((list) => members.found.get(list)?.items ?? 1)),
    promptBytes: promptBytes(members, shape),
  };
  if (model !== undefined) facts.model = model;
  if (maxTokens !== undefined) facts.maxTokens = maxTokens;
  if (members.images > 0) facts.images = members.images;
  return facts;
}

type Sampling = Readonly<Record<string, unknown>>;

/**
 * `sampling_params` of the `generate` APIs. SGLang takes a list of them as well, one for each prompt, and wants the same
 * `n` in all: the first stands for them, and the most tokens that any allows are not known then.
 */
function readSampling(members: BodyMembers, shape: BodyShape): { readonly sampling: Sampling } | BodyError {
  const member = shape.samples === 'sampling_params' ? members.found.get('sampling_params') : undefined;
  if (member === undefined || (member.kind !== 'object' && member.kind !== 'array')) return { sampling: {} };
  if (member.end - member.start > MAX_SAMPLING_BYTES) {
    return wrongMember(members, member, `sampling_params must be at most ${MAX_SAMPLING_BYTES} bytes, got more`);
  }
  const params = JSON.parse(members.textOf(member)) as Sampling | readonly (Sampling | null)[];
  return { sampling: isList(params) ? { n: params[0]?.['n'] } : params };
}

function readModel(members: BodyMembers): string | undefined | BodyError {
  const member = members.found.get('model');
  if (member === undefined || member.kind === 'null') return undefined;
  const allowed = `a non-empty string of at most ${MAX_MODEL_LENGTH} characters`;
  if (member.kind !== 'string')
    return wrongMember(members, member, `model must be ${allowed}, got ${article(member.kind)}`);
  const tooLong = member.end - member.start > 6 * MAX_MODEL_LENGTH + 2;
  const model = tooLong ? undefined : decodeString(members.textOf(member));
  if (model === undefined || model.length > MAX_MODEL_LENGTH) {
    return wrongMember(members, member, `model must be ${allowed}, got a longer one`);
  }
  return model === '' ? wrongMember(members, member, `model must be ${allowed}, got an empty one`) : model;
}

function readN(members: BodyMembers, shape: BodyShape, sampling: Sampling): number | BodyError {
  if (shape.samples === undefined) return 1;
  const inSampling = shape.samples === 'sampling_params';
  const member = members.found.get(inSampling ? 'sampling_params' : 'n');
  if (member === undefined || member.kind === 'null') return 1;
  const n = inSampling ? (sampling['n'] ?? 1) : numberOf(members, member);
  if (typeof n === 'number' && Number.isInteger(n) && n >= 1 && n <= MAX_N) return n;
  const got = typeof n === 'number' ? String(n) : article(inSampling ? kindOf(n) : member.kind);
  const name = inSampling ? 'sampling_params.n' : 'n';
  return wrongMember(members, member, `${name} must be an integer from 1 to ${MAX_N}, got ${got}`);
}

function readMaxTokens(members: BodyMembers, shape: BodyShape, sampling: Sampling): number | undefined {
  for (const name of shape.limits ?? []) {
    const limit = shape.limitsInSampling ? sampling[name] : limitOf(members, name);
    if (limit === undefined || limit === null) continue;
    // The model server judges what is not sane; the gateway only must not build on it.
    return typeof limit === 'number' && Number.isSafeInteger(limit) && limit >= 1 ? limit : undefined;
  }
  return undefined;
}

/** Undefined when it is not there, and NaN when it is not a number. */
function limitOf(members: BodyMembers, name: string): number | undefined {
  const member = members.found.get(name);
  return member === undefined || member.kind === 'null' ? undefined : (numberOf(members, member) ?? NaN);
}

function numberOf(members: BodyMembers, member: Member): number | undefined {
  if (member.kind !== 'number' || member.end - member.start > MAX_NUMBER_BYTES) return undefined;
  return Number(members.textOf(member));
}

function promptBytes(members: BodyMembers, shape: BodyShape): number {
  let sum = 0;
  for (const name of shape.prompt) {
    const member = members.found.get(name);
    if (member !== undefined) sum += member.end - member.start;
  }
  return sum;
}

function wrongMember(members: BodyMembers, member: Member, message: string): BodyError {
  const param = message.slice(0, message.indexOf(' '));
  return { message, offset: member.start, ...positionOf(members.chunks, member.start), param };
}

function isList(params: Sampling | readonly (Sampling | null)[]): params is readonly (Sampling | null)[] {
  return Array.isArray(params);
}

function kindOf(value: unknown): JsonKind {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  return Array.isArray(value) ? 'array' : 'object';
}

function article(kind: JsonKind): string {
  if (kind === 'true' || kind === 'false' || kind === 'null') return kind;
  return `${kind === 'object' || kind === 'array' ? 'an' : 'a'} ${kind}`;
}

/** Line and column of a byte. Only asked for a body that is refused. */
function positionOf(chunks: readonly Uint8Array[], offset: number): { line: number; column: number } {
  let line = 1;
  let column = 1;
  let base = 0;
  for (const chunk of chunks) {
    const end = Math.min(chunk.length, offset - base);
    for (let at = 0; at < end; at += 1) {
      const byte = chunk[at]!;
      if (byte === 0x0a) {
        line += 1;
        column = 1;
      } else if ((byte & 0xc0) !== 0x80) {
        column += 1;
      }
    }
    base += chunk.length;
    if (base >= offset) break;
  }
  return { line, column };
}
