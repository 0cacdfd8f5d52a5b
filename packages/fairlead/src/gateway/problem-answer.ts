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

/** The header lines that every answer carries, errors included. */
export function answerLines({ api, requestId }: Asker, waitMs: number): string {
  const lines = `x-request-id: ${requestId}\r\nx-fairlead-queue-ms: ${Math.round(waitMs)}\r\n`;
  // Where Anthropic's own clients look for it.
  return api === 'anthropic' ? `request-id: ${requestId}\r\n${lines}` : lines;
}

/** Header lines of an error. */
export function problemLines(problem: GatewayProblem): string {
  const { headers = [], retryAfterMs, isFinal, dropReason } = problem;
  let lines = 'content-type: application/json\r\n';
  for (let at = 0; at < headers.length; at += 2) lines += `${headers[at]}: ${headers[at + 1]}\r\n`;
  if (retryAfterMs !== undefined) {
    for (const [name, value] of Object.entries(retryHeaders(retryAfterMs))) lines += `${name}: ${value}\r\n`;
  }
  // The OpenAI and Anthropic SDKs send a request again after any 408, 409, 429 or 5xx, unless they are told so.
  if (isFinal === true || (retryAfterMs ?? 0) > MAX_SLEEP_MS) lines += 'x-should-retry: false\r\n';
  if (dropReason !== undefined) lines += `x-llm-d-request-dropped-reason: ${dropReason}\r\n`;
  return lines;
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
  const lines = answerLines(asker, 0) + problemLines(problem);
  const end = `content-length: ${body.length}\r\nconnection: close\r\n\r\n`;
  return Buffer.concat([Buffer.from(statusLine(problem.status) + lines + end, 'latin1'), body]);
}
