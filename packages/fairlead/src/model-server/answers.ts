// SPDX-License-Identifier: Apache-2.0

/**
 * vLLM's answers to OpenAI's oldest APIs, byte for byte what their clients parse: whole JSON bodies and the pieces of
 * server-sent events.
 */

import { TEXT, halves } from './dialect.ts';
import type { AnswerHead, Dialect, EventFrame } from './dialect.ts';
import type { EmbeddingRequest, GenerationRequest } from './inference-request.ts';
import { choiceCount, outputTokensOf, spoken, sum, tokenCounts } from './speech.ts';

const DONE = 'data: [DONE]\n\n';

/** `/v1/chat/completions`. */
export const chatDialect: Dialect = {
  idPrefix: 'chatcmpl-',
  frame(head, request, choice) {
    const frame = framing(head, request, choice);
    const { tool } = request;
    if (tool === undefined) {
      const opening = frame('"delta":{"role":"assistant","content":""}', false);
      return {
        opening,
        token: tokens(request, choice, (isLast) => halves(frame(`"delta":{"content":"${TEXT}"}`, isLast))),
      };
    }
    const call = { index: 0, id: callId(head, choice), type: 'function', function: { name: tool.name, arguments: '' } };
    const opening = frame(`"delta":{"role":"assistant","content":null,"tool_calls":[${JSON.stringify(call)}]}`, false);
    const piece = `"delta":{"tool_calls":[{"index":0,"function":{"arguments":"${TEXT}"}}]}`;
    return { opening, token: tokens(request, choice, (isLast) => halves(frame(piece, isLast))) };
  },
  closing: openaiClosing,
  body(head, request) {
    return wholeBody(head, request, (choice) => {
      const { tool } = request;
      const call = tool && {
        id: callId(head, choice),
        type: 'function',
        function: { name: tool.name, arguments: spoken(request, choice) },
      };
      const content = tool === undefined ? spoken(request, choice) : null;
      return { message: { role: 'assistant', content, refusal: null, tool_calls: call === undefined ? [] : [call] } };
    });
  },
};

/** `/v1/completions`. */
export const completionDialect: Dialect = {
  idPrefix: 'cmpl-',
  frame(head, request, choice) {
    const frame = framing(head, request, choice);
    return { opening: '', token: tokens(request, choice, (isLast) => halves(frame(`"text":"${TEXT}"`, isLast))) };
  },
  closing: openaiClosing,
  body: (head, request) =>
    wholeBody(head, request, (choice) => ({ text: spoken(request, choice), prompt_logprobs: null })),
};

/** Makes the events of one choice; the last has the reason for which it ended. */
function framing(head: AnswerHead, request: GenerationRequest, choice: number) {
  const start = `data: {${headFields(head, chunkObject(request))},"choices":[{"index":${choice},`;
  const finish = `"finish_reason":"${request.finishReason}","stop_reason":null`;
  return (content: string, isLast: boolean): string =>
    `${start}${content},"logprobs":null,${isLast ? finish : '"finish_reason":null'}}]}\n\n`;
}

/** `parts`: the text before and after that of a token. */
function tokens(
  request: GenerationRequest,
  choice: number,
  parts: (isLast: boolean) => readonly [string, string],
): EventFrame['token'] {
  const [before, after] = parts(false);
  const [lastBefore, lastAfter] = parts(true);
  const last = outputTokensOf(request, choice) - 1;
  return (index, text) => (index === last ? lastBefore + text + lastAfter : before + text + after);
}

function callId(head: AnswerHead, choice: number): string {
  return `call_${choice}_${head.id.slice(-24)}`;
}

function chunkObject({ kind }: GenerationRequest): string {
  return kind === 'chat' ? 'chat.completion.chunk' : 'text_completion';
}

/** The event that `stream_options.include_usage` asks for (no choices, and the usage), and the end. */
function openaiClosing(head: AnswerHead, request: GenerationRequest): string {
  if (!request.includeUsage) return DONE;
  const usage = JSON.stringify(openaiUsage(head, request));
  return `data: {${headFields(head, chunkObject(request))},"choices":[],"usage":${usage}}\n\n${DONE}`;
}

function wholeBody(head: AnswerHead, request: GenerationRequest, content: (choice: number) => object): string {
  const ending = { logprobs: null, finish_reason: request.finishReason, stop_reason: null };
  return JSON.stringify({
    id: head.id,
    object: request.kind === 'chat' ? 'chat.completion' : 'text_completion',
    created: head.createdS,
    model: head.model,
    choices: Array.from({ length: choiceCount(request) }, (_, index) => ({ index, ...content(index), ...ending })),
    usage: openaiUsage(head, request),
  });
}

export function embeddingBody(head: AnswerHead, request: EmbeddingRequest): string {
  const data = request.promptTokens.map((tokens, index) => {
    const vector = unitVector(tokens, request.dimensions);
    const embedding = request.encoding === 'float' ? [...vector] : Buffer.from(vector.buffer).toString('base64');
    return { index, object: 'embedding', embedding };
  });
  const tokens = sum(request.promptTokens);
  return JSON.stringify({
    id: head.id,
    object: 'list',
    created: head.createdS,
    model: head.model,
    data,
    usage: { prompt_tokens: tokens, total_tokens: tokens, completion_tokens: 0, prompt_tokens_details: null },
  });
}

export function modelsBody(list: {
  models: readonly string[];
  adapters: readonly string[];
  maxModelLen: number;
  createdS: number;
}): string {
  const root = list.models[0] ?? '';
  const card = (id: string, about: Record<string, unknown>): unknown => ({
    id,
    object: 'model',
    created: list.createdS,
    owned_by: 'vllm',
    ...about,
    permission: [],
  });
  const data = [
    ...list.models.map((id) => card(id, { root, parent: null, max_model_len: list.maxModelLen })),
    ...list.adapters.map((id) => card(id, { root: id, parent: root, max_model_len: null })),
  ];
  return JSON.stringify({ object: 'list', data });
}

function headFields(head: AnswerHead, object: string): string {
  return `"id":${JSON.stringify(head.id)},"object":"${object}","created":${head.createdS},"model":${JSON.stringify(head.model)}`;
}

/** Usage as OpenAI's chat and completions have it, and vLLM's own API. */
export function openaiUsage({ cachedTokens }: AnswerHead, request: GenerationRequest): Record<string, unknown> {
  const { prompt, completion } = tokenCounts(request);
  return {
    prompt_tokens: prompt,
    total_tokens: prompt + completion,
    completion_tokens: completion,
    prompt_tokens_details: cachedTokens === undefined ? null : { cached_tokens: cachedTokens() },
  };
}

/** A vector of length 1 that depends on the prompt's size alone. */
function unitVector(tokens: number, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  for (let index = 0; index < dimensions; index++) vector[index] = Math.sin(tokens + index + 1);
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}
