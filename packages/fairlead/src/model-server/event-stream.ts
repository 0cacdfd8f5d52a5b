// SPDX-License-Identifier: Apache-2.0

/**
 * One streamed answer. It keeps counts, not text: since a token's words follow from its number, a client that reads
 * slowly costs two numbers a choice, never a growing buffer, and never holds up the engine.
 */

import type { ServerResponse } from 'node:http';
import type { AnswerHead, EventFrame } from './dialect.ts';
import { DIALECTS } from './dialects.ts';
import type { GenerationRequest } from './inference-request.ts';
import { choiceCount, outputTokensOf, tokenInJson } from './speech.ts';

/** Events put into one write at most, so that backpressure is noticed in time. */
const EVENTS_PER_WRITE = 64;

interface Choice {
  readonly index: number;
  readonly frame: EventFrame;
  readonly total: number;
  due: number;
  written: number;
}

export class EventStream {
  readonly #response: ServerResponse;
  readonly #request: GenerationRequest;
  readonly #choices: Choice[] = [];
  /** Made at the end: only then is it known what was cached. */
  readonly #closing: () => string;
  #unfinished: number;
  #blocked = false;

  /** Sends the header at once, as vLLM does, long before the first token. */
  constructor(response: ServerResponse, head: AnswerHead, request: GenerationRequest) {
    this.#response = response;
    this.#request = request;
    const dialect = DIALECTS[request.kind];
    for (let index = 0; index < choiceCount(request); index++) {
      this.#choices.push({
        index,
        frame: dialect.frame(head, request, index),
        total: outputTokensOf(request, index),
        due: 0,
        written: 0,
      });
    }
    this.#unfinished = this.#choices.length;
    this.#closing = () => dialect.closing(head, request);
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.flushHeaders();
    response.on('drain', () => {
      this.#blocked = false;
      for (const choice of this.#choices) this.#flush(choice);
    });
  }

  /** `count` more tokens of a choice are there. */
  advance(index: number, count: number): void {
    const choice = this.#choices[index];
    if (choice === undefined) return;
    choice.due += count;
    this.#flush(choice);
  }

  #flush(choice: Choice): void {
    while (choice.written < choice.due && !this.#blocked) {
      let text = choice.written === 0 ? choice.frame.opening : '';
      const until = Math.min(choice.due, choice.written + EVENTS_PER_WRITE);
      for (let index = choice.written; index < until; index++) {
        text += choice.frame.token(index, tokenInJson(this.#request, choice.index, index));
      }
      choice.written = until;
      if (until === choice.total && --this.#unfinished === 0) {
        this.#response.end(text + this.#closing());
        return;
      }
      this.#blocked = !this.#response.write(text);
    }
  }
}
