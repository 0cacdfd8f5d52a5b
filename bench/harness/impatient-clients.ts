// SPDX-License-Identifier: Apache-2.0

/**
 * Closed loops that give up: each asks, waits for the whole answer at most for its patience, and asks again; refused, it
 * comes back when it was told to. One prompt for all, so that this process is a client and not a load of its own.
 */

import { Agent, request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';

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
  readonly #agent = new Agent({ keepAlive: true });
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
    this.#headers = {
      'content-type': 'application/json',
      'content-length': String(this.#body.length),
      authorization: 'Bearer impatient',
    };
    if (isTold) this.#headers['x-stainless-timeout'] = String(patienceMs / 1000);
  }

  start(): void {
    const { loops, urls } = this.#clients;
    for (let loop = 0; loop < loops; loop += 1) this.#ask(urls[loop % urls.length] as string);
  }

  /** Drops what is under way. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#agent.destroy();
  }

  #ask(origin: string): void {
    if (this.#stopped) return;
    const options = { agent: this.#agent, method: 'POST', headers: this.#headers };
    const sent = request(`${origin}/v1/chat/completions`, options);
    let isOver = false;
    const over = (ending: Ending): void => {
      if (isOver) return;
      isOver = true;
      patience.cancel();
      this.#over(origin, ending);
    };
    const patience = this.#after(this.#clients.patienceMs, () => {
      over('gave up');
      sent.destroy();
    });
    follow(sent, over);
    sent.end(this.#body);
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

/** Tells how a request ended, possibly more than once. */
function follow(sent: ClientRequest, over: (ending: Ending) => void): void {
  sent.on('error', () => over('failed'));
  sent.on('response', (response) => {
    response.on('error', () => over('failed'));
    response.on('close', () => over('failed'));
    response.on('end', () => over(endingOf(response)));
    response.resume();
  });
}

function endingOf({ statusCode: status = 0, headers }: IncomingMessage): Ending {
  if (status === 200) return 'served';
  if (status !== 429 && status !== 503) return 'failed';
  const againMs = Number(headers['retry-after-ms'] ?? NaN) || 1000 * Number(headers['retry-after']) || REST_MS;
  return { why: `${status} ${String(headers['x-llm-d-request-dropped-reason'])}`, againMs };
}
