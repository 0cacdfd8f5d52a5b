// SPDX-License-Identifier: Apache-2.0

/**
 * From a request body to the work it asks of the engine, for OpenAI's routes; what all APIs share is here too. Bodies
 * are untrusted: whatever they hold, the answer is a request or an `ApiError`.
 */

import { ApiError, badField, missingField } from './api-error.ts';
import { booleanField, integerField, isObject, objectsIn, shown } from './fields.ts';
import type { Body } from './fields.ts';
import { readToolChoice, toolCall } from './tool-call.ts';
import type { ToolCall } from './tool-call.ts';

/** Output tokens of a request that names no maximum: the model then ends by itself, with `finish_reason` `stop`. */
const DEFAULT_OUTPUT_TOKENS = 64;
/** Sequences that one request may start; vLLM's own cap is higher, but ours is reached in tests. */
const MAX_SEQUENCES = 1024;
const MAX_DIMENSIONS = 4096;
const DEFAULT_DIMENSIONS = 64;

/** What is served, and how much of it. */
export interface Served {
  readonly models: readonly string[];
  readonly adapters: readonly string[];
  readonly maxModelLen: number;
}

/** The API that a generation is asked for in, and answered in. */
export type GenerationKind = 'chat' | 'completion' | 'message' | 'response' | 'tokens' | 'sglang';

export interface GenerationRequest {
  readonly kind: GenerationKind;
  readonly model: string;
  readonly adapter: string | undefined;
  /** One entry a prompt. */
  readonly promptTokens: readonly number[];
  /** The prompts themselves, as they came. */
  readonly prompts: readonly unknown[];
  /** Whom it shares cached prompts with. */
  readonly cacheSalt: string;
  /** Sequences for each prompt. */
  readonly n: number;
  /** Of each sequence, prompt by prompt, capped by the context length. */
  readonly outputTokens: readonly number[];
  readonly finishReason: 'length' | 'stop' | 'tool_calls';
  /** Said in place of words. */
  readonly tool?: ToolCall | undefined;
  /** The request is a list, and wants one for an answer. */
  readonly isBatch?: boolean;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

export interface EmbeddingRequest {
  readonly kind: 'embedding';
  readonly model: string;
  readonly adapter: string | undefined;
  readonly promptTokens: readonly number[];
  readonly dimensions: number;
  readonly encoding: 'float' | 'base64';
}

/** @throws {ApiError} 400 when the bytes are not a JSON object. */
export function parseBody(bytes: Buffer): Body {
  let body: unknown;
  try {
    body = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ApiError(400, `[{'type': 'json_invalid', 'loc': ('body',), 'msg': 'JSON decode error: ${reason}'}]`);
  }
  if (!isObject(body)) throw new ApiError(400, 'the body must be a JSON object');
  return body;
}

/** @throws {ApiError} 400 or 404. */
export function parseChat(body: Body, served: Served): GenerationRequest {
  if (body['messages'] === undefined) throw missingField('messages');
  const messages = objectsIn(body['messages']);
  const tools = objectsIn(body['tools']).flatMap(({ function: tool }) =>
    isObject(tool) && typeof tool['name'] === 'string' ? [{ name: tool['name'], schema: tool['parameters'] }] : [],
  );
  const hasResult = messages.at(-1)?.['role'] === 'tool';
  const tool = toolCall(tools, readToolChoice(body['tool_choice']), hasResult);
  return parseGeneration(body, { kind: 'chat', served, promptTokens: [chatTokens(body['messages'])], tool });
}

/** @throws {ApiError} 400 or 404. */
export function parseCompletion(body: Body, served: Served): GenerationRequest {
  if (body['prompt'] === undefined) throw missingField('prompt');
  return parseGeneration(body, { kind: 'completion', served, promptTokens: promptTokens('prompt', body['prompt']) });
}

/** @throws {ApiError} 400 or 404. */
export function parseEmbedding(body: Body, served: Served): EmbeddingRequest {
  if (body['input'] === undefined) throw missingField('input');
  const encoding = body['encoding_format'] ?? 'float';
  if (encoding !== 'float' && encoding !== 'base64') {
    throw badField('encoding_format', `encoding_format must be float or base64, got ${shown(encoding)}.`);
  }
  const tokens = promptTokens('input', body['input']);
  for (const count of tokens) checkContext(count, served);
  const dimensions = integerField(body, 'dimensions', { fallback: DEFAULT_DIMENSIONS, max: MAX_DIMENSIONS });
  return { kind: 'embedding', ...modelOf(body, served), promptTokens: tokens, dimensions, encoding };
}

/** What a generation is made of beside the members that all APIs have. */
interface GenerationParts {
  readonly kind: GenerationKind;
  readonly served: Served;
  readonly promptTokens: readonly number[];
  readonly tool?: ToolCall | undefined;
  readonly isBatch?: boolean;
  /** Where `n` and the maximum stand; the body when absent. */
  readonly sampling?: Body;
  /** The name of the maximum. */
  readonly maximum?: string;
}

/** @throws {ApiError} 400 or 404. */
export function parseGeneration(body: Body, parts: GenerationParts): GenerationRequest {
  const { kind, served, tool, isBatch = false, sampling = body } = parts;
  const model = modelOf(body, served);
  const n = integerField(sampling, 'n', { fallback: 1, max: MAX_SEQUENCES });
  if (n * parts.promptTokens.length > MAX_SEQUENCES) {
    throw badField(
      'n',
      `a request may start ${MAX_SEQUENCES} sequences, got ${n} for each of ${parts.promptTokens.length} prompts.`,
    );
  }
  const field = parts.maximum ?? (body['max_completion_tokens'] != null ? 'max_completion_tokens' : 'max_tokens');
  const all = tool?.pieces.length ?? DEFAULT_OUTPUT_TOKENS;
  const asked = integerField(sampling, field, { fallback: all, max: Number.MAX_SAFE_INTEGER });
  const wanted = tool === undefined ? asked : Math.min(asked, all);
  const outputTokens = parts.promptTokens.map((count) => Math.min(wanted, checkContext(count, served)));
  const isWhole = tool === undefined ? sampling[field] == null : outputTokens.every((count) => count === all);
  const streamOptions = body['stream_options'];
  return {
    kind,
    ...model,
    promptTokens: parts.promptTokens,
    prompts: promptsIn(body, parts.promptTokens.length),
    cacheSalt: JSON.stringify([model.model, body['cache_salt'] ?? null]),
    n,
    outputTokens,
    finishReason: isWhole ? (tool === undefined ? 'stop' : 'tool_calls') : 'length',
    tool,
    isBatch,
    stream: booleanField(body, 'stream'),
    includeUsage: isObject(streamOptions) && booleanField(streamOptions, 'include_usage'),
  };
}

/** As vLLM: without a `model` the first one is meant. */
function modelOf(body: Body, served: Served): { model: string; adapter: string | undefined } {
  const model = body['model'] ?? served.models[0];
  if (typeof model !== 'string') throw badField('model', `model must be a string, got ${shown(model)}.`);
  if (served.models.includes(model)) return { model, adapter: undefined };
  if (served.adapters.includes(model)) return { model, adapter: model };
  throw new ApiError(404, `The model \`${model.slice(0, 200)}\` does not exist.`, {
    type: 'NotFoundError',
    param: 'model',
  });
}

/** Room that the context leaves for output. */
function checkContext(promptTokens: number, served: Served): number {
  const room = served.maxModelLen - promptTokens;
  if (room >= 1) return room;
  throw new ApiError(
    400,
    `This model's maximum context length is ${served.maxModelLen} tokens. However, your request has ${promptTokens} input tokens. Please reduce the length of the input messages.`,
    { type: 'BadRequestError', param: 'input_tokens' },
  );
}

/** A quarter of the text's bytes: a fair guess at what a tokenizer would make of English. */
export function tokensOf(textBytes: number): number {
  return Math.max(1, Math.ceil(textBytes / 4));
}

/** Tokens of a list of messages. @throws {ApiError} 400 */
export function chatTokens(messages: unknown): number {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw badField('messages', 'messages must be an array of at least one message.');
  }
  let bytes = 0;
  for (const message of messages as readonly unknown[]) {
    if (!isObject(message)) throw badField('messages', `each message must be an object, got ${shown(message)}.`);
    bytes += textBytes(message['content']);
  }
  return tokensOf(bytes);
}

