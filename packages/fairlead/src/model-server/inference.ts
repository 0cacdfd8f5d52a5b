// SPDX-License-Identifier: Apache-2.0

/**
 * One inference request from its parsed body to the last byte of its answer: its sequences go into the engine, their
 * tokens come out as events or as one JSON body, and a client that leaves takes its sequences with it at once.
 */

import type { ServerResponse } from 'node:http';
import { embeddingBody } from './answers.ts';
import type { AnswerHead } from './dialect.ts';
import { DIALECTS } from './dialects.ts';
import type { Engine, Sequence, Work } from './engine.ts';
import { EventStream } from './event-stream.ts';
import type { EmbeddingRequest, GenerationRequest } from './inference-request.ts';
import { promptBlocks } from './prefix-cache.ts';
import { choiceCount, outputTokensOf, promptTokensOf, sum } from './speech.ts';

/** Answers by generating text, streamed or whole. */
export function generate(
  engine: Engine,
  request: GenerationRequest,
  to: { response: ServerResponse; requestId: string },
): void {
  const dialect = DIALECTS[request.kind];
  const cached = request.prompts.map(() => 0);
  const head: AnswerHead = {
    ...answerHead(`${dialect.idPrefix}${to.requestId}`, request.model),
    ...(engine.cachesPrefixes && { cachedTokens: () => sum(cached) }),
  };
  const blocks = engine.cachesPrefixes
    ? request.prompts.map((prompt) => promptBlocks(prompt, request.cacheSalt))
    : undefined;
  const stream = request.stream ? new EventStream(to.response, head, request) : undefined;
  const works: Work[] = [];
  let unfinished = choiceCount(request);
  for (let index = 0; index < choiceCount(request); index++) {
    const prompt = Math.floor(index / request.n);
    works.push({
      promptTokens: promptTokensOf(request, index),
      blocks: blocks?.[prompt],
      onCached(tokens) {
        // Further samples of a prompt find what the first has left.
        if (index % request.n === 0) cached[prompt] = tokens;
      },
      outputTokens: outputTokensOf(request, index),
      adapter: request.adapter,
      onTokens(count, finished) {
        stream?.advance(index, count);
        if (finished && --unfinished === 0 && stream === undefined) sendJson(to.response, dialect.body(head, request));
      },
    });
  }
  run(engine, works, to.response);
}

/** Answers with embeddings, when the prefill of the last input is done. */
export function embed(
  engine: Engine,
  request: EmbeddingRequest,
  to: { response: ServerResponse; requestId: string },
): void {
  const head = answerHead(`embd-${to.requestId}`, request.model);
  let unfinished = request.promptTokens.length;
  const works = request.promptTokens.map((promptTokens) => ({
    promptTokens,
    outputTokens: 0,
    adapter: request.adapter,
    onTokens() {
      if (--unfinished === 0) sendJson(to.response, embeddingBody(head, request));
    },
  }));
  run(engine, works, to.response);
}

function run(engine: Engine, works: readonly Work[], response: ServerResponse): void {
  // The client may have left while its body was being read; its `close` event is then already past.
  if (response.destroyed) return;
  const sequences: Sequence[] = [];
  response.once('close', () => {
    for (const sequence of sequences) engine.abort(sequence);
  });
  for (const work of works) sequences.push(engine.submit(work));
}

function answerHead(id: string, model: string): AnswerHead {
  return { id, createdS: Math.floor(Date.now() / 1000), model };
}

function sendJson(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
