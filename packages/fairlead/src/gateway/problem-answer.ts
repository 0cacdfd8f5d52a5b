// SPDX-License-Identifier: Apache-2.0

/**
 * Problems as answers: the body in the client's own error format, and the headers that every refusal carries.
 */

import type { Problem } from '../director/problem.ts';
import { errorBody, streamErrorEvent } from './protocol/error-bodies.ts';
import type { ApiError, ApiFormat } from './protocol/error-bodies.ts';
import { statusLine } from './wire/client-response.ts';

/** A problem of the gateway itself; `headers` (names and values in turn) go with it. */
export interface GatewayProblem extends Problem {
  readonly headers?: readonly string[];
}

/** Whom an answer is for. */
export interface Asker {
  readonly api: ApiFormat;
  readonly requestId: string;
}

/** The headers that every answer carries, errors included. */
export function answerHeaders({ api, requestId }: Asker, waitMs: number): Record<string, string> {
  const queueMs = String(Math.round(waitMs));
  if (api !== 'anthropic') return { 'x-request-id': requestId, 'x-fairlead-queue-ms': queueMs };
  // Where Anthropic's own clients look for it.
  return { 'x-request-id': requestId, 'request-id': requestId, 'x-fairlead-queue-ms': queueMs };
}

/** Headers of an error, names and values in turn. */
export function problemHeaders(problem: GatewayProblem): string[] {
  const headers = ['content-type', 'application/json', ...(problem.headers ?? [])];
  if (problem.retryAfterMs !== undefined) headers.push(...Object.entries(retryHeaders(problem.retryAfterMs)).flat());
  // The OpenAI and Anthropic SDKs send a request again after any 408, 409, 429 or 5xx, unless they are told so.
  if (problem.isFinal === true || (problem.retryAfterMs ?? 0) > MAX_SLEEP_MS) headers.push('x-should-retry', 'false');
  if (problem.dropReason !== undefined) headers.push('x-llm-d-request-dropped-reason', problem.dropReason);
  return headers;
}

/** Told to come back later than this, one SDK retries at once, and another sleeps for as long as it takes. */
const MAX_SLEEP_MS = 60_000;
/** The longest `retry-after-ms` that every SDK obeys: some take a whole minute for nonsense. */
const MAX_RETRY_MS = 59_999;

/**
 * When to come back, in both spellings: whole seconds, at least 1, for everybody, and the finer one, less than a minute,
 * that SDKs look at first.
 */
export function retryHeaders(retryAfterMs: number): Readonly<Record<string, string>> {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1000));
  return { 'retry-after': String(seconds), 'retry-after-ms': String(Math.min(MAX_RETRY_MS, retryAfterMs)) };
}

export function problemBody(asker: Asker, problem: Problem): Buffer {
  return errorBody(asker.api, fields(asker, problem));
}

/** The last event of a stream that breaks off. */
export function problemEvent(asker: Asker, problem: Problem): Buffer {
  return streamErrorEvent(asker.api, fields(asker, problem));
}

function fields({ requestId }: Asker, { status, code, message, param }: Problem): ApiError {
  return { status, code, message, param, requestId };
}

/** A whole HTTP answer as bytes, for a socket that has no request to answer. */
export function problemBytes(requestId: string, problem: GatewayProblem): Buffer {
  const asker: Asker = { api: 'openai', requestId };
  const body = problemBody(asker, problem);
  const headers = [
    ...Object.entries(answerHeaders(asker, 0)).flat(),
    ...problemHeaders(problem),
    'content-length',
    String(body.length),
    'connection',
    'close',
  ];
  let head = statusLine(problem.status);
  for (let index = 0; index < headers.length; index += 2) head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), body]);
}
