// SPDX-License-Identifier: Apache-2.0

/**
 * One streamed chat completion as a client sees it: time to the first token, tokens as they come, and exactly one
 * ending. Bytes go straight from undici's dispatcher to the token counter, so that a whole flood costs its process a
 * small part of a core and the figures are the server's, not the client's.
 */

import { Agent } from 'undici';
import type { Dispatcher } from 'undici';
import { TokenCounter } from './token-counter.ts';

/** Silence for so long ends a request as failed. Longer than any wait the gateway allows. */
const SILENCE_LIMIT_MS = 120_000;

/** What to ask for. */
export interface StreamRequest {
  /** Without a slash at the end. */
  readonly baseUrl: string;
  readonly model: string;
  readonly apiKey: string | undefined;
  readonly prompt: string;
  readonly maxTokens: number;
}

/** How a request ended. */
export type StreamEnding =
  | { readonly kind: 'ok' }
  /** `begun`: a token had come. */
  | { readonly kind: 'cancelled'; readonly begun: boolean }
  /** `answered`: a server had begun to answer it with 200, with or without a token yet. */
  | { readonly kind: 'failed'; readonly answered: boolean; readonly reason: string };

/** Hears of one request; `ended` comes once, and last. */
export interface StreamListener {
  firstToken(ttftMs: number): void;
  /** So many more tokens; the first one included. */
  tokens(count: number): void;
  /** How long its prompt was, and how much of it was cached, when its server says so. */
  promptTokens?(count: number, cached: number | undefined): void;
  ended(ending: StreamEnding): void;
}

/** A request under way. */
export interface StreamInFlight {
  readonly sentAtMs: number;
  /** A token has come. */
  readonly begun: boolean;
  /** Drops the connection; `ended` is told `cancelled` unless the request has already ended. */
  cancel(): void;
}

export class StreamingClient {
  // One request per connection at a time, as many connections as there are callers, kept alive between requests.
  readonly #agent = new Agent({ pipelining: 1, headersTimeout: SILENCE_LIMIT_MS, bodyTimeout: SILENCE_LIMIT_MS });

  /** Sends at once. Never throws: whatever goes wrong is an ending. */
  send(request: StreamRequest, listener: StreamListener): StreamInFlight {
    const stream = new Stream(listener);
    const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'text/event-stream' };
    if (request.apiKey !== undefined) headers['authorization'] = `Bearer ${request.apiKey}`;
    const body = JSON.stringify({
      model: request.model,
      messages: [{ role: 'user', content: request.prompt }],
      max_tokens: request.maxTokens,
      stream: true,
      stream_options: { include_usage: true },
    });
    const options = { origin: request.baseUrl, path: '/v1/chat/completions', method: 'POST', headers, body } as const;
    // In a later microtask, so that even a request refused on the spot ends after the caller has it in hand.
    queueMicrotask(() => this.#agent.dispatch(options, stream));
    return stream;
  }

  /** Closes every connection; requests under way fail. */
  async destroy(): Promise<void> {
    await this.#agent.destroy();
  }
}

class Stream implements Dispatcher.DispatchHandler, StreamInFlight {
  readonly sentAtMs = performance.now();
  readonly #listener: StreamListener;
  readonly #counter = new TokenCounter();
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #cancelled = false;
  #ended = false;

  constructor(listener: StreamListener) {
    this.#listener = listener;
  }

  get begun(): boolean {
    return this.#counter.counted > 0;
  }

  cancel(): void {
    this.#cancelled = true;
    this.#controller?.abort(new Error('cancelled'));
    // Still waiting for a connection: nothing will be sent once there is one.
    this.#end();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#cancelled) controller.abort(new Error('cancelled'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#ended || this.#status !== 200) return;
    const isFirst = !this.begun;
    const count = this.#counter.push(chunk);
    if (count === 0) return;
    if (isFirst) this.#listener.firstToken(performance.now() - this.sentAtMs);
    this.#listener.tokens(count);
  }

  onResponseEnd(): void {
    if (this.#ended) return;
    const { promptTokens, cachedTokens } = this.#counter;
    if (promptTokens !== undefined) this.#listener.promptTokens?.(promptTokens, cachedTokens);
    if (this.#counter.uncounted > 0) this.#listener.tokens(this.#counter.uncounted);
    this.#end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#end(error);
  }

  #end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#listener.ended(this.#ending(error));
  }

  #ending(error: Error | undefined): StreamEnding {
    if (this.#cancelled) return { kind: 'cancelled', begun: this.begun };
    const reason = this.#failure(error);
    return reason === undefined ? { kind: 'ok' } : { kind: 'failed', answered: this.#status === 200, reason };
  }

  #failure(error: Error | undefined): string | undefined {
    if (this.#status !== 0 && this.#status !== 200) return `HTTP ${this.#status}`;
    if (error !== undefined && this.#status === 0) return `no answer (${codeOf(error)})`;
    const { problem, complete } = this.#counter;
    if (problem === undefined && error === undefined && complete) return undefined;
    return problem === undefined ? 'stream broken off' : `stream broken off (${problem})`;
  }
}

function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : error.message;
}