/** Bytes of a text, or of the texts in a list of blocks. */
export function textBytes(content: unknown): number {
  if (typeof content === 'string') return Buffer.byteLength(content);
  let bytes = 0;
  for (const { text, content: inner } of objectsIn(content)) bytes += textBytes(text ?? inner);
  return bytes;
}

/** A text, a list of texts, a list of tokens, or a list of such lists. @throws {ApiError} 400 */
export function promptTokens(field: string, prompt: unknown): number[] {
  if (typeof prompt === 'string') return [tokensOf(Buffer.byteLength(prompt))];
  const wrong = `${field} must be a string, an array of strings, an array of tokens or an array of token arrays.`;
  if (!Array.isArray(prompt) || prompt.length === 0) throw badField(field, wrong);
  const items = prompt as readonly unknown[];
  if (isTokens(items)) return [items.length];
  if (items.length > MAX_SEQUENCES) {
    throw badField(field, `${field} may hold ${MAX_SEQUENCES} prompts, got ${items.length}.`);
  }
  return items.map((item) => {
    if (typeof item === 'string') return tokensOf(Buffer.byteLength(item));
    if (Array.isArray(item) && item.length > 0 && isTokens(item)) return item.length;
    throw badField(field, wrong);
  });
}

/** Members that make up a prompt, in the order in which they are rendered. */
const PROMPT_MEMBERS = ['system', 'instructions', 'messages', 'prompt', 'input', 'token_ids', 'text', 'input_ids'];

/** The prompts themselves; of several, each is an item of the one member. */
function promptsIn(body: Body, count: number): readonly unknown[] {
  const parts = PROMPT_MEMBERS.map((name) => body[name]).filter((part) => part != null);
  return count > 1 && Array.isArray(parts[0]) ? (parts[0] as readonly unknown[]) : [parts];
}

function isTokens(items: readonly unknown[]): boolean {
  return items.every((item) => typeof item === 'number');
}
