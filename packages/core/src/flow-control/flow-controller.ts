// SPDX-License-Identifier: Apache-2.0

/**
 * The heart: requests go in, wait in front of the model servers, and come out one at a time, each with a permit.
 *
 * Arrivals, completions, fresh metrics, endpoint changes and expiries mark the controller dirty; one `pump` then
 * dispatches as many as it can and stops. Choosing the request, choosing the endpoint and taking the permit are one
 * turn, so that nothing can be dispatched over a limit. There is one writer, hence no lock, no lease and no sweep: who
 * leaves frees his place in the turn in which he leaves.
 */

import type { Alarm, Clock } from '../clock.ts';
import type { InferenceRequest, Usage } from '../request/inference-request.ts';
import { DROPS, type DropCause } from '../request/outcome.ts';
import type { Ending, Permit } from '../request/permit.ts';
import { Bands } from './bands.ts';
import type { FlowControlConfig } from './config.ts';
import { DispatchPermit } from './dispatch-permit.ts';
import { DrainRate } from './drain-rate.ts';
import type { FlowEvent, FlowObserver } from './events.ts';
import { Gate } from './gate.ts';
import { IdleCollector } from './idle-collector.ts';
import { Occupancy } from './occupancy.ts';
import type { Lot } from './parking.ts';
import type { Placed, Placement, PlacementMode } from './placement.ts';
import { Flow, type PriorityBand } from './priority-band.ts';
import type { OnSettled, Settled, WaitingHandle } from './settled.ts';
import type { FlowControlSnapshot } from './snapshot.ts';
import { type ControllerParts, takeSnapshot } from './take-snapshot.ts';
import { WaitBudget } from './wait-budget.ts';
import { DeadlineHeap, WaitingRequest } from './waiting-request.ts';

/**
 * A request that needs several sequences at once may find that single ones take every place that comes free. When it
 * has been passed over by this many dispatches for each sequence it needs, an endpoint is kept for it until it fits.
 */
const PASSED_OVER_PER_SEQUENCE = 16;

/** What aborts an `enqueueAndWait`; the web's and Node's `AbortSignal` fit. */
export interface Signal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface FlowControllerOptions {
  readonly config: FlowControlConfig;
  readonly placement: Placement;
  readonly clock: Clock;
  /** Told of every state change; without one no event is built. */
  readonly observer?: FlowObserver | undefined;
}

type Queued = WaitingRequest<Flow>;

/** The handle of a request that is settled already. */
const SETTLED: WaitingHandle = { cancel: () => undefined };

