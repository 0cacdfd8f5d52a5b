// SPDX-License-Identifier: Apache-2.0

/**
 * What a caller's deadline means for its request. First come, first served under overload serves whoever is about to
 * leave: everybody waits for nearly as long as he can, and what the servers then do for him is thrown away. So a request
 * that cannot be answered in time is told so when it comes, by how many wait before it, how fast they leave and how long
 * an answer takes; and one whose turn comes with too little time left is not sent.
 *
 * Nobody is refused by a guess: while nothing waits, or the rate or the time of an answer was not measured yet, there is
 * no estimate, and the request waits. And none is refused for what no waiting has to do with: of its patience at least a
 * share may be spent waiting, however long answers were taking, so that a fleet that was slow once is tried again.
 */

import type { InferenceRequest } from '../request/inference-request.ts';
import type { Ending } from '../request/permit.ts';
import type { BacklogRate } from './backlog-rate.ts';
import { type Coverage, ServiceTimes } from './service-times.ts';

/** Of a caller's patience, what an answer is taken to need at most. */
const MOST_SHARE = 0.8;
/** Of a caller's patience, what is spent when it is as good as over. */
const SPENT_SHARE = 0.9;

/** A flow as far as patience is concerned: how long its own answers took, which is what counts for it once there are some. */
export interface Timed {
  times: ServiceTimes | undefined;
}

/** A request that was dispatched. */
export interface Served {
  readonly request: InferenceRequest;
  readonly flow: Timed;
  readonly dispatchedMs: number;
  /** Its first token has come. */
  readonly hasBegun: boolean;
}

/** A request of a flow. */
type Asking = Pick<Served, 'request' | 'flow'>;

export class Patience {
  readonly #times = new ServiceTimes('all');

  /** How many can leave a queue before the request for it to be answered in time; Infinity when that is not known. */
  mostAhead(asking: Asking, rate: BacklogRate, nowMs: number): number {
    const needMs = this.#needMs(asking, 'most');
    const perMs = needMs === undefined ? undefined : rate.perMs(nowMs);
    if (needMs === undefined || perMs === undefined) return Infinity;
    return ((asking.request.deadlineMs as number) - nowMs - needMs) * perMs;
  }

  /**
   * Whether it is too late to send the request. Where others wait a place is for whom it will serve, so it needs the time
   * in which nearly all are answered; where nobody does, that in which hardly any are.
   */
  isTooLate(asking: Asking, nowMs: number, othersWait: boolean): boolean {
    const { deadlineMs } = asking.request;
    if (deadlineMs === undefined) return false;
    const needMs = this.#needMs(asking, othersWait ? 'most' : 'few');
    return needMs !== undefined && nowMs + needMs > deadlineMs;
  }

  /** Whether nearly all of the time that its caller gave it is over; never for a caller without a deadline. */
  isSpent({ deadlineMs, receivedMs }: InferenceRequest, nowMs: number): boolean {
    return deadlineMs !== undefined && nowMs - receivedMs >= SPENT_SHARE * (deadlineMs - receivedMs);
  }

  /** The first token of an answer has come: what the caller of a stream waits for. */
  begun(served: Served, nowMs: number): void {
    if (served.request.streamed === true) this.#answered(served, nowMs);
  }

  /** The permit ended. A caller who left for want of time tells something too: an answer takes longer than that. */
  ended(served: Served, ending: Ending, nowMs: number): void {
    const { request, dispatchedMs, hasBegun } = served;
    if (request.streamed === true && (hasBegun || ending === 'succeeded')) return;
    if (ending === 'succeeded') this.#answered(served, nowMs);
    else if (ending === 'cancelled' && this.isSpent(request, nowMs)) {
      this.#times.unanswered(request, nowMs - dispatchedMs);
      timesOf(served)?.unanswered(request, nowMs - dispatchedMs);
    }
  }

  #answered(served: Served, nowMs: number): void {
    const tookMs = nowMs - served.dispatchedMs;
    this.#times.answered(served.request, tookMs);
    timesOf(served)?.answered(served.request, tookMs);
  }

  #needMs({ request, flow }: Asking, coverage: Coverage): number | undefined {
    const needMs = flow.times?.estimateMs(request, coverage) ?? this.#times.estimateMs(request, coverage);
    if (needMs === undefined) return undefined;
    return Math.min(needMs, MOST_SHARE * ((request.deadlineMs as number) - request.receivedMs));
  }
}

/** Those of its flow; only flows whose callers have deadlines have any. */
function timesOf({ request, flow }: Served): ServiceTimes | undefined {
  return request.deadlineMs === undefined ? undefined : (flow.times ??= new ServiceTimes('one'));
}
