// SPDX-License-Identifier: Apache-2.0

/**
 * Asks endpoints what they serve: at the start, when one is back, and every minute (adapters come and go). A failure
 * keeps the last list; an endpoint that has never told is asked again soon.
 */

import type { Alarm, Clock, Endpoint, Random } from '@fairlead/core';
import type { GetResult, Gets } from './getter.ts';
import { MAX_LIST_BYTES, readModelList } from './model-list.ts';
import type { Problems } from './problems.ts';

export const MODELS_INTERVAL_MS = 60_000;
export const MODELS_TIMEOUT_MS = 5000;

/** While an endpoint has never told: first after this, then after twice as long each time, up to the interval. */
export const FIRST_RETRY_MS = 500;

/**
 * So long an endpoint that has never told may still turn out to serve any model. Then a model that nobody has told of
 * counts as unknown: a server that stays away must not turn every misspelt model into "try again later".
 */
export const TELL_WITHIN_MS = 60_000;

export interface ModelsOptions {
  readonly getter: Gets;
  readonly clock: Clock;
  readonly random: Random;
  readonly problems: Problems;
  /** `endpoint.baseModels` or `endpoint.adapters` changed, or became known. */
  readonly onChange: (endpoint: Endpoint) => void;
}

interface Asked {
  readonly endpoint: Endpoint;
  alarm: Alarm | undefined;
  question: { cancel(): void } | undefined;
  retryMs: number;
  hasTold: boolean;
  readonly tellByMs: number;
}

export class Models {
  readonly #options: ModelsOptions;
  readonly #asked = new Map<Endpoint, Asked>();

  constructor(options: ModelsOptions) {
    this.#options = options;
  }

  /** Asks the endpoint at once, and from then on until it is removed. */
  add(endpoint: Endpoint): void {
    if (this.#asked.has(endpoint)) return;
    const asked: Asked = {
      ...{ endpoint, alarm: undefined, question: undefined, retryMs: FIRST_RETRY_MS, hasTold: false },
      tellByMs: this.#options.clock.now() + TELL_WITHIN_MS,
    };
    this.#asked.set(endpoint, asked);
    this.#schedule(asked, 0);
  }

  remove(endpoint: Endpoint): void {
    const asked = this.#asked.get(endpoint);
    asked?.alarm?.cancel();
    asked?.question?.cancel();
    this.#asked.delete(endpoint);
  }

  /** Asks now: the endpoint is back, and may be another one by now. */
  askNow(endpoint: Endpoint): void {
    const asked = this.#asked.get(endpoint);
    if (asked === undefined) return;
    asked.retryMs = FIRST_RETRY_MS;
    if (asked.question === undefined) this.#schedule(asked, 0);
  }

  /** Whether every endpoint asked has told at least once, or has had its time to. */
  get allTold(): boolean {
    const nowMs = this.#options.clock.now();
    for (const { hasTold, tellByMs } of this.#asked.values()) if (!hasTold && nowMs < tellByMs) return false;
    return true;
  }

  stop(): void {
    for (const endpoint of [...this.#asked.keys()]) this.remove(endpoint);
  }

  #schedule(asked: Asked, delayMs: number): void {
    const { clock } = this.#options;
    asked.alarm?.cancel();
    asked.alarm = clock.at(clock.now() + delayMs, () => this.#ask(asked));
  }

  #ask(asked: Asked): void {
    asked.alarm = undefined;
    // Health asks for it when it is back; until then this only keeps the question alive.
    if (!asked.endpoint.up) {
      this.#schedule(asked, MODELS_INTERVAL_MS);
      return;
    }
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    const onData = (chunk: Uint8Array): boolean => {
      bytes += chunk.byteLength;
      if (bytes <= MAX_LIST_BYTES) chunks.push(Buffer.from(chunk));
      return bytes <= MAX_LIST_BYTES;
    };
    const { url } = asked.endpoint;
    const request = { url, path: '/v1/models', timeoutMs: MODELS_TIMEOUT_MS, onData };
    asked.question = this.#options.getter.get(request, (result) => {
      asked.question = undefined;
      this.#answered(asked, bytes > MAX_LIST_BYTES ? undefined : Buffer.concat(chunks), result);
    });
  }

  #answered(asked: Asked, body: Uint8Array | undefined, result: GetResult): void {
    const { problems, random, onChange } = this.#options;
    const { endpoint } = asked;
    const list = listOf(endpoint, body, result);
    if ('problem' in list) {
      problems.set(endpoint, 'models', list.problem);
      this.#schedule(asked, asked.hasTold ? MODELS_INTERVAL_MS : asked.retryMs);
      asked.retryMs = Math.min(MODELS_INTERVAL_MS, asked.retryMs * 2);
      return;
    }
    problems.set(endpoint, 'models', undefined);
    this.#schedule(asked, MODELS_INTERVAL_MS * (0.9 + 0.2 * random()));
    const isNews =
      !asked.hasTold || differs(endpoint.baseModels, list.baseModels) || differs(endpoint.adapters, list.adapters);
    asked.hasTold = true;
    if (!isNews) return;
    endpoint.baseModels = new Set(list.baseModels);
    endpoint.adapters = new Set(list.adapters);
    onChange(endpoint);
  }
}

function listOf(endpoint: Endpoint, body: Uint8Array | undefined, result: GetResult): ReturnType<typeof readModelList> {
  if ('error' in result) return { problem: `does not answer /v1/models: ${result.error.message}` };
  if (result.status !== 200) return { problem: `answers ${result.status} to /v1/models${hintFor(endpoint)}` };
  if (body === undefined) return { problem: `its /v1/models is larger than ${MAX_LIST_BYTES} bytes` };
  return readModelList(body);
}

function differs(known: ReadonlySet<string>, listed: readonly string[]): boolean {
  return known.size !== listed.length || listed.some((id) => !known.has(id));
}

/** The base URL that clients are given ends in `/v1`; a model server's own does not. */
function hintFor({ url }: Endpoint): string {
  return url.endsWith('/v1') ? `; should its URL be ${url.slice(0, -'/v1'.length)}, without /v1?` : '';
}
