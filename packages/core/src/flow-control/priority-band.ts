// SPDX-License-Identifier: Apache-2.0

/**
 * A band is everything waiting at one priority, with its limits, its policies and the fairness policy's state; a flow is
 * one fairness id's stream inside it. The band is the only one that talks to the fairness policy: it tells it which
 * flows are eligible, so that picking never has to search.
 */

import type { CapWaiter, InFlightCap } from '../request/in-flight-cap.ts';
import type { BandConfig, BandTemplate } from './config.ts';
import { Occupancy } from './occupancy.ts';
import { BAND_CONTEXT, type Lot, type Parkable, Parking } from './parking.ts';
import type { Waiting } from './policies.ts';
import { RequestQueue } from './waiting-request.ts';

/**
 * `empty`: nothing waits. `ready`: known to the band's fairness policy. `parked`: its head found no room. `capped`: its
 * tenant is at `maxInFlight`.
 */
export type Standing = 'empty' | 'ready' | 'parked' | 'capped';

export class Flow implements Parkable, CapWaiter {
  readonly id: string;
  readonly band: PriorityBand;
  readonly state: unknown;
  readonly queue = new RequestQueue<Flow>();
  standing: Standing = 'empty';
  weight = 1;
  /** Bytes of body waiting. */
  bytes = 0;
  /** Requests in flight. */
  inFlight = 0;
  cap: InFlightCap | undefined;
  /** The lot it is parked in while `standing` is `parked`. */
  lot: Lot | undefined;
  /** When it last held or had in flight anything; whole milliseconds, which V8 keeps in the object itself. */
  idleSinceMs = 0;
  /** The idle collector's: when to look at it again, and its slot there; -1 for none. */
  lookMs = 0;
  lookSlot = -1;

  constructor(id: string, band: PriorityBand) {
    this.id = id;
    this.band = band;
    this.state = band.config.fairness.newMemberState();
  }

  /** Its tenant is under its cap again. */
  onRoom(): void {
    this.band.onRoom(this);
  }

  /** The request it would send next; there is one whenever the flow is not empty. */
  get head(): Waiting {
    const head = this.queue.peek();
    if (head === undefined) throw new Error(`flow ${this.id} was asked for its head but holds nothing`);
    return head;
  }

  get idle(): boolean {
    return this.queue.size === 0 && this.inFlight === 0;
  }

  /** Whether one more request of this size is within its share of the band. */
  fits(sizeBytes: number): boolean {
    const { maxRequests, maxBytes } = this.band.flowLimits;
    return this.queue.size < maxRequests && this.bytes + sizeBytes <= maxBytes;
  }
}

export class PriorityBand {
  readonly priority: number;
  readonly config: BandTemplate;
  /** Told when a capped flow's tenant is under its cap again. */
  readonly onRoom: (flow: Flow) => void;
  /** Named in the configuration: never forgotten. */
  readonly configured: boolean;
  readonly occupancy: Occupancy;
  readonly flowLimits: { readonly maxRequests: number; readonly maxBytes: number };
  readonly flows = new Map<string, Flow>();
  readonly parking: Parking<Flow>;
  readonly #state: unknown;
  /** Requests in flight. */
  inFlight = 0;
  /** Flows by standing; `empty` is not counted. */
  readonly count = { ready: 0, parked: 0, capped: 0 };
  idleSinceMs = 0;

  constructor(config: BandConfig, configured: boolean, onRoom: (flow: Flow) => void) {
    this.priority = config.priority;
    this.onRoom = onRoom;
    this.config = config;
    this.configured = configured;
    this.occupancy = new Occupancy(config);
    this.flowLimits = {
      maxRequests: Math.max(1, Math.floor(config.maxRequests * config.maxFlowShare)),
      maxBytes: Math.max(1, Math.floor(config.maxBytes * config.maxFlowShare)),
    };
    this.#state = config.fairness.newState(BAND_CONTEXT);
    this.parking = new Parking(config.fairness);
  }

  /** The flow whose turn it is. */
  pick(): Flow | undefined {
    // Members are only ever the flows given to `ready`.
    return this.config.fairness.pick(this.#state) as Flow | undefined;
  }

  /** The one place where a flow's standing changes. */
  stand(flow: Flow, standing: Standing): void {
    const { fairness } = this.config;
    const before = flow.standing;
    if (before === standing) return;
    if (before === 'ready') fairness.unready(this.#state, flow);
    else if (before === 'parked') this.parking.leave(flow);
    else if (before === 'capped') flow.cap?.unawait(flow);
    if (before !== 'empty') this.count[before] -= 1;
    flow.standing = standing;
    if (standing !== 'empty') this.count[standing] += 1;
    if (standing === 'ready') fairness.ready(this.#state, flow);
    else if (standing === 'parked') this.parking.enter(flow);
    else if (standing === 'capped') flow.cap?.await(flow);
  }

  /** The flow's head is another than before. */
  headChanged(flow: Flow): void {
    if (flow.standing === 'ready') this.config.fairness.headChanged?.(this.#state, flow);
    else if (flow.standing === 'parked') this.parking.headChanged(flow);
  }

  /** The flow was served. */
  charge(flow: Flow, sequences: number): void {
    this.config.fairness.charge?.(this.#state, flow, sequences);
  }
}
