// SPDX-License-Identifier: Apache-2.0

/**
 * What a pump does: band after band, highest first, it asks the gate, lets parked flows out where there is room again,
 * asks the fairness policy whose turn it is, and places that flow's head, until a band is gated or nothing can go.
 */

import type { Clock } from '../clock.ts';
import type { FlowEvent, FlowObserver } from './events.ts';
import type { Gate } from './gate.ts';
import type { Lot } from './parking.ts';
import type { Placed, Placement, PlacementMode } from './placement.ts';
import type { Flow, PriorityBand } from './priority-band.ts';
import type { Queued, Waitlist } from './waitlist.ts';

/**
 * A request that needs much at once may find that small ones take every place that comes free. When it has been passed
 * over by this many dispatches for each of those that it displaces, an endpoint is kept for it until it fits.
 */
const PASSED_OVER_PER_DISPLACED = 16;

/** Key of the lot of those for whom there was room, but not after the filters; no placement key. */
const UNSUITED = 'unsuited';

export interface DispatcherOptions {
  readonly waitlist: Waitlist;
  readonly placement: Placement;
  readonly gate: Gate;
  readonly clock: Clock;
  readonly observer: FlowObserver | undefined;
  /** The request's turn has come; true when it was taken out of its queue because it is too late to send it. */
  readonly giveUp: (waiting: Queued, nowMs: number) => boolean;
  /** Capacity was taken for the request: take it out of its queue and hand it over. */
  readonly onPlaced: (waiting: Queued, placed: Placed, nowMs: number) => void;
}

export class Dispatcher {
  readonly #waitlist: Waitlist;
  readonly #placement: Placement;
  readonly #gate: Gate;
  readonly #clock: Clock;
  readonly #observer: FlowObserver | undefined;
  readonly #giveUp: DispatcherOptions['giveUp'];
  readonly #onPlaced: DispatcherOptions['onPlaced'];
  #dispatches = 0;
  /** Raised whenever capacity may have come free: lots closed in an earlier epoch are asked again. */
  #capacityEpoch = 0;
  /** The lot that an endpoint is kept for. */
  #reservation: { readonly band: PriorityBand; readonly key: string } | undefined;

  constructor(options: DispatcherOptions) {
    this.#waitlist = options.waitlist;
    this.#placement = options.placement;
    this.#gate = options.gate;
    this.#clock = options.clock;
    this.#observer = options.observer;
    this.#giveUp = options.giveUp;
    this.#onPlaced = options.onPlaced;
  }

  /** True while an endpoint is kept for a request that needs more than has come free so far. */
  get reserving(): boolean {
    return this.#reservation !== undefined;
  }

  /** Room may have come free somewhere. */
  capacityFreed(): void {
    this.#capacityEpoch += 1;
  }

