// SPDX-License-Identifier: Apache-2.0

/**
 * The heart: requests go in, wait in front of the model servers, and come out one at a time, each with a permit.
 *
 * Arrivals, completions, fresh metrics, endpoint changes and expiries mark the controller dirty; one `pump` then
 * dispatches as many as it can and stops. Choosing the request, choosing the endpoint and taking the permit are one
 * turn, so that nothing can be dispatched over a limit. There is one writer, hence no lock, no lease and no sweep: who
 * leaves frees his place in the turn in which he leaves.
 */

import type { Clock } from '../clock.ts';
import { saneUsage } from '../request/cost-model.ts';
import type { InferenceRequest, Usage } from '../request/inference-request.ts';
import type { DropCause } from '../request/outcome.ts';
import type { Ending, Permit } from '../request/permit.ts';
import type { FlowControlConfig } from './config.ts';
import { CostAccounts } from './cost-accounts.ts';
import { assertOwn, DispatchPermit } from './dispatch-permit.ts';
import { Dispatcher } from './dispatcher.ts';
import { DrainRate } from './drain-rate.ts';
import type { FlowObserver } from './events.ts';
import { failOver } from './fail-over.ts';
import { Gate } from './gate.ts';
import { NextAlarm } from './next-alarm.ts';
import type { Placed, Placement } from './placement.ts';
import {
  dropped,
  SETTLED,
  settlement,
  tell,
  type OnSettled,
  type Settled,
  type Signal,
  type WaitingHandle,
} from './settled.ts';
import type { FlowControlSnapshot } from './snapshot.ts';
import { type ControllerParts, takeSnapshot } from './take-snapshot.ts';
import { WaitingRequest } from './waiting-request.ts';
import { type Queued, Waitlist } from './waitlist.ts';

export interface FlowControllerOptions {
  readonly config: FlowControlConfig;
  readonly placement: Placement;
  readonly clock: Clock;
  /** Told of every state change; without one no event is built. */
  readonly observer?: FlowObserver | undefined;
}

interface Rejection {
  readonly band: number;
  readonly cause: DropCause;
  readonly nowMs: number;
  readonly onSettled: OnSettled;
}

