// SPDX-License-Identifier: Apache-2.0

/**
 * Errors in the client's own format, so that the official SDKs raise the right exception and show the message. The
 * types per status are those of the OpenAI and Anthropic APIs; where OpenAI documents none, the nearest it uses.
 */

/** Whose format the client of a route expects. */
export type ApiFormat = 'openai' | 'anthropic';

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
}

/** Types by status; `0` for other client errors, `1` for other server errors. */
const TYPES: Readonly<Record<ApiFormat, Readonly<Record<number, string>>>> = {
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
};

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
  const name = api === 'anthropic' ? 'event: error\n' : '';
  return Buffer.from(`\n\n${name}data: ${json(api, error)}\n\n`);
}

function json(api: ApiFormat, { status, message, type = typeOf(api, status), code, param }: ApiError): string {
  if (api === 'anthropic') return JSON.stringify({ type: 'error', error: { type, message } });
  return JSON.stringify({ error: { message, type, param: param ?? null, code: code ?? CODES[status] ?? null } });
}

function typeOf(api: ApiFormat, status: number): string {
  return TYPES[api][status] ?? TYPES[api][status < 500 ? 0 : 1]!;
}