  /** Dispatches as many as gates, caps and room allow. */
  dispatchFairly(nowMs: number): void {
    this.#gate.ask(this.#placement.saturation(nowMs));
    const bands = this.#waitlist.bands.ordered;
    for (let index = 0; index < bands.length; index += 1) {
      const band = bands[index] as PriorityBand;
      if (band.occupancy.requests > 0 && !this.#serve(band, index, nowMs)) return;
    }
  }

  /** Dispatches everything that an endpoint serves, full or not. */
  dispatchAll(nowMs: number): void {
    for (const waiting of this.#waitlist.all().sort((a, b) => a.sequence - b.sequence)) {
      if (waiting.queueSlot < 0) continue;
      const placed = this.#placement.tryPlace(waiting.request, nowMs, 'regardless');
      if (typeof placed === 'object') this.#onPlaced(waiting, placed, nowMs);
    }
  }

  /** A capped flow may go on. */
  uncap(flow: Flow): void {
    if (flow.standing === 'capped') this.#unpark(flow);
  }

  /** Throttled flows whose buckets have tokens again may go on. */
  unthrottle(nowMs: number): void {
    const { throttled } = this.#waitlist;
    for (let flow = throttled.refilled(nowMs); flow !== undefined; flow = throttled.refilled(nowMs)) this.#unpark(flow);
  }

  /** An endpoint is kept only for as long as someone waits for it. */
  lotLeft(band: PriorityBand, lot: Lot): void {
    if (lot.size === 0 && this.#isReservedFor(band, lot)) this.#unreserve();
  }

  /** Dispatches from one band until nothing of it can go; false when it is gated, and with it all bands below. */
  #serve(band: PriorityBand, index: number, nowMs: number): boolean {
    for (;;) {
      if (this.#gate.closes(index, this.#placement.saturation(nowMs))) return false;
      if (band.parking.size > 0) this.#letOut(band, nowMs);
      const flow = band.pick();
      if (flow === undefined) return true;
      if (flow.cap?.full === true) this.#park(flow, 'capped');
      else if (flow.bucket?.isEmpty(nowMs) === true) this.#park(flow, 'throttled');
      else this.#place(flow, nowMs);
    }
  }

  /** Dispatches the flow's head, or parks the flow. */
  #place(flow: Flow, nowMs: number): void {
    const { band } = flow;
    const head = flow.queue.peek() as Queued;
    if (this.#giveUp(head, nowMs)) return;
    let key = band.parking.size > 0 ? this.#placement.placementKey(head.request) : undefined;
    if (key === undefined || band.parking.lot(key)?.closedEpoch !== this.#capacityEpoch) {
      const placed = this.#placement.tryPlace(head.request, nowMs, this.#modeOf(band));
      if (typeof placed === 'object') {
        this.#dispatches += 1;
        band.charge(flow, placed.sequences);
        this.#onPlaced(head, placed, nowMs);
        return;
      }
      if (placed === 'unsuited') key = UNSUITED;
    }
    const lot = band.parking.open(key ?? this.#placement.placementKey(head.request), this.#dispatches);
    lot.closedEpoch = this.#capacityEpoch;
    flow.lot = lot;
    this.#park(flow, 'no-room');
  }

  /** Lets one flow out of each of the band's lots that has room again, and everyone whom filters had left nothing. */
  #letOut(band: PriorityBand, nowMs: number): void {
    for (const lot of band.parking.lots()) {
      if (lot.closedEpoch === this.#capacityEpoch) continue;
      const flow = band.next(lot);
      if (flow === undefined) continue;
      if (lot.key === UNSUITED) {
        this.#letOutAll(band, lot);
        continue;
      }
      const head = flow.queue.peek() as Queued;
      const mine = this.#isReservedFor(band, lot);
      if (this.#placement.hasRoom(head.request, nowMs, mine ? 'reserved' : this.#modeOf(band))) {
        if (mine) this.#unreserve();
        lot.waitingSince = this.#dispatches;
        this.#unpark(flow);
      } else {
        lot.closedEpoch = this.#capacityEpoch;
        this.#reserveIfPassedOver(lot, head, nowMs);
      }
    }
  }

  /** What filters leave may be different for each, so each is asked again. */
  #letOutAll(band: PriorityBand, lot: Lot): void {
    for (let flow = band.next(lot); flow !== undefined; flow = band.next(lot)) this.#unpark(flow);
  }

  #reserveIfPassedOver(lot: Lot, head: Queued, nowMs: number): void {
    if (this.#reservation !== undefined) return;
    // A batch of thousands takes one endpoint, and has to be patient for no more than that.
    const width = this.#placement.widthOf(head.request);
    if (width === 1 || this.#dispatches - lot.waitingSince < PASSED_OVER_PER_DISPLACED * width) return;
    this.#reservation = { band: head.flow.band, key: lot.key };
    this.#placement.reserve(head.request, nowMs);
  }

  #unreserve(): void {
    this.#reservation = undefined;
    this.#placement.unreserve();
    this.#capacityEpoch += 1;
  }

  #isReservedFor(band: PriorityBand, lot: Lot): boolean {
    return this.#reservation?.band === band && this.#reservation.key === lot.key;
  }

  /** A band above the one that an endpoint is kept for does not have to respect that. */
  #modeOf(band: PriorityBand): PlacementMode {
    return this.#reservation !== undefined && band.priority > this.#reservation.band.priority ? 'reserved' : 'fair';
  }

  #park(flow: Flow, why: 'no-room' | 'capped' | 'throttled'): void {
    flow.band.stand(flow, why === 'no-room' ? 'parked' : why);
    this.#observer?.({ kind: 'flow-parked', why, ...this.#told(flow) });
  }

  #unpark(flow: Flow): void {
    flow.band.stand(flow, 'ready');
    this.#observer?.({ kind: 'flow-unparked', ...this.#told(flow) });
  }

  #told(flow: Flow): Pick<FlowEvent & { kind: 'flow-unparked' }, 'fairnessId' | 'band' | 'atMs'> {
    return { fairnessId: flow.id, band: flow.band.priority, atMs: this.#clock.now() };
  }
}
