// SPDX-License-Identifier: Apache-2.0

/**
 * What a client is told of a model server that failed, and what its failure means for the request: whether another try
 * is allowed. A request that a server has begun to answer, or that went out on a fresh connection, is never sent again: it
 * may have run, and running it twice costs twice and may act twice. One whose kept-alive connection ended without a byte
 * was most likely never read, and is sent once more; should that server be gone then, once more elsewhere.
 */

import type { UpstreamErrorKind, UpstreamFailure } from './ports.ts';
import type { Problem } from './problem.ts';

interface Meaning {
  readonly status: 502 | 503 | 504;
  readonly code: string;
  readonly message: string;
}

const MEANINGS: Readonly<Record<UpstreamErrorKind, Meaning>> = {
  refused: { status: 502, code: 'upstream_refused', message: 'The model server refused the connection.' },
  'reset-idle': {
    status: 502,
    code: 'upstream_reset',
    message: 'The model server closed the connection before it answered.',
  },
  reset: {
    status: 502,
    code: 'upstream_reset',
    message: 'The model server closed the connection before it answered; it may have received the request.',
  },
  died: { status: 502, code: 'upstream_died', message: 'The model server stopped in the middle of its answer.' },
  'timeout-first-byte': {
    status: 504,
    code: 'upstream_timeout',
    message: 'The model server did not begin to answer in time.',
  },
  'timeout-idle': {
    status: 504,
    code: 'upstream_stalled',
    message: 'The model server fell silent in the middle of its answer.',
  },
  protocol: {
    status: 502,
    code: 'upstream_nonsense',
    message: 'The model server answered with something that is not HTTP.',
  },
  shortage: {
    status: 503,
    code: 'gateway_shortage',
    message: 'The gateway has no connection to a model server left for this request; it was not sent.',
  },
  aborted: { status: 502, code: 'upstream_aborted', message: 'The call to the model server was given up.' },
};

/** Failures by which certainly nothing was sent; whoever still wants the answer has to ask for it. */
const UNSENT: ReadonlySet<UpstreamErrorKind> = new Set(['refused', 'shortage']);

/** When connections may be had again: some end every second where there are so many. */
const SHORTAGE_RETRY_MS = 1000;

/** The details stay in the log and in `/state`: addresses of model servers are not the client's business. */
export function upstreamProblem(failure: UpstreamFailure): Problem {
  const { status, code, message } = MEANINGS[failure.kind];
  const retryAfterMs = failure.kind === 'shortage' ? SHORTAGE_RETRY_MS : undefined;
  return { status, code, message, retryAfterMs, isFinal: !UNSENT.has(failure.kind) };
}

/** Two servers went away, each with the request on a connection. */
export const diedTwice: Problem = {
  status: 502,
  code: 'upstream_died_twice',
  message:
    'Two model servers in turn went away with this request; it is not tried on a third, because it may be the reason.',
  isFinal: true,
};
