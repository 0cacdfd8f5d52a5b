// SPDX-License-Identifier: Apache-2.0

/**
 * How a wait ends, and what the client is told: one table from the cause, fixed when the request settles, to outcome,
 * HTTP status, drop reason and message. Outcomes, statuses and reasons are the reference picker's, but for
 * `rejected-deadline`: it reads nobody's deadline.
 */

/** How a request's wait can end. */
export const OUTCOMES = [
  'Dispatched',
  'RejectedCapacity',
  'RejectedNoEndpoints',
  'RejectedOther',
  'EvictedTTL',
  'EvictedNoEndpoints',
  'EvictedContextCancelled',
  'EvictedOther',
] as const;

export type Outcome = (typeof OUTCOMES)[number];

/** Values of the `x-llm-d-request-dropped-reason` response header. */
export type DropReason =
  | 'rejected-saturated'
  | 'rejected-no-endpoints'
  | 'rejected-ttl-expired'
  | 'rejected-deadline'
  | 'rejected-context-cancelled'
  | 'rejected-shutting-down';

/** One way in which a request is not dispatched. */
export interface Drop {
  readonly outcome: Exclude<Outcome, 'Dispatched'>;
  /** HTTP status of the answer: 429 = contended, 503 = nothing there. */
  readonly status: 429 | 500 | 503;
  readonly reason?: DropReason;
  /** Whether the same request may succeed later without any change to it. */
  readonly retryable: boolean;
  readonly message: string;
}

/** Every drop there is, by cause. */
export const DROPS = {
  capacity: {
    outcome: 'RejectedCapacity',
    status: 429,
    reason: 'rejected-saturated',
    retryable: true,
    message: 'request rejected pre-queue: queue at capacity',
  },
  deadline: {
    outcome: 'RejectedCapacity',
    status: 429,
    reason: 'rejected-deadline',
    retryable: true,
    message: 'request rejected pre-queue: by what waits before it, it would be answered after its deadline',
  },
  noEndpoints: {
    outcome: 'RejectedNoEndpoints',
    status: 503,
    reason: 'rejected-no-endpoints',
    retryable: true,
    message: 'request rejected pre-queue: no endpoints available and the queue is at capacity',
  },
  cancelledBeforeQueue: {
    outcome: 'RejectedOther',
    status: 503,
    reason: 'rejected-context-cancelled',
    retryable: false,
    message: 'client disconnected before the request was queued',
  },
  shuttingDown: {
    outcome: 'RejectedOther',
    status: 503,
    reason: 'rejected-shutting-down',
    retryable: true,
    message: 'flow controller shutting down: request rejected pre-queue',
  },
  ttl: {
    outcome: 'EvictedTTL',
    status: 429,
    reason: 'rejected-ttl-expired',
    retryable: true,
    message: 'request timed out in queue: its wait budget is spent',
  },
  deadlineInQueue: {
    outcome: 'EvictedTTL',
    status: 429,
    reason: 'rejected-deadline',
    retryable: true,
    message: 'request evicted from queue at its turn: too little time is left before its deadline to answer it',
  },
  ttlNoEndpoints: {
    outcome: 'EvictedNoEndpoints',
    status: 503,
    reason: 'rejected-no-endpoints',
    retryable: true,
    message: 'request timed out in queue and no endpoints are available',
  },
  cancelled: {
    outcome: 'EvictedContextCancelled',
    status: 503,
    reason: 'rejected-context-cancelled',
    retryable: false,
    message: 'client disconnected while the request was queued',
  },
  evictedShuttingDown: {
    outcome: 'EvictedOther',
    status: 503,
    reason: 'rejected-shutting-down',
    retryable: true,
    message: 'flow controller shutting down: request evicted from queue',
  },
  internal: {
    outcome: 'EvictedOther',
    status: 500,
    retryable: false,
    message: 'internal flow control error',
  },
} as const satisfies Record<string, Drop>;

/** The causes of a drop. */
export type DropCause = keyof typeof DROPS;