export class FlowController {
  readonly #placement: Placement;
  readonly #clock: Clock;
  readonly #observer: FlowObserver | undefined;
  readonly #bands: Bands;
  readonly #occupancy: Occupancy;
  readonly #deadlines = new DeadlineHeap<Flow>();
  readonly #idle: IdleCollector;
  readonly #budget: WaitBudget;
  readonly #gate: Gate;
  readonly #drainRate = new DrainRate();
  readonly #onCancel = (waiting: Queued): void => {
    this.#evict(waiting, 'cancelled');
  };
  readonly #onRoom = (flow: Flow): void => {
    if (flow.standing !== 'capped') return;
    flow.band.stand(flow, 'ready');
    this.#emitParked(flow, undefined);
    this.wake();
  };
  readonly #pumpSoon = (): void => {
    this.#scheduled = false;
    this.pump();
  };
  readonly #onAlarm = (): void => {
    this.#alarm = undefined;
    this.#alarmMs = Infinity;
    this.pump();
  };
  #sequence = 0;
  #inFlight = 0;
  #dispatches = 0;
  #scheduled = false;
  #alarm: Alarm | undefined;
  #alarmMs = Infinity;
  /** Raised whenever capacity may have come free: parked lots closed in an earlier epoch are asked again. */
  #capacityEpoch = 0;
  #reservation: { readonly band: PriorityBand; readonly key: string } | undefined;
  #bypass = false;
  #state: 'open' | 'closing' | 'destroyed' = 'open';
  #closed: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  constructor(options: FlowControllerOptions) {
    const { config, placement, clock } = options;
    this.#placement = placement;
    this.#clock = clock;
    this.#observer = options.observer;
    this.#bands = new Bands(config);
    this.#occupancy = new Occupancy(config);
    this.#idle = new IdleCollector(config);
    this.#budget = new WaitBudget(config, placement.hasEndpoints, clock.now());
    this.#gate = new Gate(config.usageLimit, this.#bands);
    placement.onChange(() => {
      this.wake();
    });
  }

  /**
   * Puts a request in its flow's queue. `onSettled` is called exactly once: before this returns when the request is
   * rejected, later when it is dispatched (with the permit, which has to be ended) or evicted.
   */
  enqueue(request: InferenceRequest, onSettled: OnSettled): WaitingHandle {
    const nowMs = this.#clock.now();
    const band = this.#bandFor(request, nowMs);
    const cause = this.#refusal(band, request);
    if (cause !== undefined) {
      if (this.#observer !== undefined) {
        this.#observer({ kind: 'rejected', request, band: band.priority, cause, atMs: nowMs });
      }
      this.#settle(onSettled, { outcome: DROPS[cause].outcome, cause, drop: DROPS[cause], waitMs: 0 });
      return SETTLED;
    }
    const flow = this.#flowFor(band, request, nowMs);
    const waiting: Queued = new WaitingRequest({
      request,
      flow,
      enqueuedMs: nowMs,
      sequence: this.#sequence++,
      onSettled,
      onCancel: this.#onCancel,
    });
    waiting.expiresMs = this.#budget.expiresMs(waiting);
    const rank = band.config.ordering.rank(waiting);
    waiting.rank = Number.isNaN(rank) ? Infinity : rank;
    if (this.#observer !== undefined) this.#observer({ kind: 'enqueued', request, band: band.priority, atMs: nowMs });
    this.#insert(waiting);
    return waiting;
  }

  /** `enqueue` as a promise: resolves with the settlement, never rejects. Aborting the signal cancels the wait. */
  enqueueAndWait(request: InferenceRequest, options: { readonly signal?: Signal | undefined } = {}): Promise<Settled> {
    const { signal } = options;
    return new Promise((resolve) => {
      if (signal?.aborted === true) {
        const cause = 'cancelledBeforeQueue';
        resolve({ outcome: DROPS[cause].outcome, cause, drop: DROPS[cause], waitMs: 0 });
        return;
      }
      const onAbort = (): void => {
        handle.cancel();
      };
      const handle = this.enqueue(request, (settled) => {
        signal?.removeEventListener('abort', onAbort);
        resolve(settled);
      });
      signal?.addEventListener('abort', onAbort);
    });
  }

  /**
   * Ends a permit whose request was never sent and lets the request wait again, at its old place in its flow and with its
   * old deadline. It was accepted once, so no capacity check can refuse it now.
   *
   * @throws Error when the permit has ended already or is of another controller.
   */
  requeue(permit: Permit, onSettled: OnSettled): WaitingHandle {
    if (!(permit instanceof DispatchPermit) || permit.owner !== this) throw new Error('requeue: not a permit of this controller');
    permit.take();
    const before = permit.waiting as Queued;
    const { request, flow, enqueuedMs, sequence } = before;
    const waiting: Queued = new WaitingRequest({ request, flow, enqueuedMs, sequence, onSettled, onCancel: this.#onCancel });
    waiting.rank = before.rank;
    waiting.expiresMs = this.#budget.expiresMs(waiting);
    if (this.#observer !== undefined) {
      const atMs = this.#clock.now();
      this.#observer({ kind: 'requeued', request, band: flow.band.priority, endpoint: permit.endpoint, atMs });
    }
    this.#insert(waiting);
    this.#free(permit, 'failed', undefined);
    this.wake();
    if (this.#state === 'destroyed') this.#evict(waiting, 'evictedShuttingDown');
    return waiting;
  }

  /** Something changed outside (metrics, limits, health): look again soon. */
  wake(): void {
    this.#capacityEpoch += 1;
    this.#schedule();
  }

  /** Dispatches everything regardless of gates, limits and caps while on. */
  setBypass(on: boolean): void {
    if (on === this.#bypass) return;
    this.#bypass = on;
    this.#observer?.({ kind: 'bypass', on, atMs: this.#clock.now() });
    this.wake();
  }

  get bypass(): boolean {
    return this.#bypass;
  }

  /** Requests waiting. */
  get waiting(): number {
    return this.#occupancy.requests;
  }

  /** Permits that have not ended. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Whole seconds, 1 to 60, after which a refused client should find room, by the measured drain rate. */
  retryAfterS(): number {
    return this.#drainRate.retryAfterS(this.#occupancy.requests + 1, this.#clock.now());
  }

  snapshot(): FlowControlSnapshot {
    return takeSnapshot(this.inspect(), this.#clock.now());
  }

  /** The controller's parts, for snapshots and invariants: to be read, never changed. */
  inspect(): ControllerParts {
    return {
      bands: this.#bands,
      occupancy: this.#occupancy,
      deadlines: this.#deadlines,
      idle: this.#idle,
      gate: this.#gate,
      placement: this.#placement,
      inFlight: this.#inFlight,
      bypass: this.#bypass,
      closing: this.#state !== 'open',
      retryAfterS: this.retryAfterS(),
    };
  }

  /** Refuses new requests, lets what waits be dispatched, and resolves when every permit has ended. */
  close(): Promise<void> {
    this.#closed ??= withResolver();
    if (this.#state === 'open') this.#state = 'closing';
    this.#checkClosed();
    return this.#closed.promise;
  }

  /** Refuses new requests and evicts what waits, now. Permits that are out can still end. */
  destroy(): void {
    if (this.#state === 'destroyed') return;
    this.#state = 'destroyed';
    this.#alarm?.cancel();
    this.#alarm = undefined;
    for (const band of this.#bands.ordered) {
      for (const flow of band.flows.values()) {
        for (let head = flow.queue.peek(); head !== undefined; head = flow.queue.peek()) {
          this.#evict(head, 'evictedShuttingDown');
        }
      }
    }
    this.#closed?.resolve();
  }

  /** Expires what is due, forgets what is idle, then dispatches as much as can be. Runs by itself after every change. */
  pump(): void {
    if (this.#state === 'destroyed') return;
    const nowMs = this.#clock.now();
    this.#regime(nowMs);
    this.#expire(nowMs);
    this.#collect(nowMs);
    if (this.#occupancy.requests > 0 && this.#placement.hasEndpoints) {
      if (this.#bypass) this.#dispatchAll(nowMs);
      else this.#dispatchFairly(nowMs);
    }
    this.#afterPump(nowMs);
  }

  #dispatchFairly(nowMs: number): void {
    this.#gate.ask(this.#placement.saturation(nowMs));
    const bands = this.#bands.ordered;
    for (let index = 0; index < bands.length; index += 1) {
      const band = bands[index] as PriorityBand;
      if (band.occupancy.requests === 0) continue;
      if (!this.#serve(band, index, nowMs)) return;
    }
  }

  /** Dispatches from one band until nothing of it can go; false when it is gated, and with it all bands below. */
  #serve(band: PriorityBand, index: number, nowMs: number): boolean {
    for (;;) {
      if (this.#gate.closes(index, this.#placement.saturation(nowMs))) return false;
      if (band.parking.size > 0) this.#letOut(band, nowMs);
      const flow = band.pick();
      if (flow === undefined) return true;
      if (flow.cap?.full === true) {
        band.stand(flow, 'capped');
        this.#emitParked(flow, 'capped');
        continue;
      }
      this.#place(flow, nowMs);
    }
  }

  /** Dispatches the flow's head, or parks the flow. */
  #place(flow: Flow, nowMs: number): void {
    const { band } = flow;
    const head = flow.queue.peek() as Queued;
    const closed = band.parking.size > 0 ? band.parking.lot(this.#placement.placementKey(head.request)) : undefined;
    if (closed?.closedEpoch !== this.#capacityEpoch) {
      const placed = this.#placement.tryPlace(head.request, nowMs, this.#modeOf(band));
      if (placed !== undefined) {
        this.#dispatch(head, placed, nowMs);
        return;
      }
    }
    const lot = closed ?? band.parking.open(this.#placement.placementKey(head.request), this.#dispatches);
    lot.closedEpoch = this.#capacityEpoch;
    flow.lot = lot;
    band.stand(flow, 'parked');
    this.#emitParked(flow, 'no-room');
  }

  /** Lets one flow out of each of the band's lots that has room again. */
  #letOut(band: PriorityBand, nowMs: number): void {
    for (const lot of band.parking.lots()) {
      if (lot.closedEpoch === this.#capacityEpoch) continue;
      const flow = band.parking.next(lot);
      if (flow === undefined) continue;
      const head = flow.queue.peek() as Queued;
      const mine = this.#reservation?.band === band && this.#reservation.key === lot.key;
      if (this.#placement.hasRoom(head.request, nowMs, mine ? 'reserved' : this.#modeOf(band))) {
        if (mine) this.#unreserve();
        lot.waitingSince = this.#dispatches;
        band.stand(flow, 'ready');
        this.#emitParked(flow, undefined);
      } else {
        lot.closedEpoch = this.#capacityEpoch;
        this.#reserveFor(band, lot, head, nowMs);
      }
    }
  }

  #reserveFor(band: PriorityBand, lot: Lot, head: Queued, nowMs: number): void {
    if (this.#reservation !== undefined || head.request.sequences === 1) return;
    if (this.#dispatches - lot.waitingSince < PASSED_OVER_PER_SEQUENCE * head.request.sequences) return;
    this.#reservation = { band, key: lot.key };
    this.#placement.reserve(head.request, nowMs);
  }

  #unreserve(): void {
    this.#reservation = undefined;
    this.#placement.unreserve();
    this.#capacityEpoch += 1;
  }

  /** A band above the one that an endpoint is kept for does not have to respect that. */
  #modeOf(band: PriorityBand): PlacementMode {
    return this.#reservation !== undefined && band.priority > this.#reservation.band.priority ? 'reserved' : 'fair';
  }

  #dispatchAll(nowMs: number): void {
    for (const band of this.#bands.ordered) {
      for (const flow of band.flows.values()) {
        for (let head = flow.queue.peek(); head !== undefined; head = flow.queue.peek()) {
          const placed = this.#placement.tryPlace(head.request, nowMs, 'regardless');
          if (placed === undefined) break;
          this.#dispatch(head, placed, nowMs);
        }
      }
    }
  }

  #dispatch(waiting: Queued, placed: Placed, nowMs: number): void {
    const { flow, request } = waiting;
    const { band } = flow;
    this.#inFlight += 1;
    band.inFlight += 1;
    flow.inFlight += 1;
    flow.cap?.take();
    this.#dispatches += 1;
    this.#drainRate.note(nowMs);
    band.charge(flow, placed.sequences);
    this.#leave(waiting);
    const waitMs = nowMs - waiting.enqueuedMs;
    if (this.#observer !== undefined) {
      this.#observer({ kind: 'dispatched', request, band: band.priority, endpoint: placed.endpoint, waitMs, atMs: nowMs });
    }
    const permit = new DispatchPermit(this, waiting, placed, { waitMs, cap: flow.cap });
    this.#settle(waiting.onSettled, { outcome: 'Dispatched', permit });
  }

  /** Called by the permit, once. */
  permitEnded(permit: DispatchPermit, ending: Ending, usage: Usage | undefined): void {
    const nowMs = this.#clock.now();
    const { request, endpoint } = permit;
    const band = (permit.waiting as Queued).flow.band.priority;
    this.#free(permit, ending, usage);
    if (this.#observer !== undefined) {
      const sinceReceivedMs = nowMs - request.receivedMs;
      this.#observer({ kind: 'ended', request, band, endpoint, ending, usage, sinceReceivedMs, atMs: nowMs });
    }
    this.wake();
  }

  /** Called by the permit, once. */
  permitFirstToken(permit: DispatchPermit): void {
    const nowMs = this.#clock.now();
    const { request, endpoint } = permit;
    permit.placed.firstToken(nowMs - (permit.waiting.enqueuedMs + permit.waitMs));
    if (this.#observer !== undefined) {
      const sinceReceivedMs = nowMs - request.receivedMs;
      this.#observer({ kind: 'first-token', request, endpoint, sinceReceivedMs, atMs: nowMs });
    }
  }

  #free(permit: DispatchPermit, ending: Ending, usage: Usage | undefined): void {
    const { flow } = permit.waiting as Queued;
    permit.placed.release(ending, usage);
    this.#inFlight -= 1;
    flow.band.inFlight -= 1;
    flow.inFlight -= 1;
    permit.cap?.release();
    if (flow.idle) this.#goIdle(flow, this.#clock.now());
    this.#checkClosed();
  }

  #insert(waiting: Queued): void {
    const { flow } = waiting;
    const headBefore = flow.queue.peek();
    this.#idle.flowBusy(flow);
    flow.queue.push(waiting);
    if (waiting.expiresMs < Infinity) {
      this.#deadlines.push(waiting);
      this.#arm(waiting.expiresMs);
    }
    this.#occupancy.add(waiting.request.sizeBytes);
    flow.band.occupancy.add(waiting.request.sizeBytes);
    flow.occupancy.add(waiting.request.sizeBytes);
    if (headBefore === undefined) flow.band.stand(flow, 'ready');
    else if (flow.queue.peek() === waiting) this.#newHead(flow);
    this.#schedule();
  }

  /** Takes a request out of every structure it is in and frees its place. */
  #leave(waiting: Queued): void {
    const { flow } = waiting;
    const wasHead = flow.queue.peek() === waiting;
    flow.queue.remove(waiting);
    this.#deadlines.remove(waiting);
    this.#occupancy.remove(waiting.request.sizeBytes);
    flow.band.occupancy.remove(waiting.request.sizeBytes);
    flow.occupancy.remove(waiting.request.sizeBytes);
    if (flow.queue.size === 0) this.#emptied(flow);
    else if (wasHead) this.#newHead(flow);
  }

  #emptied(flow: Flow): void {
    const { lot } = flow;
    flow.band.stand(flow, 'empty');
    if (flow.idle) this.#goIdle(flow, this.#clock.now());
    this.#lotShrank(flow.band, lot);
  }

  /** A parked flow with another head may fit where the old one did not. */
  #newHead(flow: Flow): void {
    const { lot } = flow;
    if (lot === undefined || lot.key === this.#placement.placementKey((flow.queue.peek() as Queued).request)) {
      flow.band.headChanged(flow);
      return;
    }
    flow.band.stand(flow, 'ready');
    this.#emitParked(flow, undefined);
    this.#lotShrank(flow.band, lot);
  }

  /** An endpoint is kept only for as long as someone waits for it. */
  #lotShrank(band: PriorityBand, lot: Lot | undefined): void {
    if (lot?.size !== 0 || this.#reservation?.band !== band || this.#reservation.key !== lot.key) return;
    this.#unreserve();
    this.#schedule();
  }

  #evict(waiting: Queued, cause: DropCause): void {
    const nowMs = this.#clock.now();
    const waitMs = nowMs - waiting.enqueuedMs;
    this.#leave(waiting);
    if (this.#observer !== undefined) {
      const band = waiting.flow.band.priority;
      this.#observer({ kind: 'evicted', request: waiting.request, band, cause, waitMs, atMs: nowMs });
    }
    this.#settle(waiting.onSettled, { outcome: DROPS[cause].outcome, cause, drop: DROPS[cause], waitMs });
    this.#checkClosed();
    // A new head, or an emptied band above, may be dispatchable now.
    if (this.#occupancy.requests > 0) this.#schedule();
  }

  /** A callback that throws is its owner's bug: it surfaces in a turn of its own and leaves this one whole. */
  #settle(onSettled: OnSettled, settled: Settled): void {
    try {
      onSettled(settled);
    } catch (error) {
      this.#clock.soon(() => {
        throw error;
      });
    }
  }

  #refusal(band: PriorityBand, request: InferenceRequest): DropCause | undefined {
    if (this.#state !== 'open') return 'shuttingDown';
    const { sizeBytes } = request;
    const flow = band.flows.get(request.fairnessId);
    const fitsFlow = flow === undefined ? sizeBytes <= band.flowLimits.maxBytes : flow.occupancy.fits(sizeBytes);
    if (fitsFlow && band.occupancy.fits(sizeBytes) && this.#occupancy.fits(sizeBytes)) return undefined;
    return this.#placement.hasEndpoints ? 'capacity' : 'noEndpoints';
  }

  #bandFor(request: InferenceRequest, nowMs: number): PriorityBand {
    const band = this.#bands.get(request.priority);
    if (band !== undefined) return band;
    if (this.#bands.knows(request.priority)) {
      this.#observer?.({ kind: 'band-created', band: request.priority, atMs: nowMs });
      return this.#bands.create(request.priority);
    }
    this.#observer?.({ kind: 'priority-unknown', request, atMs: nowMs });
    return this.#bands.fallback;
  }

  #flowFor(band: PriorityBand, request: InferenceRequest, nowMs: number): Flow {
    let flow = band.flows.get(request.fairnessId);
    if (flow === undefined) {
      flow = new Flow({ id: request.fairnessId, band, onRoom: this.#onRoom });
      band.flows.set(flow.id, flow);
      if (this.#observer !== undefined) {
        this.#observer({ kind: 'flow-created', fairnessId: flow.id, band: band.priority, atMs: nowMs });
      }
    }
    if (flow.standing === 'empty') {
      // What policies read of a member may not change under them, so a new weight or cap waits until the flow is empty.
      flow.weight = request.flowWeight ?? 1;
      flow.cap = request.cap;
    }
    return flow;
  }

  #goIdle(flow: Flow, nowMs: number): void {
    this.#idle.flowIdle(flow, nowMs);
    this.#arm(this.#idle.nextMs());
  }

  #regime(nowMs: number): void {
    if (!this.#budget.change(this.#placement.hasEndpoints, nowMs)) return;
    this.#observer?.({ kind: 'regime', endpoints: this.#budget.hasEndpoints, atMs: nowMs });
    for (const band of this.#bands.ordered) {
      for (const flow of band.flows.values()) {
        for (const waiting of flow.queue.values()) {
          waiting.expiresMs = this.#budget.expiresMs(waiting);
          if (waiting.expiresMs === Infinity) this.#deadlines.remove(waiting);
          else if (waiting.expirySlot < 0) this.#deadlines.push(waiting);
        }
      }
    }
    this.#deadlines.rebuild();
  }

  #expire(nowMs: number): void {
    for (let first = this.#deadlines.peek(); first !== undefined; first = this.#deadlines.peek()) {
      if (first.expiresMs > nowMs) return;
      this.#evict(first, this.#budget.hasEndpoints ? 'ttl' : 'ttlNoEndpoints');
    }
  }

  #collect(nowMs: number): void {
    if (this.#idle.nextMs() > nowMs) return;
    this.#idle.collect(nowMs, {
      flow: (flow) => {
        this.#observer?.({ kind: 'flow-forgotten', fairnessId: flow.id, band: flow.band.priority, atMs: nowMs });
      },
      band: (band) => {
        this.#bands.remove(band);
        this.#observer?.({ kind: 'band-forgotten', band: band.priority, atMs: nowMs });
      },
    });
  }

  #afterPump(nowMs: number): void {
    const busy = this.#occupancy.requests > 0 && this.#placement.hasEndpoints && !this.#bypass;
    const change = this.#gate.settle({ nowMs, busy, held: this.#reservation !== undefined });
    if (change !== undefined) this.#observer?.(change);
    this.#arm(Math.min(this.#deadlines.peek()?.expiresMs ?? Infinity, this.#idle.nextMs()));
    this.#checkClosed();
  }

  #schedule(): void {
    if (this.#scheduled || this.#state === 'destroyed') return;
    this.#scheduled = true;
    this.#clock.soon(this.#pumpSoon);
  }

  /** One alarm for everything that is due by itself; it only ever moves forward, and a stale one finds nothing to do. */
  #arm(timeMs: number): void {
    if (timeMs >= this.#alarmMs || this.#state === 'destroyed') return;
    this.#alarm?.cancel();
    this.#alarmMs = timeMs;
    this.#alarm = this.#clock.at(timeMs, this.#onAlarm);
  }

  #checkClosed(): void {
    if (this.#closed === undefined || this.#occupancy.requests > 0 || this.#inFlight > 0) return;
    this.#state = 'destroyed';
    this.#alarm?.cancel();
    this.#alarm = undefined;
    this.#closed.resolve();
  }

  #emitParked(flow: Flow, why: 'no-room' | 'capped' | undefined): void {
    if (this.#observer === undefined) return;
    const atMs = this.#clock.now();
    const event: FlowEvent =
      why === undefined
        ? { kind: 'flow-unparked', fairnessId: flow.id, band: flow.band.priority, atMs }
        : { kind: 'flow-parked', fairnessId: flow.id, band: flow.band.priority, why, atMs };
    this.#observer(event);
  }
}

function withResolver(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { promise, resolve };
}
