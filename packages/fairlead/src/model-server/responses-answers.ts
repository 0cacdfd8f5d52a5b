// SPDX-License-Identifier: Apache-2.0

/** Answers of OpenAI's responses API, as vLLM gives them: nothing is stored. */

import { TEXT, halves, namedEvent } from './dialect.ts';
import type { AnswerHead, Dialect, NamedEvent } from './dialect.ts';
import type { GenerationRequest } from './inference-request.ts';
import { outputTokensOf, spoken, tokenCounts } from './speech.ts';

/** `/v1/responses`. One output item: a message of one text, or one function call. */
export const responseDialect: Dialect = {
  idPrefix: 'resp_',
  frame(head, request) {
    const isCall = request.tool !== undefined;
    const opening: NamedEvent[] = [
      { type: 'response.created', response: response(head, request, 'in_progress') },
      { type: 'response.in_progress', response: response(head, request, 'in_progress') },
      { type: 'response.output_item.added', output_index: 0, item: item(head, request, 'in_progress') },
    ];
    if (!isCall) opening.push({ type: 'response.content_part.added', ...place(head), part: textPart('') });
    const delta = isCall
      ? { type: 'response.function_call_arguments.delta', ...callPlace(head), delta: TEXT }
      : { type: 'response.output_text.delta', ...place(head), logprobs: [], delta: TEXT };
    const [before, after] = halves(namedEvent(delta));
    // `}\n\n` comes last: the number goes in front of it.
    const beforeNumber = `${after.slice(0, -3)},"sequence_number":`;
    return {
      opening: numbered(opening, 0),
      token: (index, text) => `${before}${text}${beforeNumber}${opening.length + index}}\n\n`,
    };
  },
  closing(head, request) {
    const isCall = request.tool !== undefined;
    const text = spoken(request, 0);
    const done: NamedEvent[] = isCall
      ? [
          {
            type: 'response.function_call_arguments.done',
            ...callPlace(head),
            name: request.tool.name,
            arguments: text,
          },
        ]
      : [
          { type: 'response.output_text.done', ...place(head), logprobs: [], text },
          { type: 'response.content_part.done', ...place(head), part: textPart(text) },
        ];
    done.push({ type: 'response.output_item.done', output_index: 0, item: item(head, request, statusOf(request)) });
    const type = statusOf(request) === 'completed' ? 'response.completed' : 'response.incomplete';
    done.push({ type, response: response(head, request, statusOf(request)) });
    return numbered(done, (isCall ? 3 : 4) + outputTokensOf(request, 0));
  },
  body: (head, request) => JSON.stringify(response(head, request, statusOf(request))),
};

type Status = 'in_progress' | 'completed' | 'incomplete';

function numbered(events: readonly NamedEvent[], from: number): string {
  return events.map((event, index) => namedEvent({ ...event, sequence_number: from + index })).join('');
}

function statusOf({ finishReason }: GenerationRequest): Status {
  return finishReason === 'length' ? 'incomplete' : 'completed';
}

function response(head: AnswerHead, request: GenerationRequest, status: Status): object {
  const { prompt, completion } = tokenCounts(request);
  const isOver = status !== 'in_progress';
  return {
    id: head.id,
    object: 'response',
    created_at: head.createdS,
    status,
    error: null,
    incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    instructions: null,
    metadata: {},
    model: head.model,
    output: isOver ? [item(head, request, status)] : [],
    parallel_tool_calls: true,
    temperature: 1,
    tool_choice: 'auto',
    tools: [],
    top_p: 1,
    usage: isOver
      ? {
          input_tokens: prompt,
          input_tokens_details: { cached_tokens: head.cachedTokens?.() ?? 0 },
          output_tokens: completion,
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens: prompt + completion,
        }
      : null,
  };
}

function item(head: AnswerHead, request: GenerationRequest, status: Status): object {
  const text = status === 'in_progress' ? '' : spoken(request, 0);
  const { tool } = request;
  if (tool !== undefined) {
    const { item_id: id } = callPlace(head);
    return { id, type: 'function_call', status, call_id: `call_${id.slice(3)}`, name: tool.name, arguments: text };
  }
  const content = status === 'in_progress' ? [] : [textPart(text)];
  return { id: place(head).item_id, type: 'message', status, role: 'assistant', content };
}

function textPart(text: string): object {
  return { type: 'output_text', text, annotations: [], logprobs: [] };
}

function place(head: AnswerHead) {
  return { item_id: `msg_${head.id.slice(5)}`, output_index: 0, content_index: 0 };
}

function callPlace(head: AnswerHead) {
  return { item_id: `fc_${head.id.slice(5)}`, output_index: 0 };
}
