// SPDX-License-Identifier: Apache-2.0

/** What can be wrong with a request before the director sees it. */

import type { BadMessageKind } from '../sockets/bad-message.ts';
import type { Refusal } from '../tenancy/identity.ts';
import type { GatewayProblem } from './problem-answer.ts';
import type { BodyError } from './protocol/body-error.ts';
import type { HeaderProblem } from './protocol/control-headers.ts';
import type { BodyLimits, BodyProblem } from './receive-body.ts';
import type { Route } from './routes.ts';

/** Headers of one request at most; each costs memory of its own beside its bytes. */
export const MAX_HEADERS = 200;

export const tooManyHeaders: GatewayProblem = {
  status: 431,
  code: 'headers_too_large',
  message: `The request has more than ${MAX_HEADERS} headers.`,
};

/** Only reported: there is nobody to say it to. */
export const tooManyConnections: GatewayProblem = {
  status: 503,
  code: 'too_many_connections',
  message: 'The gateway has as many connections as it takes.',
};

/** Only reported, as above. */
export const tooManyOfOneClient: GatewayProblem = {
  status: 503,
  code: 'too_many_connections',
  message: 'The client has as many connections as one client may have.',
};

/** Only reported: whoever reads nothing reads no reason either. */
export const clientStuck: GatewayProblem = {
  status: 408,
  code: 'client_stuck',
  message: 'The client did not read its answer.',
};

/** The request as a whole took too long; `hasBody`: it had arrived. */
export function tookTooLong(requestTimeoutMs: number, hasBody: boolean): GatewayProblem {
  return {
    status: hasBody ? 504 : 408,
    code: 'request_timeout',
    message: `The request was not over within ${requestTimeoutMs / 1000} s.`,
  };
}

export const missingHost: GatewayProblem = {
  status: 400,
  code: 'malformed_http',
  message: 'An HTTP/1.1 request must have a Host header.',
};

/** Whoever stands between may have gone by the other one. */
export const twoHosts: GatewayProblem = {
  status: 400,
  code: 'malformed_http',
  message: 'A request must have one Host header only.',
};

/** Transfer codings beside `chunked`: not unpacked, as no other packing is. */
export const codedBody: GatewayProblem = {
  status: 501,
  code: 'unsupported_transfer_encoding',
  message: 'The request body must come as it is or chunked: no other `Transfer-Encoding` is taken.',
  param: 'transfer-encoding',
  isFinal: true,
};

/** Nothing is served there, or not by that method. */
export function wrongRoute(method: string, route: Route): GatewayProblem | undefined {
  if (route.kind === 'unknown') return unknownPath(method);
  if (route.kind === 'stored') return nothingStored;
  return route.kind === 'wrong-method' ? wrongMethod(method, route) : undefined;
}

function unknownPath(method: string): GatewayProblem {
  return {
    status: 404,
    code: 'unknown_url',
    message: `Unknown request URL (${method}): nothing is served on this path. Please check the URL for typos.`,
  };
}

const nothingStored: GatewayProblem = {
  status: 404,
  code: 'not_kept',
  message:
    'The gateway keeps no responses, conversations, batches or files, so none can be read, continued or cancelled ' +
    'here: each request has to bring all that the model is to know.',
};

function wrongMethod(method: string, route: Extract<Route, { kind: 'wrong-method' }>): GatewayProblem {
  return {
    status: 405,
    code: 'method_not_allowed',
    message: `Not allowed to ${method} on ${route.path}; allowed: ${route.allow}.`,
    headers: ['allow', route.allow],
  };
}

/** The issuer of tokens is asked again as often while it does not answer. */
const IDENTITY_RETRY_MS = 1_000;

export function notAuthorized({ status, message }: Refusal): GatewayProblem {
  if (status === 503) return { status, code: 'identity_unavailable', message, retryAfterMs: IDENTITY_RETRY_MS };
  return { status, code: 'invalid_api_key', message, headers: ['www-authenticate', 'Bearer'] };
}

export function wrongHeader({ header, message }: HeaderProblem): GatewayProblem {
  return { status: 400, code: 'invalid_header', message, param: header };
}

export function malformedBody({ message, param }: BodyError): GatewayProblem {
  return { status: 400, code: param === undefined ? 'malformed_json' : 'invalid_value', message, param };
}

/** Unpacking what a stranger packed is how a few bytes become all of the memory; and reading it needs unpacking. */
export const packedBody: GatewayProblem = {
  status: 415,
  code: 'unsupported_content_encoding',
  message: 'The request body must come as it is: no `Content-Encoding` but `identity` is taken.',
  param: 'content-encoding',
  headers: ['accept-encoding', 'identity'],
};

/** A body that did not come in full, for a reason of its own. */
export function badBody(
  problem: Exclude<BodyProblem, 'no-room'>,
  { maxBodyBytes, bodyIdleTimeoutMs }: Pick<BodyLimits, 'maxBodyBytes' | 'bodyIdleTimeoutMs'>,
): GatewayProblem {
  if (problem === 'too-large') return tooLarge(maxBodyBytes);
  return problem === 'idle' ? bodyStopped(bodyIdleTimeoutMs) : bodySlow;
}

function tooLarge(maxBodyBytes: number): GatewayProblem {
  return { status: 413, code: 'request_too_large', message: `The request body is larger than ${maxBodyBytes} bytes.` };
}

function bodyStopped(bodyIdleTimeoutMs: number): GatewayProblem {
  return {
    status: 408,
    code: 'body_timeout',
    message: `No byte of the request body arrived for ${bodyIdleTimeoutMs / 1000} s.`,
  };
}

const bodySlow: GatewayProblem = {
  status: 408,
  code: 'body_timeout',
  message: 'The request body came too slowly while the memory for bodies was short.',
};

/** For clients that the OpenAI and Anthropic libraries are not: what was wrong with the bytes themselves. */
export function malformedHttp(kind: BadMessageKind): GatewayProblem {
  return BAD_MESSAGES[kind];
}

const BAD_MESSAGES: Readonly<Record<BadMessageKind, GatewayProblem>> = {
  malformed: { status: 400, code: 'malformed_http', message: 'The request is not well-formed HTTP/1.1.' },
  'head-too-large': { status: 431, code: 'headers_too_large', message: 'The request head is too large.' },
  'extensions-too-large': {
    status: 413,
    code: 'request_too_large',
    message: 'The chunk extensions or trailers of the body are too large.',
  },
};

export const headLate: GatewayProblem = {
  status: 408,
  code: 'head_timeout',
  message: 'The request head did not arrive in time.',
};

export const methodConnect: GatewayProblem = {
  status: 405,
  code: 'method_not_allowed',
  message: 'CONNECT is not served here.',
  headers: ['allow', 'GET, HEAD, POST'],
};

export const unmetExpectation: GatewayProblem = {
  status: 417,
  code: 'expectation_failed',
  message: 'The only `Expect` served here is `100-continue`.',
};
