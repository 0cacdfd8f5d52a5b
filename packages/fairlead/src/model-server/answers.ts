// SPDX-License-Identifier: Apache-2.0

/**
 * vLLM's answers, byte for byte what its clients parse: whole JSON bodies and the pieces of server-sent events.
 */

import type { EmbeddingRequest, GenerationRequest } from './inference-request.ts';
import { textOf } from './words.ts';

/** What every part of one answer repeats. */
export interface AnswerHead {
  readonly id: string;
  readonly createdS: number;
  readonly model: string;
}

/** The text around each word of one streamed choice, made once so that a token costs one concatenation. */
export interface EventFrame {
  /** Sent before the first token; empty where the API has none. */
  readonly opening: string;
  readonly beforeWord: string;
  readonly afterWord: string;
  readonly afterLastWord: string;
}

/** Sequences are numbered prompt by prompt: prompt p, sample s is choice `p * n + s`. */
export function choiceCount(request: GenerationRequest): number {
  return request.promptTokens.length * request.n;
}

export function outputTokensOf(request: GenerationRequest, choice: number): number {
  return request.outputTokens[Math.floor(choice / request.n)] ?? 0;
}

/** Where in the word list a choice begins: the same for the same request. */
export function firstWordOf(request: GenerationRequest, choice: number): number {
  return (request.promptTokens[Math.floor(choice / request.n)] ?? 0) + choice;
}

export function eventFrame(head: AnswerHead, request: GenerationRequest, choice: number): EventFrame {
  const start = `data: {${headFields(head, request.kind === 'chat' ? 'chat.completion.chunk' : 'text_completion')},"choices":[{"index":${choice},`;
  const finish = `"logprobs":null,"finish_reason":"${request.finishReason}","stop_reason":null}]}\n\n`;
  const goOn = '"logprobs":null,"finish_reason":null}]}\n\n';
  if (request.kind === 'chat') {
    return {
      opening: `${start}"delta":{"role":"assistant","content":""},${goOn}`,
      beforeWord: `${start}"delta":{"content":"`,
      afterWord: `"},${goOn}`,
      afterLastWord: `"},${finish}`,
    };
  }
  return { opening: '', beforeWord: `${start}"text":"`, afterWord: `",${goOn}`, afterLastWord: `",${finish}` };
}

/** The event that `stream_options.include_usage` asks for: no choices, and the usage. */
export function usageEvent(head: AnswerHead, request: GenerationRequest): string {
  const object = request.kind === 'chat' ? 'chat.completion.chunk' : 'text_completion';
  return `data: {${headFields(head, object)},"choices":[],"usage":${JSON.stringify(usageOf(request))}}\n\n`;
}

export function generationBody(head: AnswerHead, request: GenerationRequest): string {
  const choices: unknown[] = [];
  for (let index = 0; index < choiceCount(request); index++) {
    const text = textOf(firstWordOf(request, index), outputTokensOf(request, index));
    const ending = { logprobs: null, finish_reason: request.finishReason, stop_reason: null };
    choices.push(
      request.kind === 'chat'
        ? { index, message: { role: 'assistant', content: text, refusal: null, tool_calls: [] }, ...ending }
        : { index, text, ...ending, prompt_logprobs: null },
    );
  }
  return JSON.stringify({
    id: head.id,
    object: request.kind === 'chat' ? 'chat.completion' : 'text_completion',
    created: head.createdS,
    model: head.model,
    choices,
    usage: usageOf(request),
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

function usageOf(request: GenerationRequest): Record<string, unknown> {
  const prompt = sum(request.promptTokens);
  const completion = sum(request.outputTokens) * request.n;
  return {
    prompt_tokens: prompt,
    total_tokens: prompt + completion,
    completion_tokens: completion,
    prompt_tokens_details: null,
  };
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** A vector of length 1 that depends on the prompt's size alone. */
function unitVector(tokens: number, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  for (let index = 0; index < dimensions; index++) vector[index] = Math.sin(tokens + index + 1);
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}
