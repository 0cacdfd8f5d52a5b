// SPDX-License-Identifier: Apache-2.0

/**
 * How a try at a model server failed, told precisely, because it decides whether the request may be sent again: only
 * what was certainly not received may. One pure function from what is known of the try to the kind of its failure.
 */

import type { UpstreamErrorKind } from '../director/ports.ts';
import { BadMessage } from '../sockets/bad-message.ts';
import { UnwritableRequest } from '../sockets/header-block.ts';

/** The error `onError` is called with; `message` may hold addresses and is for logs and `/state`, not for clients. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  readonly kind: UpstreamErrorKind;
  /** Code of the cause, such as `ECONNREFUSED`. */
  readonly code: string | undefined;

  constructor(kind: UpstreamErrorKind, message: string, code?: string) {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}

/** The model server took too long. */
export class LateAnswer extends Error {
  override readonly name = 'LateAnswer';
  readonly kind: 'timeout-first-byte' | 'timeout-idle';

  constructor(kind: LateAnswer['kind']) {
    super(kind === 'timeout-idle' ? 'nothing more came of its answer' : 'no answer began in time');
    this.kind = kind;
  }
}

/** What is known of a try when it fails. */
export interface Try {
  /** The request was, at least in part, handed to the socket. */
  readonly isSent: boolean;
  /** Its connection had been idle, and did not end later than a close that crossed the request would. */
  readonly isIdleClose: boolean;
  /** A byte of an answer has come. */
  readonly isBegun: boolean;
  /** The head of the answer has come. */
  readonly hasHead: boolean;
}

/** We have run out of files, ports or buffers ourselves: no word about the model server, which must not go down for it. */
const OUR_SHORTAGE = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL']);

/** Handshake alerts by which a server turns us away; over TLS 1.3 they come after we think that we are connected. */
const TURNED_AWAY =
  /^ERR_SSL_\w+_ALERT_(CERTIFICATE_\w+|BAD_CERTIFICATE\w*|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)$/;

/** What verification of a certificate fails with, beside codes that begin with `CERT_`. */
const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

export function upstreamError(cause: unknown, known: Try): UpstreamError {
  const error = cause instanceof Error ? cause : new Error(String(cause));
  const code = codeOf(error);
  return new UpstreamError(kindOf(error, code, known), messageOf(error, code), code);
}

// The order is the meaning: what we did ourselves, then what cannot have been sent, then how an answer went wrong.
function kindOf(error: Error, code: string | undefined, known: Try): UpstreamErrorKind {
  if (error instanceof UnwritableRequest) return 'aborted';
  if (!known.isSent && code !== undefined && OUR_SHORTAGE.has(code)) return 'shortage';
  // It has read nothing of the request: an alert of the handshake is all that it says.
  if (code !== undefined && TURNED_AWAY.test(code) && !known.isBegun) return 'refused';
  if (!known.isSent) return 'refused';
  if (error instanceof LateAnswer) return error.kind;
  if (known.hasHead) return 'died';
  if (error instanceof BadMessage) return 'protocol';
  if (known.isBegun) return 'died';
  return known.isIdleClose ? 'reset-idle' : 'reset';
}

/** Several addresses tried in vain come as one error that holds one for each. */
function codeOf(error: Error): string | undefined {
  if ('code' in error && typeof error.code === 'string') return error.code;
  if (error instanceof AggregateError) {
    const first: unknown = error.errors[0];
    if (first instanceof Error) return codeOf(first);
  }
  return undefined;
}

function messageOf(error: Error, code: string | undefined): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  const message = error.message || (first instanceof Error ? first.message : '') || (code ?? error.name);
  if (code === undefined) return message;
  if (UNTRUSTED.has(code) || code.startsWith('CERT_')) return `its certificate is not accepted: ${message}`;
  if (TURNED_AWAY.test(code)) return `it does not accept our certificate, or wants one (${code})`;
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG')
    return 'it does not speak TLS';
  return message;
}
