// SPDX-License-Identifier: Apache-2.0

/**
 * Closed loops that give up: each asks, waits for the whole answer at most for its patience, and asks again; refused, it
 * comes back when it was told to. One prompt for all, so that this process is a client and not a load of its own.
 */

import { Agent } from 'undici';
import type { Dispatcher } from 'undici';

export interface ImpatientClients {
  /** One of these for each loop, in turn. */
  readonly urls: readonly string[];
  readonly loops: number;
  readonly model: string;
  readonly promptBytes: number;
  readonly tokens: number;
  readonly patienceMs: number;
  /** Sends `x-stainless-timeout`, as the OpenAI and Anthropic libraries do. */
  readonly isTold: boolean;
}

/** How requests ended. */
export interface Endings {
  /** Answered whole, in time. */
  served: number;
  /** Given up after the patience. */
  gaveUp: number;
  /** Refused, by status and reason. */
  readonly refused: Map<string, number>;
  failed: number;
}

/** A loop without an answer, or one that was refused without a time to come back, rests for so long. */
const REST_MS = 500;

export class ImpatientLoad {
  readonly endings: Endings = { served: 0, gaveUp: 0, refused: new Map(), failed: 0 };
  readonly #agent = new Agent({ pipelining: 1 });
  readonly #clients: ImpatientClients;
  readonly #body: Buffer;
  readonly #headers: Record<string, string>;
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;

  constructor(clients: ImpatientClients) {
    this.#clients = clients;
    const { model, promptBytes, tokens, patienceMs, isTold } = clients;
    const content = 'word '.repeat(promptBytes / 5);
    this.#body = Buffer.from(JSON.stringify({ model, max_tokens: tokens, messages: [{ role: 'user', content }] }));
    this.#headers = { 'content-type': 'application/json', authorization: 'Bearer impatient' };
    if (isTold) this.#headers['x-stainless-timeout'] = String(patienceMs / 1000);
  }

  start(): void {
    const { loops, urls } = this.#clients;
    for (let loop = 0; loop < loops; loop += 1) this.#ask(urls[loop % urls.length] as string);
  }

  /** Drops what is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#agent.destroy();
  }

  #ask(origin: string): void {
    if (this.#stopped) return;
    const request = new Request((ending) => {
      patience.cancel();
      this.#over(origin, ending);
    });
    const patience = this.#after(this.#clients.patienceMs, () => request.giveUp());
    const path = '/v1/chat/completions';
    this.#agent.dispatch({ origin, path, method: 'POST', headers: this.#headers, body: this.#body }, request);
  }

  #over(origin: string, ending: Ending): void {
    if (this.#stopped) return;
    const { endings } = this;
    if (ending === 'served') endings.served += 1;
    else if (ending === 'gave up') endings.gaveUp += 1;
    else if (ending === 'failed') endings.failed += 1;
    else endings.refused.set(ending.why, (endings.refused.get(ending.why) ?? 0) + 1);
    if (ending === 'served' || ending === 'gave up') setImmediate(() => this.#ask(origin));
    else this.#after(typeof ending === 'object' ? ending.againMs : REST_MS, () => this.#ask(origin));
  }

  #after(ms: number, callback: () => void): { cancel(): void } {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      callback();
    }, ms);
    this.#timers.add(timer);
    const cancel = (): void => {
      clearTimeout(timer);
      this.#timers.delete(timer);
    };
    return { cancel };
  }
}

type Ending = 'served' | 'gave up' | 'failed' | { readonly why: string; readonly againMs: number };

class Request implements Dispatcher.DispatchHandler {
  readonly #onEnd: (ending: Ending) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #head: Ending = 'failed';
  #isOver = false;

  constructor(onEnd: (ending: Ending) => void) {
    this.#onEnd = onEnd;
  }

  giveUp(): void {
    this.#end('gave up');
    this.#controller?.abort(new Error('gave up'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isOver) controller.abort(new Error('gave up'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Record<string, unknown>): void {
    if (status === 200) this.#head = 'served';
    else if (status === 429 || status === 503) {
      const againMs = Number(headers['retry-after-ms'] ?? NaN) || 1000 * Number(headers['retry-after']) || REST_MS;
      const reason = headers['x-llm-d-request-dropped-reason'];
      this.#head = { why: `${status} ${typeof reason === 'string' ? reason : ''}`, againMs };
    }
  }

  onResponseData(): void {
    // Only whether it comes to its end in time counts.
  }

  onResponseEnd(): void {
    this.#end(this.#head);
  }

  onResponseError(): void {
    this.#end('failed');
  }

  #end(ending: Ending): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onEnd(ending);
  }
}
