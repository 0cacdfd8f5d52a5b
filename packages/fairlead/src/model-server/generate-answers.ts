// SPDX-License-Identifier: Apache-2.0

/** Answers of the engines' own APIs: vLLM's tokens in, tokens out, and SGLang's texts with `meta_info`. */

import { openaiUsage } from './answers.ts';
import type { AnswerHead, Dialect } from './dialect.ts';
import type { GenerationRequest } from './inference-request.ts';
import { choiceCount, outputTokensOf, promptTokensOf, spoken } from './speech.ts';

const DONE = 'data: [DONE]\n\n';

/** vLLM's `/inference/v1/generate`. */
export const tokensDialect: Dialect = {
  idPrefix: 'generate-tokens-',
  frame(head, request, choice) {
    const last = outputTokensOf(request, choice) - 1;
    return {
      opening: '',
      token(index) {
        const ended = index === last ? request.finishReason : null;
        const choices = [{ index: choice, logprobs: null, finish_reason: ended, token_ids: [tokenId(index)] }];
        return `data: ${JSON.stringify({ request_id: head.id, choices })}\n\n`;
      },
    };
  },
  closing(head, request) {
    if (!request.includeUsage) return DONE;
    return `data: ${JSON.stringify({ request_id: head.id, choices: [], usage: openaiUsage(head, request) })}\n\n${DONE}`;
  },
  body(head, request) {
    const choices = Array.from({ length: choiceCount(request) }, (_, index) => ({
      index,
      logprobs: null,
      finish_reason: request.finishReason,
      token_ids: tokenIds(outputTokensOf(request, index)),
    }));
    const usage = openaiUsage(head, request);
    return JSON.stringify({ request_id: head.id, choices, prompt_logprobs: null, kv_transfer_params: null, usage });
  },
};

/** SGLang's `/generate`: each event has all of the text so far. */
export const sglangDialect: Dialect = {
  idPrefix: '',
  frame(head, request, choice) {
    const isOne = choiceCount(request) === 1;
    return {
      opening: '',
      token(index) {
        const so = soFar(head, request, { choice, count: index + 1 });
        return `data: ${JSON.stringify(isOne ? so : { ...so, index: choice })}\n\n`;
      },
    };
  },
  closing: () => DONE,
  body(head, request) {
    const all = Array.from({ length: choiceCount(request) }, (_, choice) =>
      soFar(head, request, { choice, count: outputTokensOf(request, choice) }),
    );
    return JSON.stringify(all.length === 1 && request.isBatch !== true ? all[0] : all);
  },
};

function soFar(head: AnswerHead, request: GenerationRequest, at: { choice: number; count: number }): object {
  const { choice, count } = at;
  const isOver = count === outputTokensOf(request, choice);
  const reason = request.finishReason === 'length' ? { type: 'length', length: count } : { type: 'stop', matched: 2 };
  return {
    text: spoken(request, choice, count),
    output_ids: tokenIds(count),
    meta_info: {
      id: choiceCount(request) === 1 ? head.id : `${head.id}-${choice}`,
      finish_reason: isOver ? reason : null,
      prompt_tokens: promptTokensOf(request, choice),
      weight_version: 'default',
      completion_tokens: count,
      cached_tokens: 0,
    },
  };
}

function tokenIds(count: number): number[] {
  return Array.from({ length: count }, (_, index) => tokenId(index));
}

/** Words have no numbers of their own: a token's is its place. */
function tokenId(index: number): number {
  return 100 + index;
}
