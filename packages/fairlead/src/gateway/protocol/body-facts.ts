// SPDX-License-Identifier: Apache-2.0

/** What the members of a body say, taken together: the facts that its way depends on, or the member that is wrong. */

import { positionOf } from './body-error.ts';
import type { BodyError } from './body-error.ts';
import { slotOf } from './body-members.ts';
import type { BodyMembers, Member } from './body-members.ts';
import { BODY_SHAPES } from './body-shapes.ts';
import type { BodyFamily, BodyShape } from './body-shapes.ts';
import type { JsonKind } from './json-object-scanner.ts';

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

/** The largest `n`: beyond it one request would be a fleet's work. */
export const MAX_N = 1024;
/** The longest name of a model, in UTF-16 units. */
export const MAX_MODEL_LENGTH = 256;

/** `sampling_params` longer than this hold more than sampling parameters. */
const MAX_SAMPLING_BYTES = 262_144;

/** A shape with the slots of its names. */
interface Slots {
  readonly shape: BodyShape;
  readonly prompt: readonly number[];
  readonly lists: readonly number[];
  readonly limits: readonly number[];
}

function slotsOf(shape: BodyShape): Slots {
  const { prompt, lists = [], limits = [] } = shape;
  return { shape, prompt: prompt.map(slotOf), lists: lists.map(slotOf), limits: limits.map(slotOf) };
}

const SLOTS = Object.fromEntries(
  Object.entries(BODY_SHAPES).map(([family, shape]) => [family, slotsOf(shape)]),
) as Readonly<Record<BodyFamily, Slots>>;
const MODEL = slotOf('model');
const STREAM = slotOf('stream');
const N = slotOf('n');
const SAMPLING_PARAMS = slotOf('sampling_params');

/** Reads the facts of a body that has been scanned. */
export function readFacts(members: BodyMembers, family: BodyFamily): BodyFacts | BodyError {
  const slots = SLOTS[family];
  const model = readModel(members);
  if (typeof model === 'object') return model;
  const read = readSampling(members, slots.shape);
  if ('message' in read) return read;
  const { sampling } = read;
  const n = readN(members, slots.shape, sampling);
  if (typeof n === 'object') return n;
  const maxTokens = readMaxTokens(members, slots, sampling);
  const facts: { -readonly [K in keyof BodyFacts]: BodyFacts[K] } = {
    stream: members.at(STREAM)?.kind === 'true',
    includeUsage: members.includeUsage,
    sequences: n * longestList(members, slots.lists),
    promptBytes: promptBytes(members, slots.prompt),
  };
  if (model !== undefined) facts.model = model;
  if (maxTokens !== undefined) facts.maxTokens = maxTokens;
  if (members.images > 0) facts.images = members.images;
  return facts;
}

/** Where the prompt lies in the body, in the order in which engines render it. */
export function promptSpans(members: BodyMembers, family: BodyFamily): Member[] {
  return SLOTS[family].prompt.map((slot) => members.at(slot)).filter((member) => member !== undefined);
}

type Sampling = Readonly<Record<string, unknown>>;
const NO_SAMPLING: { readonly sampling: Sampling } = { sampling: {} };

/**
 * `sampling_params` of the `generate` APIs. SGLang takes a list of them as well, one for each prompt, and wants the same
 * `n` in all: the first stands for them, and the most tokens that any allows are not known then.
 */
function readSampling(members: BodyMembers, shape: BodyShape): { readonly sampling: Sampling } | BodyError {
  const member = shape.samples === 'sampling_params' ? members.at(SAMPLING_PARAMS) : undefined;
  if (member === undefined || (member.kind !== 'object' && member.kind !== 'array')) return NO_SAMPLING;
  if (member.end - member.start > MAX_SAMPLING_BYTES) {
    return wrongMember(members, member, `sampling_params must be at most ${MAX_SAMPLING_BYTES} bytes, got more`);
  }
  const params = JSON.parse(members.textOf(member)) as Sampling | readonly (Sampling | null)[];
  return { sampling: isList(params) ? { n: params[0]?.['n'] } : params };
}

function readModel(members: BodyMembers): string | undefined | BodyError {
  const member = members.at(MODEL);
  if (member === undefined || member.kind === 'null') return undefined;
  if (member.kind !== 'string') return wrongModel(members, member, article(member.kind));
  if (member.end - member.start > 6 * MAX_MODEL_LENGTH + 2) return wrongModel(members, member, 'a longer one');
  const model = members.stringOf(member);
  if (model.length > MAX_MODEL_LENGTH) return wrongModel(members, member, 'a longer one');
  return model === '' ? wrongModel(members, member, 'an empty one') : model;
}

function wrongModel(members: BodyMembers, member: Member, got: string): BodyError {
  const allowed = `a non-empty string of at most ${MAX_MODEL_LENGTH} characters`;
  return wrongMember(members, member, `model must be ${allowed}, got ${got}`);
}

function readN(members: BodyMembers, shape: BodyShape, sampling: Sampling): number | BodyError {
  if (shape.samples === undefined) return 1;
  const inSampling = shape.samples === 'sampling_params';
  const member = members.at(inSampling ? SAMPLING_PARAMS : N);
  if (member === undefined || member.kind === 'null') return 1;
  const n = inSampling ? (sampling['n'] ?? 1) : members.numberOf(member);
  if (typeof n === 'number' && Number.isInteger(n) && n >= 1 && n <= MAX_N) return n;
  const got = typeof n === 'number' ? String(n) : article(inSampling ? kindOf(n) : member.kind);
  const name = inSampling ? 'sampling_params.n' : 'n';
  return wrongMember(members, member, `${name} must be an integer from 1 to ${MAX_N}, got ${got}`);
}

function readMaxTokens(members: BodyMembers, { shape, limits }: Slots, sampling: Sampling): number | undefined {
  for (let which = 0; which < limits.length; which += 1) {
    const limit = shape.limitsInSampling ? sampling[shape.limits![which]!] : limitOf(members, limits[which]!);
    if (limit === undefined || limit === null) continue;
    // The model server judges what is not sane; the gateway only must not build on it.
    return typeof limit === 'number' && Number.isSafeInteger(limit) && limit >= 1 ? limit : undefined;
  }
  return undefined;
}

/** Undefined when it is not there, and NaN when it is not a number. */
function limitOf(members: BodyMembers, slot: number): number | undefined {
  const member = members.at(slot);
  return member === undefined || member.kind === 'null' ? undefined : (members.numberOf(member) ?? NaN);
}

/** Sequences that the lists make of one sample. */
function longestList(members: BodyMembers, slots: readonly number[]): number {
  let longest = 1;
  for (const slot of slots) longest = Math.max(longest, members.at(slot)?.items ?? 1);
  return longest;
}

function promptBytes(members: BodyMembers, slots: readonly number[]): number {
  let sum = 0;
  for (const slot of slots) {
    const member = members.at(slot);
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
