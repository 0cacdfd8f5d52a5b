// SPDX-License-Identifier: Apache-2.0

/**
 * Everything that waits, and the books kept on it: bands and flows, requests and bytes against their limits, their
 * deadlines, and what is idle and may be forgotten. A request enters and leaves all of them in one call.
 */

import type { Clock } from '../clock.ts';
import type { InferenceRequest } from '../request/inference-request.ts';
import type { DropCause } from '../request/outcome.ts';
import { BacklogRate } from './backlog-rate.ts';
import { Bands } from './bands.ts';
import type { FlowControlConfig } from './config.ts';
import { Deadlines } from './deadlines.ts';
import type { FlowObserver } from './events.ts';
import { IdleCollector } from './idle-collector.ts';
import { Occupancy } from './occupancy.ts';
import type { Lot } from './parking.ts';
import { Patience } from './patience.ts';
import type { Placement } from './placement.ts';
import { Flow, type PriorityBand, type Standing } from './priority-band.ts';
import { ThrottledFlows } from './throttled-flows.ts';
import { WaitBudget } from './wait-budget.ts';
import type { WaitingRequest } from './waiting-request.ts';

export type Queued = WaitingRequest<Flow>;

export interface WaitlistOptions {
  readonly config: FlowControlConfig;
  readonly placement: Placement;
  readonly clock: Clock;
  readonly observer: FlowObserver | undefined;
  /** A capped flow's tenant is under its cap again. */
  readonly onRoom: (flow: Flow) => void;
  /** The tenant of throttled flows got tokens back. */
  readonly onRefund: () => void;
  /** A flow left a lot without having been served. */
  readonly onLotLeft: (band: PriorityBand, lot: Lot) => void;
}

/** Beyond these one flow's services would not add up to anything beside another's. */
const [LEAST_WEIGHT, MOST_WEIGHT] = [1e-6, 1e6];

export class Waitlist {
  readonly bands: Bands;
  readonly occupancy: Occupancy;
  readonly deadlines = new Deadlines<Flow>();
  readonly idle: IdleCollector;
  readonly throttled = new ThrottledFlows();
  readonly budget: WaitBudget;
  readonly patience = new Patience();
  readonly #options: WaitlistOptions;
  /** Policies that were told of as broken, by band and name. */
  readonly #faulty = new Set<string>();

  constructor(options: WaitlistOptions) {
    const { config, placement, clock } = options;
    this.#options = options;
    this.bands = new Bands(config, {
      onRoom: options.onRoom,
      onThrottled: (flow, isThrottled) => {
        if (isThrottled) this.throttled.add(flow, clock.now());
        else this.throttled.remove(flow);
      },
      onRefund: (flow) => {
        this.throttled.refunded(flow, clock.now());
        options.onRefund();
      },
      onFault: (band, error) => {
        this.fault(band.config.fairness, error, band);
      },
      onSelectionFault: (policy, error) => {
        this.fault(policy, error);
      },
      now: () => clock.now(),
    });
    this.occupancy = new Occupancy(config);
    this.idle = new IdleCollector(config);
    this.budget = new WaitBudget(config, placement.hasEndpoints, clock.now());
  }

