// SPDX-License-Identifier: Apache-2.0

/**
 * Requests of the APIs that are not OpenAI's oldest: Anthropic's messages, OpenAI's responses, vLLM's `generate`, and
 * SGLang's. As untrusted as the others.
 */

import { badField, missingField } from './api-error.ts';
import { isObject, objectsIn, shown } from './fields.ts';
import type { Body } from './fields.ts';
import { chatTokens, parseGeneration, promptTokens, textBytes, tokensOf } from './inference-request.ts';
import type { GenerationRequest, Served } from './inference-request.ts';
import { readToolChoice, toolCall } from './tool-call.ts';

/** `/v1/messages`. @throws {ApiError} 400 or 404. */
export function parseMessages(body: Body, served: Served): GenerationRequest {
  if (body['max_tokens'] === undefined) throw missingField('max_tokens');
  const tools = objectsIn(body['tools']).flatMap(({ name, input_schema: schema }) =>
    typeof name === 'string' ? [{ name, schema }] : [],
  );
  const last = objectsIn(objectsIn(body['messages']).at(-1)?.['content']);
  const hasResult = last.some(({ type }) => type === 'tool_result');
  const tool = toolCall(tools, readToolChoice(body['tool_choice']), hasResult);
  const maximum = 'max_tokens';
  const sampling = sole(body, maximum);
  return parseGeneration(body, {
    kind: 'message',
    served,
    promptTokens: [messageTokens(body)],
    tool,
    maximum,
    sampling,
  });
}

/** Tokens of `/v1/messages` and `/v1/messages/count_tokens`: instructions and messages. @throws {ApiError} 400 */
export function messageTokens(body: Body): number {
  if (body['messages'] === undefined) throw missingField('messages');
  return chatTokens([{ content: body['system'] }, ...(asMessages(body['messages']) as readonly unknown[])]);
}

/** `/v1/responses`. @throws {ApiError} 400 or 404. */
export function parseResponses(body: Body, served: Served): GenerationRequest {
  const { input } = body;
  if (input === undefined) throw missingField('input');
  if (typeof input !== 'string' && !Array.isArray(input)) {
    throw badField('input', `input must be a string or an array of items, got ${shown(input)}.`);
  }
  const tools = objectsIn(body['tools']).flatMap(({ type, name, parameters: schema }) =>
    type === 'function' && typeof name === 'string' ? [{ name, schema }] : [],
  );
  const hasResult = objectsIn(input).at(-1)?.['type'] === 'function_call_output';
  const tool = toolCall(tools, readToolChoice(body['tool_choice']), hasResult);
  const tokens = tokensOf(textBytes(body['instructions']) + textBytes(input));
  const maximum = 'max_output_tokens';
  const sampling = sole(body, maximum);
  return parseGeneration(body, { kind: 'response', served, promptTokens: [tokens], tool, maximum, sampling });
}

/** vLLM's `/inference/v1/generate`: tokens in, tokens out. @throws {ApiError} 400 or 404. */
export function parseTokens(body: Body, served: Served): GenerationRequest {
  if (body['token_ids'] === undefined) throw missingField('token_ids');
  const tokens = promptTokens('token_ids', body['token_ids']);
  if (typeof body['token_ids'] === 'string' || tokens.length !== 1) {
    throw badField('token_ids', 'token_ids must be an array of tokens.');
  }
  const sampling = isObject(body['sampling_params']) ? body['sampling_params'] : {};
  return parseGeneration(body, { kind: 'tokens', served, promptTokens: tokens, maximum: 'max_tokens', sampling });
}

/** SGLang's `/generate`. @throws {ApiError} 400 or 404. */
export function parseSglang(body: Body, served: Served): GenerationRequest {
  const field = body['text'] == null ? 'input_ids' : 'text';
  const prompt = body[field];
  if (prompt == null) throw badField('text', 'Either text, input_ids or input_embeds should be provided.');
  const tokens = promptTokens(field, prompt);
  const [first] = objectsIn(body['sampling_params']);
  const sampling = isObject(body['sampling_params']) ? body['sampling_params'] : (first ?? {});
  const isBatch = Array.isArray(prompt) && typeof prompt[0] !== 'number';
  const maximum = 'max_new_tokens';
  return parseGeneration(body, { kind: 'sglang', served, promptTokens: tokens, isBatch, maximum, sampling });
}

function asMessages(messages: unknown): unknown {
  if (Array.isArray(messages) && messages.length > 0) return messages;
  throw badField('messages', 'messages must be an array of at least one message.');
}

/** Nothing but one member: an API that has no `n` does not mind one. */
function sole(body: Body, member: string): Body {
  return { [member]: body[member] };
}
