// SPDX-License-Identifier: Apache-2.0

/**
 * One request's way from the queue to the last byte of its answer:
 *
 *     waiting ──Dispatched──▶ sending ──head──▶ answering ──last byte──▶ over
 *        ▲                      │  │
 *        └──── refused ─────────┘  └─ a kept-alive connection was reset: sent once more, on a fresh one
 *
 * Refused, it goes to an alternative that its picker named, if one has room, and waits only when none has.
 * Whatever happens, it ends once: a wait with its outcome, a permit with its ending. `cancel` (the client left) ends
 * it in the turn in which it is called.
 */

import { saneUsage } from '@fairlead/core';
import type { Ending, InferenceRequest, Outcome, Permit, Settled, Usage, WaitingHandle } from '@fairlead/core';
import type { Lane } from './lanes.ts';
import type {
  Answer,
  Arrival,
  FleetPort,
  UpstreamCall,
  UpstreamErrorKind,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamPort,
} from './ports.ts';
import { dropped } from './problem.ts';
import type { Problem } from './problem.ts';
import { diedTwice, upstreamProblem } from './upstream-problem.ts';
import type { ReportDraft, RetryKind } from './request-report.ts';

/** Failures by which a model server closes the connection of a request instead of answering. */
const CUTS: ReadonlySet<UpstreamErrorKind> = new Set(['reset', 'reset-idle', 'died']);

/** Failures by which it takes a request and gives nothing for it. */
const FRUITLESS: ReadonlySet<UpstreamErrorKind> = new Set([...CUTS, 'timeout-first-byte']);

/** What a request costs that its model server found wrong. */
const NO_TOKENS: Usage = Object.freeze({ promptTokens: 0 });
const NO_RETRIES: readonly RetryKind[] = Object.freeze([]);
/** A request on whose connection so many servers died is not tried on another: it may be what they died of. */
const MAX_DEATHS = 2;

/** What all journeys share. */
export interface JourneyContext {
  readonly upstream: UpstreamPort;
  readonly health: FleetPort['health'];
  /** As configured at the moment a request is sent. */
  firstByteTimeoutMs: number;
  idleTimeoutMs: number;
  nowMs(): number;
}

export interface JourneyInput {
  readonly arrival: Arrival;
  readonly request: InferenceRequest;
  readonly lane: Lane;
  readonly answer: Answer;
}

type Phase = 'waiting' | 'sending' | 'answering' | 'over';

export class Journey implements UpstreamHandler {
  readonly #context: JourneyContext;
  /** What is sent; let go with the head of the answer, after which no retry is possible. */
  #cargo: Pick<Arrival, 'method' | 'path' | 'body'> | undefined;
  readonly #request: InferenceRequest;
  readonly #lane: Lane;
  readonly #answer: Answer;
  readonly #onSettled = (settled: Settled): void => this.#settled(settled);
  #phase: Phase = 'waiting';
  #wait: WaitingHandle | undefined;
  #permit: Permit | undefined;
  #call: UpstreamCall | undefined;
  #status = 0;
  #streamed = false;
  #outcome: Outcome | undefined;
  #ending: Ending | undefined;
  #waitMs = 0;
  /** When a request for a stream was last sent. */
  #sentMs: number | undefined;
  #ttftMs: number | undefined;
  #retries: readonly RetryKind[] = NO_RETRIES;
  /** Servers that went away with this request on a connection. */
  #deaths = 0;
  #usage: Usage | undefined;

  constructor(context: JourneyContext, input: JourneyInput) {
    this.#context = context;
    this.#cargo = input.arrival;
    this.#request = input.request;
    this.#lane = input.lane;
    this.#answer = input.answer;
  }

