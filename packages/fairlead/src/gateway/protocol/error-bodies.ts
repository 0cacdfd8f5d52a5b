// SPDX-License-Identifier: Apache-2.0

/**
 * Errors in the client's own format, so that the official SDKs raise the right exception and show the message. The
 * types per status are those of the OpenAI and Anthropic APIs; where OpenAI documents none, the nearest it uses. Errors
 * of the engines' own `generate` APIs look as the engines': vLLM's say the status for a code, SGLang's only a message.
 */

import { STATUS_CODES } from 'node:http';

/** Whose format the client of a route expects. `responses` differs from `openai` in its streams. */
export type ApiFormat = 'openai' | 'responses' | 'anthropic' | 'vllm' | 'sglang';

export interface ApiError {
  /** HTTP status of the answer (or the one it would have had, when the answer has begun already). */
  readonly status: number;
  readonly message: string;
  /** In place of the type that belongs to the status. */
  readonly type?: string | undefined;
  /** OpenAI's machine-readable reason, such as `model_not_found`. */
  readonly code?: string | undefined;
  /** OpenAI's name of the member that is wrong. */
  readonly param?: string | undefined;
  /** Anthropic's errors name their request. */
  readonly requestId?: string | undefined;
}

/** Types by status; `0` for other client errors, `1` for other server errors. */
const TYPES = {
  openai: {
    0: 'invalid_request_error',
    1: 'server_error',
    401: 'authentication_error',
    403: 'permission_error',
    408: 'timeout_error',
    429: 'rate_limit_error',
    504: 'timeout_error',
  },
  anthropic: {
    0: 'invalid_request_error',
    1: 'api_error',
    401: 'authentication_error',
    403: 'permission_error',
    404: 'not_found_error',
    408: 'timeout_error',
    413: 'request_too_large',
    429: 'rate_limit_error',
    503: 'overloaded_error',
    504: 'timeout_error',
  },
  // For all others vLLM's web framework answers, with the status in words.
  vllm: { 400: 'BadRequestError', 404: 'NotFoundError', 500: 'InternalServerError' },
} as const satisfies Readonly<Record<string, Readonly<Record<number, string>>>>;

/** OpenAI's codes for statuses that mean one thing; an error that knows better says so. */
const CODES: Readonly<Record<number, string>> = {
  401: 'invalid_api_key',
  413: 'request_too_large',
  429: 'rate_limit_exceeded',
};

/** The body of an error answer: `application/json`. */
export function errorBody(api: ApiFormat, error: ApiError): Buffer {
  return Buffer.from(json(api, error));
}

/**
 * The event that ends a broken stream of server-sent events. It begins with a blank line, because the last bytes
 * relayed may have been half an event, which must not swallow this one.
 */
export function streamErrorEvent(api: ApiFormat, error: ApiError): Buffer {
  const name = api === 'anthropic' || api === 'responses' ? 'event: error\n' : '';
  return Buffer.from(`\n\n${name}data: ${api === 'responses' ? responsesEvent(error) : json(api, error)}\n\n`);
}

function json(api: ApiFormat, error: ApiError): string {
  const { message, requestId } = error;
  switch (api) {
    case 'anthropic': {
      const body = { type: 'error', error: { type: anthropicType(error), message } };
      return JSON.stringify(requestId === undefined ? body : { ...body, request_id: requestId });
    }
    case 'sglang':
      return JSON.stringify({ error: { message } });
    case 'vllm':
      return JSON.stringify({
        error: { message, type: vllmType(error), param: error.param ?? null, code: error.status },
      });
    default:
      return JSON.stringify({ error: openaiError(error) });
  }
}

/**
 * The error event of OpenAI's responses is documented flat, and is sent with an `error` inside: clients of either kind
 * find theirs. Events are not counted in passing, so its `sequence_number` says nothing.
 */
function responsesEvent(error: ApiError): string {
  const inner = openaiError(error);
  const { code, message, param } = inner;
  return JSON.stringify({ type: 'error', code, message, param, sequence_number: 0, error: inner });
}

function openaiError({ status, message, type, code, param }: ApiError) {
  return {
    message,
    type: type ?? typeOf(TYPES.openai, status),
    param: param ?? null,
    code: code ?? CODES[status] ?? null,
  };
}

function anthropicType({ status, type }: ApiError): string {
  return type ?? typeOf(TYPES.anthropic, status);
}

function vllmType({ status, type }: ApiError): string {
  const types: Readonly<Record<number, string>> = TYPES.vllm;
  return type ?? types[status] ?? STATUS_CODES[status] ?? 'Error';
}

function typeOf(types: Readonly<Record<number, string>>, status: number): string {
  return types[status] ?? types[status < 500 ? 0 : 1]!;
}
