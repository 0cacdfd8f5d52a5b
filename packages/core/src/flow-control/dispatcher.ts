// SPDX-License-Identifier: Apache-2.0

/**
 * What a pump does: it asks the band selection policy for a band, asks the gate, lets parked flows of the band out where
 * there is room again, asks the fairness policy whose turn it is, and places that flow's head, until nothing can go or,
 * where bands are served strictly, a band is gated.
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
    // In the middle of a turn: whoever is dispatched may end something at once.
    this.#waitlist.bands.selection.readmit();
  }

  /** Dispatches as many as gates, caps and room allow. */
  dispatchFairly(nowMs: number): void {
    const { selection } = this.#waitlist.bands;
    let saturation = this.#placement.saturation(nowMs);
    this.#gate.ask(saturation, selection.isStrict);
    let band = selection.pick();
    while (band !== undefined) {
      const isClosed = this.#gate.closes(band.index, saturation);
      if (isClosed && (selection.isStrict || this.#gate.closesAll(selection.highest.index, saturation))) break;
      if (isClosed || !this.#serveOne(band, nowMs)) selection.pass(band.contender);
      band = selection.pick();
      if (band !== undefined) saturation = this.#placement.saturation(nowMs);
    }
    selection.readmit();
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

  /** Dispatches one of the band, or finds that the flow whose turn it is cannot go; false when no flow is left. */
  #serveOne(band: PriorityBand, nowMs: number): boolean {
    if (band.parking.size > 0 && this.#letOut(band, nowMs)) return true;
    const flow = band.pick();
    if (flow === undefined) return false;
    this.#serveFlow(flow, nowMs);
    return true;
  }

  #serveFlow(flow: Flow, nowMs: number): void {
    if (flow.cap?.full === true) this.#park(flow, 'capped');
    else if (flow.bucket?.isEmpty(nowMs) === true) this.#park(flow, 'throttled');
    else this.#place(flow, nowMs);
  }

  /** Dispatches the flow's head, or parks the flow. */
  #place(flow: Flow, nowMs: number): void {
    const { band } = flow;
    const head = flow.peek() as Queued;
    if (this.#giveUp(head, nowMs)) return;
    let key = band.parking.size > 0 ? this.#placement.placementKey(head.request) : undefined;
    if (key === undefined || band.parking.lot(key)?.closedEpoch !== this.#capacityEpoch) {
      const placed = this.#placement.tryPlace(head.request, nowMs, this.#modeOf(band));
      if (typeof placed === 'object') {
        this.#dispatches += 1;
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

  /**
   * Lets one flow out of each of the band's lots that has room again, and everyone whom filters had left nothing. The one
   * that an endpoint was kept for is served at once, before anybody can take from it; true when it was.
   */
  #letOut(band: PriorityBand, nowMs: number): boolean {
    for (const lot of band.parking.lots()) {
      if (lot.closedEpoch === this.#capacityEpoch) continue;
      const flow = band.next(lot);
      if (flow === undefined) continue;
      if (lot.key === UNSUITED) {
        this.#letOutAll(band, lot);
        continue;
      }
      const head = flow.peek() as Queued;
      const mine = this.#isReservedFor(band, lot);
      if (this.#placement.hasRoom(head.request, nowMs, mine ? 'reserved' : this.#modeOf(band))) {
        lot.waitingSince = this.#dispatches;
        this.#unpark(flow);
        if (!mine) continue;
        this.#unreserve();
        this.#serveFlow(flow, nowMs);
        return true;
      } else {
        lot.closedEpoch = this.#capacityEpoch;
        this.#reserveIfPassedOver(lot, head, nowMs);
      }
    }
    return false;
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
    this.#waitlist.bands.selection.readmit();
    this.#capacityEpoch += 1;
  }

  #isReservedFor(band: PriorityBand, lot: Lot): boolean {
    return this.#reservation?.band === band && this.#reservation.key === lot.key;
  }

  /** Where bands are served strictly, one above that which an endpoint is kept for does not have to respect that. */
  #modeOf(band: PriorityBand): PlacementMode {
    const isAbove = this.#reservation !== undefined && band.priority > this.#reservation.band.priority;
    return isAbove && this.#waitlist.bands.selection.isStrict ? 'reserved' : 'fair';
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