  /** Joins the queue. The answer may be a refusal before this returns. */
  start(): this {
    const handle = this.#lane.controller.enqueue(this.#request, this.#onSettled);
    // Dispatched or refused meanwhile: the handle has nothing left to cancel.
    if (this.#phase === 'waiting') this.#wait = handle;
    return this;
  }

  /** The client left: its place in the queue, or the call upstream, is released at once. */
  cancel(): void {
    const phase = this.#phase;
    if (phase === 'over') return;
    this.#phase = 'over';
    if (phase === 'waiting') this.#wait?.cancel();
    else {
      this.#call?.abort('the client left');
      this.#end('cancelled');
    }
  }

  /** The client takes bytes again. */
  resume(): void {
    if (this.#phase === 'answering') this.#call?.resume();
  }

  /** Adds what it knows to its request's report. */
  tell(report: ReportDraft): void {
    report.pool = this.#lane.pool.name;
    report.targetModel = this.#request.targetModel;
    report.endpoint = this.#permit?.endpoint.name;
    report.outcome = this.#outcome;
    report.ending = this.#ending;
    report.waitMs = this.#waitMs;
    report.ttftMs = this.#ttftMs;
    report.retries = this.#retries;
    report.usage = this.#usage;
    report.streamed = this.#streamed;
  }

  onHeaders(status: number, headers: readonly string[], lengthBytes?: number): void {
    if (this.#phase !== 'sending') return;
    this.#phase = 'answering';
    this.#cargo = undefined;
    this.#status = status;
    const { endpoint } = this.#permit as Permit;
    const { fairnessId } = this.#request;
    if (status >= 500 && status !== 501) this.#context.health.failed(endpoint, `answered ${status}`, fairnessId);
    else this.#context.health.answered(endpoint, fairnessId);
    try {
      const added = this.#permit && this.#lane.scheduler.answerHeaders(this.#request, this.#permit.endpoint);
      this.#streamed = this.#answer.begin({
        status,
        headers,
        lengthBytes,
        waitMs: this.#waitMs,
        isBodyDone: this.#call?.isTaken === true,
        added,
      });
    } catch {
      // A head that cannot be passed on (a byte no header may hold) is no answer.
      const message = 'the head of its answer cannot be passed on';
      this.onError({ kind: 'protocol', message });
      this.#call?.abort(message);
    }
  }

  onData(chunk: Uint8Array): boolean {
    if (this.#phase !== 'answering') return true;
    if (this.#ttftMs === undefined) {
      this.#ttftMs = this.#context.nowMs() - this.#request.receivedMs;
      // What a whole answer takes says how long it is, not how full the server is.
      if (this.#streamed && this.#status < 300) this.#firstToken(this.#permit as Permit);
    }
    const takes = this.#answer.data(chunk);
    if (this.#streamed) this.#permit?.streamed(this.#answer.events);
    return takes;
  }

  onEnd(): void {
    if (this.#phase !== 'answering') return;
    this.#phase = 'over';
    this.#end(this.#status >= 500 || this.#status === 429 ? 'failed' : 'succeeded');
    this.#answer.end();
  }

  onError(failure: UpstreamFailure): void {
    if (this.#phase === 'over' || this.#phase === 'waiting') return;
    const permit = this.#permit as Permit;
    if (failure.kind === 'refused') this.#context.health.refused(permit.endpoint, failure.message);
    if (failure.kind === 'protocol')
      this.#context.health.nonsense(permit.endpoint, failure.message, this.#request.fairnessId);
    const isSending = this.#phase === 'sending';
    const wasReset = this.#retries.at(-1) === 'reset-idle';
    // Once a connection with the request on it was reset, a refusal says that the server died, perhaps of this request.
    const isWorthFresh = failure.kind === 'reset-idle' && !wasReset;
    if (isSending && (failure.kind === 'refused' ? wasReset : CUTS.has(failure.kind) && !isWorthFresh))
      this.#deaths += 1;
    if (isSending && failure.kind === 'refused' && this.#deaths < MAX_DEATHS) this.#elsewhere(permit);
    else if (isSending && isWorthFresh) this.#again();
    else {
      if (isSending && FRUITLESS.has(failure.kind))
        this.#context.health.failed(permit.endpoint, failure.message, this.#request.fairnessId);
      this.#phase = 'over';
      this.#end('failed');
      this.#answer.fail(this.#deaths < MAX_DEATHS ? upstreamProblem(failure) : diedTwice, this.#waitMs);
    }
  }

  #firstToken(permit: Permit): void {
    permit.firstToken();
    // A stream that nobody asked for says nothing of how soon those come that somebody did.
    if (this.#sentMs !== undefined)
      this.#context.health.firstByte(permit.endpoint, this.#context.nowMs() - this.#sentMs);
  }

  #settled(settled: Settled): void {
    this.#wait = undefined;
    this.#outcome = settled.outcome;
    if (settled.outcome !== 'Dispatched') {
      this.#waitMs = settled.waitMs;
      const isCancelled = this.#phase === 'over';
      this.#phase = 'over';
      if (!isCancelled) this.#answer.fail(this.#dropProblem(settled.drop), settled.waitMs);
      return;
    }
    this.#permit = settled.permit;
    this.#waitMs = settled.permit.waitMs;
    this.#phase = 'sending';
    this.#send(false);
  }

  #dropProblem(drop: Parameters<typeof dropped>[0]): Problem {
    return dropped(drop, this.#lane.controller.retryAfterMs(this.#request));
  }

  #send(freshConnection: boolean): void {
    const { endpoint } = this.#permit as Permit;
    const { upstream, firstByteTimeoutMs, idleTimeoutMs } = this.#context;
    const { method, path, body } = this.#cargo as Arrival;
    if (this.#request.streamed === true) this.#sentMs = this.#context.nowMs();
    try {
      const headers = this.#answer.headersToSend();
      const { id: requestId } = this.#request;
      this.#call = upstream.send(
        { endpoint, method, path, headers, requestId, body, firstByteTimeoutMs, idleTimeoutMs, freshConnection },
        this,
      );
    } catch (error) {
      // Runs inside the controller's turn: whatever is wrong with this request must not reach the others.
      this.onError({ kind: 'aborted', message: String(error) });
    }
  }

  /**
   * To an alternative that has room, in the order in which they were picked; else back to the head of its flow, with its
   * old deadline. The endpoint that refused is out until it is healthy.
   */
  #elsewhere(permit: Permit): void {
    this.#retries = [...this.#retries, 'refused'];
    this.#call = undefined;
    const moved = this.#lane.controller.failOver(permit);
    if (moved !== undefined) {
      this.#permit = moved;
      this.#waitMs = moved.waitMs;
      this.#send(false);
      return;
    }
    this.#phase = 'waiting';
    const handle = this.#lane.controller.requeue(permit, this.#onSettled);
    if ((this.#phase as Phase) === 'waiting') this.#wait = handle;
  }

  /** The server closed the idle connection while we wrote: it has not read the request, and a new connection may do. */
  #again(): void {
    this.#retries = [...this.#retries, 'reset-idle'];
    this.#send(true);
  }

  #end(ending: Ending): void {
    this.#ending = ending;
    const told = this.#answer.usage();
    this.#usage = saneUsage(told);
    this.#permit?.end(ending, told ?? (this.#status >= 400 ? NO_TOKENS : undefined));
  }
}