export class FlowController {
  readonly #placement: Placement;
  readonly #clock: Clock;
  readonly #observer: FlowObserver | undefined;
  readonly #waitlist: Waitlist;
  readonly #gate: Gate;
  readonly #dispatcher: Dispatcher;
  readonly #drainRate = new DrainRate();
  readonly #alarm: NextAlarm;
  readonly #onCancel = (waiting: Queued): void => {
    this.#evict(waiting, 'cancelled');
  };
  readonly #pumpSoon = (): void => {
    this.#scheduled = false;
    this.pump(this.#changedMs);
  };
  readonly #costs: CostAccounts;
  #sequence = 0;
  #inFlight = 0;
  #scheduled = false;
  /** When the last change was that the next pump is for; the clock is not asked again in the same turn. */
  #changedMs = 0;
  #bypass = false;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #closed: PromiseWithResolvers<void> | undefined;

  constructor({ config, placement, clock, observer }: FlowControllerOptions) {
    this.#placement = placement;
    this.#costs = new CostAccounts(config.costs);
    this.#clock = clock;
    this.#alarm = new NextAlarm(clock, () => void this.pump());
    this.#observer = observer;
    this.#waitlist = new Waitlist({
      config,
      placement,
      clock,
      observer,
      onRoom: (flow) => {
        this.#dispatcher.uncap(flow);
        this.#schedule();
      },
      onRefund: () => this.#schedule(),
      onLotLeft: (band, lot) => {
        this.#dispatcher.lotLeft(band, lot);
        this.#schedule();
      },
    });
    this.#gate = new Gate(config.usageLimit, {
      bands: this.#waitlist.bands,
      onFault: (policy, error) => {
        this.#waitlist.fault(policy, error);
      },
    });
    this.#dispatcher = new Dispatcher({
      waitlist: this.#waitlist,
      placement,
      gate: this.#gate,
      clock,
      observer,
      giveUp: (waiting, nowMs) => {
        const isTooLate = this.#waitlist.patience.isTooLate(waiting, nowMs, this.waiting > 1);
        if (isTooLate) this.#evict(waiting, 'deadlineInQueue');
        return isTooLate;
      },
      onPlaced: (waiting, placed, nowMs) => {
        this.#dispatch(waiting, placed, nowMs);
      },
    });
    placement.onChange(() => void this.wake());
  }

  /**
   * Puts a request in its flow's queue. `onSettled` is called exactly once: before this returns when the request is
   * rejected, later when it is dispatched (with the permit, which has to be ended) or evicted.
   */
  enqueue(request: InferenceRequest, onSettled: OnSettled): WaitingHandle {
    const nowMs = this.#clock.now();
    const band = this.#waitlist.bandFor(request, nowMs);
    const known = band.flows.get(request.fairnessId);
    if (this.#state !== 'open' || !this.#waitlist.hasPlace(band, known, request.sizeBytes)) {
      const full = this.#placement.hasEndpoints ? 'capacity' : 'noEndpoints';
      const cause = this.#state === 'open' ? full : 'shuttingDown';
      return this.#reject(request, { band: band.priority, cause, nowMs, onSettled });
    }
    const flow = this.#waitlist.flowFor(band, known, request);
    const sequence = this.#sequence++;
    const onCancel = this.#onCancel;
    const waiting: Queued = new WaitingRequest({ request, flow, enqueuedMs: nowMs, sequence, onSettled, onCancel });
    waiting.expiresMs = this.#waitlist.budget.expiresMs(waiting);
    waiting.rank = this.#waitlist.rankOf(waiting);
    if (!this.#bypass && this.#placement.hasEndpoints && this.#waitlist.isVain(waiting, nowMs)) {
      this.#waitlist.noteIdle(flow, nowMs);
      return this.#reject(request, { band: band.priority, cause: 'deadline', nowMs, onSettled });
    }
    this.#observer?.({ kind: 'enqueued', request, band: band.priority, atMs: nowMs });
    this.#waitlist.add(waiting, nowMs);
    this.#schedule(nowMs);
    return waiting;
  }

  /** `enqueue` as a promise: resolves with the settlement, never rejects. Aborting the signal cancels the wait. */
  enqueueAndWait(request: InferenceRequest, options: { readonly signal?: Signal | undefined } = {}): Promise<Settled> {
    return settlement((onSettled) => this.enqueue(request, onSettled), options.signal);
  }

  /**
   * Ends a permit whose request was never sent and lets the request wait again, at its old place in its flow and with its
   * old deadline. It was accepted once, so no capacity check can refuse it now.
   *
   * @throws Error when the permit has ended already or is another controller's.
   */
  requeue(permit: Permit, onSettled: OnSettled): WaitingHandle {
    assertOwn(permit, this);
    permit.take();
    const { request, flow, enqueuedMs, sequence, expiresMs } = permit.waiting;
    const onCancel = this.#onCancel;
    const waiting: Queued = new WaitingRequest({ request, flow, enqueuedMs, sequence, onSettled, onCancel });
    waiting.latestMs = expiresMs;
    waiting.expiresMs = this.#waitlist.budget.expiresMs(waiting);
    // Where it was before, unless the ordering is another by now.
    waiting.rank = this.#waitlist.rankOf(waiting);
    const atMs = this.#clock.now();
    this.#observer?.({ kind: 'requeued', request, band: flow.band.priority, endpoint: permit.endpoint, atMs });
    this.#waitlist.add(waiting, atMs);
    permit.giveBack(atMs);
    this.#free(permit, atMs);
    if (this.#state === 'closed') this.#evict(waiting, 'evictedShuttingDown');
    return waiting;
  }

  /**
   * Goes on with another configuration, in one turn: what waits keeps its place, what is in flight ends as it would have.
   * A policy that is the same instance as before keeps what it remembers; a band that is gone serves what waits in it.
   */
  reconfigure(config: FlowControlConfig): void {
    this.#waitlist.reconfigure(config, this.#clock.now());
    this.#gate.reconfigure(config.usageLimit);
    this.#costs.reconfigure(config.costs);
    this.wake();
  }

  /**
   * Moves a permit whose request was never sent to the first of its alternatives that has room, in this turn: nobody can
   * come between. Undefined, and the permit as it was, when none has room or the controller is closed.
   * @throws Error when the permit is another controller's, or has ended already while this one is open.
   */
  failOver(permit: Permit): Permit | undefined {
    assertOwn(permit, this);
    if (this.#state === 'closed') return undefined;
    const mode = this.#bypass ? 'regardless' : 'fair';
    const moved = failOver(permit, this.#placement, { mode, observer: this.#observer, atMs: this.#clock.now() });
    if (moved !== undefined) this.wake();
    return moved;
  }

  /** Something changed outside (metrics, limits, health): look again soon. */
  wake(nowMs = this.#clock.now()): void {
    this.#dispatcher.capacityFreed();
    this.#schedule(nowMs);
  }

  /** Dispatches everything regardless of gates, limits and caps while on. */
  setBypass(on: boolean): void {
    if (on === this.#bypass) return;
    this.#bypass = on;
    this.#waitlist.bands.pauseLag(on);
    this.#observer?.({ kind: 'bypass', on, atMs: this.#clock.now() });
    this.wake();
  }

  get bypass(): boolean {
    return this.#bypass;
  }

  /** Requests waiting. */
  get waiting(): number {
    return this.#waitlist.occupancy.requests;
  }

  /** Permits that have not ended. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * Milliseconds after which a refused client should find room: 100 to 60 000 by the measured drain rate; for a
   * request whose tenant has no tokens left, up to an hour, when there are some for all of its that waits and one more.
   */
  retryAfterMs(request?: InferenceRequest): number {
    const nowMs = this.#clock.now();
    const tokensMs = request && this.#waitlist.tokensMs(request, nowMs);
    return tokensMs ?? this.#drainRate.retryAfterMs(this.waiting + 1, nowMs);
  }

  snapshot(): FlowControlSnapshot {
    return takeSnapshot(this.inspect(), this.#clock.now());
  }

  /** The controller's parts, for snapshots and invariants: to be read, never changed. */
  inspect(): ControllerParts {
    return {
      waitlist: this.#waitlist,
      gate: this.#gate,
      placement: this.#placement,
      inFlight: this.#inFlight,
      bypass: this.#bypass,
      closing: this.#state !== 'open',
      retryAfterMs: this.retryAfterMs(),
    };
  }

  /** Refuses new requests, lets what waits be dispatched, and resolves when every permit has ended. */
  close(): Promise<void> {
    this.#closed ??= Promise.withResolvers<void>();
    if (this.#state === 'open') this.#state = 'closing';
    this.#checkClosed();
    return this.#closed.promise;
  }

  /** Refuses new requests and evicts what waits, now. Permits that are out can still end. */
  destroy(): void {
    if (this.#state === 'closed') return;
    this.#shut();
    for (const waiting of this.#waitlist.all()) {
      if (waiting.queueSlot >= 0) this.#evict(waiting, 'evictedShuttingDown');
    }
    this.#checkClosed();
  }

  /** Expires what is due, forgets what is idle, then dispatches as much as can be. Runs by itself after every change. */
  pump(nowMs = this.#clock.now()): void {
    if (this.#state === 'closed') return;
    this.#waitlist.bands.shares.note(this.#waitlist.bands.ordered, nowMs);
    this.#waitlist.checkRegime(nowMs);
    if (this.#waitlist.nextMs() <= nowMs) this.#doWhatIsDue(nowMs);
    if (this.waiting > 0 && this.#placement.hasEndpoints) {
      if (this.#bypass) this.#dispatcher.dispatchAll(nowMs);
      else this.#dispatcher.dispatchFairly(nowMs);
    }
    const busy = this.waiting > 0 && this.#placement.hasEndpoints && !this.#bypass;
    const change = this.#gate.settle({ nowMs, busy, held: this.#dispatcher.reserving });
    if (change !== undefined) this.#observer?.(change);
    this.#alarm.arm(this.#waitlist.nextMs());
  }

  #doWhatIsDue(nowMs: number): void {
    for (let due = this.#waitlist.expired(nowMs); due !== undefined; due = this.#waitlist.expired(nowMs)) {
      this.#evict(due, this.#waitlist.budget.hasEndpoints ? 'ttl' : 'ttlNoEndpoints');
    }
    this.#waitlist.forgetIdle(nowMs);
    this.#dispatcher.unthrottle(nowMs);
  }

  #reject(request: InferenceRequest, { band, cause, nowMs, onSettled }: Rejection): WaitingHandle {
    this.#observer?.({ kind: 'rejected', request, band, cause, atMs: nowMs });
    tell(onSettled, dropped(cause, 0), this.#clock);
    return SETTLED;
  }

  #dispatch(waiting: Queued, placed: Placed, nowMs: number): void {
    const { flow, request } = waiting;
    const charge = this.#costs.charge(waiting);
    this.#inFlight += 1;
    flow.band.inFlight += 1;
    flow.inFlight += 1;
    flow.cap?.take();
    const debited = flow.bucket?.take(request, nowMs) ?? 0;
    this.#drainRate.note(nowMs);
    this.#waitlist.noteProgress(waiting, nowMs);
    this.#waitlist.remove(waiting, nowMs);
    const waitMs = nowMs - waiting.enqueuedMs;
    const band = flow.band.priority;
    const { endpoint, prefixMatch } = placed;
    this.#observer?.({ kind: 'dispatched', request, band, endpoint, prefixMatch, waitMs, atMs: nowMs });
    const permit = new DispatchPermit({ owner: this, waiting, placed, waitMs, debited, charge });
    tell(waiting.onSettled, { outcome: 'Dispatched', permit }, this.#clock);
  }

  /** Called by the permit when it ends, once. */
  permitEnded(permit: DispatchPermit, ending: Ending, told: Usage | undefined): void {
    const atMs = this.#clock.now();
    const usage = saneUsage(told);
    permit.release({ ending, usage }, atMs);
    this.#waitlist.patience.ended(permit, ending, atMs);
    this.#free(permit, atMs);
    const { request, endpoint } = permit;
    if (usage !== told) this.#observer?.({ kind: 'usage-clamped', request, endpoint, usage: told, atMs });
    const band = permit.waiting.flow.band.priority;
    const sinceReceivedMs = atMs - request.receivedMs;
    this.#observer?.({ kind: 'ended', request, band, endpoint, ending, usage, sinceReceivedMs, atMs });
  }

  /** Called by the permit at its first token, once. */
  permitFirstToken(permit: DispatchPermit): void {
    const atMs = this.#clock.now();
    const { request, endpoint } = permit;
    permit.placed.firstToken(atMs - permit.dispatchedMs);
    this.#waitlist.patience.begun(permit, atMs);
    this.#observer?.({ kind: 'first-token', request, endpoint, sinceReceivedMs: atMs - request.receivedMs, atMs });
  }

  #free({ flow, cap }: DispatchPermit, nowMs: number): void {
    this.#inFlight -= 1;
    flow.band.inFlight -= 1;
    flow.inFlight -= 1;
    cap?.release();
    this.#waitlist.noteIdle(flow, nowMs);
    this.#dispatcher.capacityFreed();
    if (this.waiting > 0) this.#schedule(nowMs);
    // Where nobody waits for the room there is nothing else to do.
    else this.#alarm.arm(this.#waitlist.nextMs());
    this.#checkClosed();
  }

  #evict(waiting: Queued, cause: DropCause): void {
    const nowMs = this.#clock.now();
    const waitMs = nowMs - waiting.enqueuedMs;
    this.#waitlist.noteLeft(waiting, cause, nowMs);
    this.#waitlist.remove(waiting, nowMs);
    const { request, flow } = waiting;
    this.#observer?.({ kind: 'evicted', request, band: flow.band.priority, cause, waitMs, atMs: nowMs });
    tell(waiting.onSettled, dropped(cause, waitMs), this.#clock);
    this.#schedule(nowMs);
    this.#checkClosed();
  }

  #schedule(nowMs = this.#clock.now()): void {
    this.#changedMs = nowMs;
    if (this.#scheduled || this.#state === 'closed') return;
    this.#scheduled = true;
    this.#clock.soon(this.#pumpSoon);
  }

  #checkClosed(): void {
    if (this.#closed === undefined || this.waiting > 0 || this.#inFlight > 0) return;
    this.#shut();
    this.#closed.resolve();
  }

  #shut(): void {
    this.#state = 'closed';
    this.#alarm.stop();
  }
}