  /** A policy broke its contract. Told once for each, and each band: one that is broken is broken whenever it is asked. */
  fault({ name: plugin }: { readonly name: string }, error: unknown, band?: PriorityBand): void {
    const { clock, observer } = this.#options;
    const key = `${band?.priority} ${plugin}`;
    if (this.#faulty.has(key)) return;
    this.#faulty.add(key);
    observer?.({ kind: 'plugin-fault', plugin, band: band?.priority, message: String(error), atMs: clock.now() });
  }

  /** Where the band's ordering puts the request; last when it cannot say. */
  rankOf(waiting: Queued): number {
    const { band } = waiting.flow;
    const { ordering } = band.config;
    try {
      const rank = ordering.rank(waiting);
      return Number.isNaN(rank) ? Infinity : rank;
    } catch (error) {
      this.fault(ordering, error, band);
      return Infinity;
    }
  }

  /** The band that the request waits in: its priority's own, or band 0 for a priority that nobody configured. */
  bandFor(request: InferenceRequest, nowMs: number): PriorityBand {
    const { observer } = this.#options;
    const band = this.bands.get(request.priority);
    if (band !== undefined && !band.leaving) return band;
    if (!this.bands.knows(request.priority)) {
      observer?.({ kind: 'priority-unknown', request, atMs: nowMs });
      return this.bands.fallback;
    }
    observer?.({ kind: 'band-created', band: request.priority, atMs: nowMs });
    const made = this.bands.create(request.priority);
    this.idle.bandMade(made, nowMs);
    return made;
  }

  /** The request's flow, `known` or new. */
  flowFor(band: PriorityBand, known: Flow | undefined, request: InferenceRequest): Flow {
    let flow = known;
    if (flow === undefined) {
      const { clock, observer } = this.#options;
      flow = new Flow(request.fairnessId, band);
      band.flows.set(flow.id, flow);
      if (observer !== undefined)
        observer({ kind: 'flow-created', fairnessId: flow.id, band: band.priority, atMs: clock.now() });
    }
    const weight = weightOf(request);
    if (flow.standing === 'empty') flow.weight = weight;
    // What policies read of a member may not change under them: another weight counts once the flow was empty, or was
    // seen for the first time since the configuration changed.
    else if (flow.isOld) band.reweigh(flow, weight);
    flow.isOld = false;
    // Who waits for room, or for tokens, waits under the limit he was found at.
    if (flow.standing !== 'capped') flow.cap = request.cap;
    if (flow.standing !== 'throttled') flow.bucket = request.tokenBucket;
    return flow;
  }

  /** Whether flow, band and the whole have a place for so many bytes more. */
  hasPlace(band: PriorityBand, flow: Flow | undefined, sizeBytes: number): boolean {
    const fitsFlow = flow === undefined ? sizeBytes <= band.flowLimits.maxBytes : flow.fits(sizeBytes);
    return fitsFlow && band.occupancy.fits(sizeBytes) && this.occupancy.fits(sizeBytes);
  }

  /** Enters a request whose rank and expiry are set. */
  add(waiting: Queued, nowMs: number): void {
    const { flow, request } = waiting;
    const headBefore = flow.peek();
    if (headBefore === undefined) flow.backlog?.begin(nowMs);
    if (flow.band.occupancy.requests === 0) flow.band.backlog.begin(nowMs);
    flow.push(waiting);
    if (waiting.expiresMs < Infinity) this.deadlines.push(waiting);
    this.occupancy.add(request.sizeBytes);
    flow.band.occupancy.add(request.sizeBytes);
    flow.bytes += request.sizeBytes;
    if (headBefore === undefined) flow.band.stand(flow, 'ready');
    else if (flow.peek() === waiting) this.#newHead(flow);
  }

  /** Takes a request out and frees its place. */
  remove(waiting: Queued, nowMs: number): void {
    const { flow, request } = waiting;
    const wasHead = flow.peek() === waiting;
    flow.remove(waiting);
    this.deadlines.remove(waiting);
    this.occupancy.remove(request.sizeBytes);
    flow.band.occupancy.remove(request.sizeBytes);
    flow.bytes -= request.sizeBytes;
    if (flow.size === 0) {
      this.#stand(flow, 'empty');
      this.noteIdle(flow, nowMs);
    } else if (wasHead) this.#newHead(flow);
  }

  /** To be called when a flow may have lost its last work. */
  noteIdle(flow: Flow, nowMs: number): void {
    if (flow.idle) this.idle.flowIdle(flow, nowMs);
  }

  /** Gives everything that waits a fresh budget when the pool got its first endpoint or lost its last. */
  checkRegime(nowMs: number): void {
    const { placement, observer } = this.#options;
    if (!this.budget.change(placement.hasEndpoints, nowMs)) return;
    observer?.({ kind: 'regime', endpoints: this.budget.hasEndpoints, atMs: nowMs });
    for (const band of this.bands.ordered) {
      band.backlog.begin(nowMs);
      for (const flow of band.flows.values()) flow.backlog?.begin(nowMs);
    }
    this.#renewExpiries();
  }

  /**
   * Other bands, limits, policies and wait budgets from now on. Whatever waits goes on waiting at its place: what no
   * longer fits a limit stays, and what a new ordering ranks otherwise moves within its flow.
   */
  reconfigure(config: FlowControlConfig, nowMs: number): void {
    const { observer } = this.#options;
    // A broken policy that was made anew is news when it is broken again.
    this.#faulty.clear();
    this.occupancy.limit(config);
    this.idle.reconfigure(config);
    if (this.budget.reconfigure(config)) this.#renewExpiries();
    this.bands.reconfigure(config, {
      rankOf: (waiting) => this.rankOf(waiting),
      onCreated: ({ priority }) => observer?.({ kind: 'band-created', band: priority, atMs: nowMs }),
      onForgotten: ({ priority }) => observer?.({ kind: 'band-forgotten', band: priority, atMs: nowMs }),
    });
    for (const band of this.bands.ordered) {
      for (const flow of band.flows.values()) if (flow.lot !== undefined) this.#newHead(flow);
    }
  }

  /** The request that has expired longest ago. */
  expired(nowMs: number): Queued | undefined {
    const first = this.deadlines.peek();
    return first !== undefined && first.expiresMs <= nowMs ? first : undefined;
  }

  /** Forgets flows and bands that were idle for long enough. */
  forgetIdle(nowMs: number): void {
    if (this.idle.nextMs() > nowMs) return;
    const { observer } = this.#options;
    this.idle.collect(nowMs, {
      flow: (flow) => {
        observer?.({ kind: 'flow-forgotten', fairnessId: flow.id, band: flow.band.priority, atMs: nowMs });
      },
      band: (band) => {
        this.bands.remove(band);
        observer?.({ kind: 'band-forgotten', band: band.priority, atMs: nowMs });
      },
    });
  }

  /** When something here is next due by itself; Infinity for never. */
  nextMs(): number {
    return Math.min(this.deadlines.peek()?.expiresMs ?? Infinity, this.idle.nextMs(), this.throttled.nextMs());
  }

  /** When the request's tenant has no tokens: milliseconds until it has some for all of the flow's and for one more. */
  tokensMs({ priority, fairnessId, tokenBucket }: InferenceRequest, nowMs: number): number | undefined {
    if (tokenBucket?.isEmpty(nowMs) !== true) return undefined;
    const flow = (this.bands.get(priority) ?? this.bands.fallback).flows.get(fairnessId);
    const ahead = { bytes: flow?.bytes ?? 0, requests: flow?.size ?? 0 };
    return tokenBucket.waitMs(ahead, nowMs);
  }

  /** One leaves its queue undispatched. Who leaves for want of time must not make the drain look quicker than it is. */
  noteLeft(waiting: Queued, cause: DropCause, nowMs: number): void {
    if (cause === 'deadlineInQueue' || this.patience.isSpent(waiting.request, nowMs)) return;
    this.noteProgress(waiting, nowMs);
  }

  /** One leaves its queue: those behind it are nearer to their turn. */
  noteProgress({ flow }: Queued, nowMs: number): void {
    flow.backlog?.note(nowMs);
    flow.band.backlog.note(nowMs);
  }

  /** Whether more go before a request, which is not in yet, than can leave in time for its caller. */
  isVain(waiting: Queued, nowMs: number): boolean {
    const { flow, request } = waiting;
    const { band } = flow;
    if (request.deadlineMs === undefined) return false;
    const backlog = (flow.backlog ??= new BacklogRate(nowMs));
    if (flow.size > 0) {
      const most = this.patience.mostAhead(waiting, backlog, nowMs);
      if (flow.size > most && flow.countBefore(waiting, most) > most) return true;
    }
    if (band.config.fairness.isOneQueue !== true || band.occupancy.requests === 0) return false;
    const most = this.patience.mostAhead(waiting, band.backlog, nowMs);
    if (band.occupancy.requests <= most) return false;
    let ahead = 0;
    for (const other of band.flows.values()) {
      ahead += other.countBefore(waiting, most - ahead);
      if (ahead > most) return true;
    }
    return false;
  }

  /** Everything that waits, in no particular order; a copy, because callers evict. */
  all(): Queued[] {
    const all: Queued[] = [];
    for (const band of this.bands.ordered) {
      for (const flow of band.flows.values()) for (const waiting of flow.values()) all.push(waiting);
    }
    return all;
  }

  #renewExpiries(): void {
    for (const waiting of this.all()) {
      waiting.expiresMs = this.budget.expiresMs(waiting);
      if (waiting.expiresMs === Infinity) this.deadlines.remove(waiting);
      else if (waiting.expirySlot < 0) this.deadlines.push(waiting);
    }
    this.deadlines.rebuild();
  }

  /** A parked flow with another head may fit where the old one did not. */
  #newHead(flow: Flow): void {
    const { placement } = this.#options;
    const head = flow.peek();
    if (flow.lot !== undefined && head !== undefined && flow.lot.key !== placement.placementKey(head.request)) {
      this.#stand(flow, 'ready');
    } else {
      flow.band.headChanged(flow);
    }
  }

  #stand(flow: Flow, standing: Standing): void {
    const { lot } = flow;
    flow.band.stand(flow, standing);
    if (lot !== undefined) this.#options.onLotLeft(flow.band, lot);
  }
}

function weightOf({ flowWeight = 1 }: InferenceRequest): number {
  return flowWeight > 0 ? Math.min(Math.max(flowWeight, LEAST_WEIGHT), MOST_WEIGHT) : 1;
}
