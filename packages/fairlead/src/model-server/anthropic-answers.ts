// SPDX-License-Identifier: Apache-2.0

/** Answers of Anthropic's messages API, as vLLM gives them. */

import { TEXT, halves, namedEvent } from './dialect.ts';
import type { AnswerHead, Dialect } from './dialect.ts';
import type { GenerationRequest } from './inference-request.ts';
import { outputTokensOf, spoken, tokenCounts } from './speech.ts';

const STOP_REASONS = { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use' } as const;

/** `/v1/messages`. One message, of one text or one tool call. */
export const messageDialect: Dialect = {
  idPrefix: 'msg_',
  frame(head, request) {
    const { tool } = request;
    const { prompt } = tokenCounts(request);
    const block = tool === undefined ? { type: 'text', text: '' } : { ...toolBlock(head, tool.name), input: {} };
    const delta =
      tool === undefined ? { type: 'text_delta', text: TEXT } : { type: 'input_json_delta', partial_json: TEXT };
    const [before, after] = halves(namedEvent({ type: 'content_block_delta', index: 0, delta }));
    const blockStop = namedEvent({ type: 'content_block_stop', index: 0 });
    const last = outputTokensOf(request, 0) - 1;
    return {
      opening:
        namedEvent({
          type: 'message_start',
          message: message(head, { content: [], reason: null, prompt, completion: 0 }),
        }) +
        namedEvent({ type: 'content_block_start', index: 0, content_block: block }) +
        namedEvent({ type: 'ping' }),
      token: (index, text) => before + text + after + (index === last ? blockStop : ''),
    };
  },
  closing(_head, request) {
    const { prompt, completion } = tokenCounts(request);
    const delta = { stop_reason: STOP_REASONS[request.finishReason], stop_sequence: null };
    const usage = { input_tokens: prompt, output_tokens: completion };
    return namedEvent({ type: 'message_delta', delta, usage }) + namedEvent({ type: 'message_stop' });
  },
  body(head, request) {
    const reason = STOP_REASONS[request.finishReason];
    return JSON.stringify(message(head, { content: [content(head, request)], reason, ...tokenCounts(request) }));
  },
};

/** `/v1/messages/count_tokens`. */
export function tokenCountBody(tokens: number): string {
  return JSON.stringify({ input_tokens: tokens });
}

interface MessageParts {
  readonly content: readonly unknown[];
  readonly reason: string | null;
  readonly prompt: number;
  readonly completion: number;
}

function message(head: AnswerHead, { content, reason, prompt, completion }: MessageParts): object {
  return {
    id: head.id,
    type: 'message',
    role: 'assistant',
    model: head.model,
    content,
    stop_reason: reason,
    stop_sequence: null,
    usage: { input_tokens: prompt, output_tokens: completion },
  };
}

function content(head: AnswerHead, request: GenerationRequest): object {
  const text = spoken(request, 0);
  if (request.tool === undefined) return { type: 'text', text };
  // Cut short by the maximum, the arguments are no JSON.
  const isWhole = request.finishReason === 'tool_calls';
  return { ...toolBlock(head, request.tool.name), input: isWhole ? (JSON.parse(text) as unknown) : {} };
}

function toolBlock(head: AnswerHead, name: string): object {
  return { type: 'tool_use', id: `toolu_${head.id.slice(-24)}`, name };
}
