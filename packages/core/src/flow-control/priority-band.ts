// SPDX-License-Identifier: Apache-2.0

/**
 * A band is everything waiting at one priority, with its limits, its policies and the fairness policy's state; a flow is
 * one fairness id's stream inside it. The band is the only one that talks to the fairness policy: it tells it which
 * flows are eligible, so that picking never has to search.
 */

import type { CapWaiter, InFlightCap } from '../request/in-flight-cap.ts';
import type { BucketWaiter, TokenBucket } from '../request/token-bucket.ts';
import type { CostHistory } from '../request/cost-model.ts';
import type { BandCharge } from './band-selection.ts';
import type { BandConfig, BandTemplate } from './config.ts';
import { BacklogRate } from './backlog-rate.ts';
import type { ServiceTimes } from './service-times.ts';
import { BandContender } from './contender.ts';
import { LagMeter, type Metered } from './lag-meter.ts';
import { GuardedFairness } from './guarded-fairness.ts';
import { Occupancy } from './occupancy.ts';
import { type Lot, type Parkable, Parking } from './parking.ts';
import type { BandContext, FairnessPolicy, Waiting } from './policies.ts';
import type { Costly } from './recent-shares.ts';
import { compareWaiting, RequestQueue } from './waiting-request.ts';
import type { WaitingRequest } from './waiting-request.ts';

/**
 * `empty`: nothing waits. `ready`: known to the band's fairness policy. `parked`: its head found no room. `capped`: its
 * tenant is at `maxInFlight`. `throttled`: its tenant's token bucket is empty.
 */
export type Standing = 'empty' | 'ready' | 'parked' | 'capped' | 'throttled';

/**
 * A flow is the queue of its requests. There may be tens of thousands of flows, far more than a processor's cache holds,
 * so what every request touches stands together, in front, and what few flows need is made when they need it.
 */
export class Flow extends RequestQueue<Flow> implements Parkable, CapWaiter, BucketWaiter, Metered {
  readonly band: PriorityBand;
  state: unknown;
  standing: Standing = 'empty';
  /** Bytes of body waiting. */
  bytes = 0;
  /** Requests in flight. */
  inFlight = 0;
  cap: InFlightCap | undefined;
  bucket: TokenBucket | undefined;
  weight = 1;
  spell = 0;
  lagSlot = -1;
  /** What its requests really cost; undefined while nothing is known. */
  costs: CostHistory | undefined;
  /** How fast its queue gets shorter, for callers with deadlines. */
  backlog: BacklogRate | undefined;
  /** Held something when the configuration changed; its weight may be another now. */
  isOld = false;
  /** The lot it is parked in while `standing` is `parked`. */
  lot: Lot | undefined;
  /** When it last held or had in flight anything; whole milliseconds, which V8 keeps in the object itself. */
  idleSinceMs = 0;
  /** The idle collector's: its slot there, -1 for none, and when to look at it again. */
  lookSlot = -1;
  lookMs = 0;
  /** How long its answers took, for callers with deadlines. */
  times: ServiceTimes | undefined;
  /** While it is throttled: when its bucket has tokens again, and its place among those that wait for that. */
  refillMs = 0;
  refillOrder = 0;
  refillSlot = -1;
  readonly id: string;

  constructor(id: string, band: PriorityBand) {
    super();
    this.id = id;
    this.band = band;
    this.state = band.newMemberState();
  }

  /** Its tenant is under its cap again. */
  onRoom(): void {
    this.band.roomFor(this);
  }

  /** Its tenant's bucket got tokens back. */
  onRefund(): void {
    this.band.refunded(this);
  }

  /** The request it would send next; there is one whenever the flow is not empty. */
  get head(): Waiting {
    const head = this.peek();
    if (head === undefined) throw new Error(`flow ${this.id} was asked for its head but holds nothing`);
    return head;
  }

  get idle(): boolean {
    return this.size === 0 && this.inFlight === 0;
  }

  /** Whether one more request of this size is within its share of the band. */
  fits(sizeBytes: number): boolean {
    const { maxRequests, maxBytes } = this.band.flowLimits;
    return this.size < maxRequests && this.bytes + sizeBytes <= maxBytes;
  }
}

/** Who is told what a band cannot settle by itself. */
export interface BandCallbacks {
  /** A capped flow's tenant is under its cap again. */
  onRoom(flow: Flow): void;
  /** A flow's tenant has no tokens left, or the flow does not wait for them any more. */
  onThrottled(flow: Flow, isThrottled: boolean): void;
  /** A throttled flow's tenant got tokens back. */
  onRefund(flow: Flow): void;
  /** Something of the band could be sent, or nothing any more; or, of one that was passed over, something else. */
  onContending(band: PriorityBand, contends: boolean): void;
  /** Something of the band was served, at this cost in units of an input token. */
  onCharged(band: PriorityBand, cost: number): BandCharge | undefined;
  /** What was charged so is off by `delta`. */
  onSettled(band: PriorityBand, charge: BandCharge, delta: number): void;
  /** The fairness policy broke its contract. */
  onFault(band: PriorityBand, error: unknown): void;
  /** The controller's time in milliseconds. */
  now(): number;
}

/** What was charged for a request, as far as its band is concerned. */
interface Settling {
  readonly error: number;
  readonly policies: number;
  readonly bandCharge: BandCharge | undefined;
}

export class PriorityBand implements Costly {
  readonly priority: number;
  config: BandTemplate;
  /** Named in the configuration: never forgotten. */
  configured: boolean;
  /** Gone from the configuration: takes nothing new. */
  leaving = false;
  readonly occupancy: Occupancy;
  flowLimits: { readonly maxRequests: number; readonly maxBytes: number };
  readonly flows = new Map<string, Flow>();
  readonly parking: Parking<Flow>;
  /** What tier 1 knows of it. */
  readonly contender: BandContender<PriorityBand>;
  /** Its place among the bands, highest priority first. */
  index = 0;
  /** How fast it gets shorter. */
  readonly backlog = new BacklogRate();
  readonly #context: BandContext;
  #fairness: GuardedFairness;
  #state: unknown;
  readonly #callbacks: BandCallbacks;
  /** What its requests have cost so far, in units of an input token: estimates, corrected as they stream and end. */
  cost = 0;
  costMark = 0;
  costMarkBefore = 0;
  /** How far apart its flows have come. */
  readonly lag = new LagMeter();
  /** How often its fairness policy was another than before. */
  policies = 0;
  /** Requests in flight. */
  inFlight = 0;
  /** Flows by standing; `empty` is not counted. */
  readonly count = { ready: 0, parked: 0, capped: 0, throttled: 0 };
  idleSinceMs = 0;

  constructor(config: BandConfig, configured: boolean, callbacks: BandCallbacks) {
    this.priority = config.priority;
    this.#callbacks = callbacks;
    this.config = config;
    this.configured = configured;
    this.occupancy = new Occupancy(config);
    this.flowLimits = flowLimitsOf(config);
    this.#context = { compareHeads: compareWaiting, now: () => callbacks.now() };
    this.#fairness = this.#guard(config.fairness);
    this.#state = this.#fairness.newState(this.#context);
    this.parking = new Parking(this.#fairness, this.#context, this.#state);
    this.contender = new BandContender<PriorityBand>(this);
  }

  /**
   * Other limits and policies from now on. A policy that stays keeps what it remembers. Another fairness policy is told
   * of the flows in the order in which the old one would have served them; by another ordering every request gets a new
   * rank. Nobody's standing changes.
   */
  reconfigure(config: BandTemplate, rankOf: (waiting: WaitingRequest<Flow>) => number): void {
    const { fairness, ordering } = this.config;
    const isReordered = config.ordering !== ordering;
    const isOther = config.fairness !== fairness;
    this.occupancy.limit(config);
    this.flowLimits = flowLimitsOf(config);
    const turns = isReordered || isOther ? this.#takeTurns() : [];
    this.config = config;
    if (isReordered) for (const flow of this.flows.values()) rerank(flow, rankOf);
    if (isOther) this.#begin(config.fairness);
    for (const flow of this.flows.values()) flow.isOld = flow.standing !== 'empty';
    for (const flow of turns) this.#fairness.ready(flow.lot === undefined ? this.#state : flow.lot.state, flow);
  }

  /** Gives a flow that holds something another weight. */
  reweigh(flow: Flow, weight: number): void {
    if (weight === flow.weight) return;
    const fairness = this.#fairness;
    const state = flow.lot === undefined ? this.#state : flow.lot.state;
    const isKnown = flow.standing === 'ready' || flow.standing === 'parked';
    if (isKnown) fairness.unready(state, flow);
    this.lag.leave(flow);
    flow.weight = weight;
    if (isKnown) fairness.ready(state, flow);
  }

  /** A fairness policy with nothing to remember yet. */
  #begin(policy: FairnessPolicy): void {
    this.policies += 1;
    this.lag.reset();
    this.#fairness = this.#guard(policy);
    this.#state = this.#fairness.newState(this.#context);
    this.parking.reconfigure(this.#fairness, this.#state);
    for (const flow of this.flows.values()) flow.state = this.newMemberState();
  }

  #guard(policy: FairnessPolicy): GuardedFairness {
    return new GuardedFairness(policy, (error) => {
      this.#callbacks.onFault(this, error);
    });
  }

  /** What its fairness policy remembers of a flow that is new. */
  newMemberState(): unknown {
    return this.#fairness.newMemberState();
  }

  /** Takes every flow that stands ready or in a lot from the fairness policy, each in its turn. */
  #takeTurns(): Flow[] {
    const fairness = this.#fairness;
    const turns: Flow[] = [];
    for (const lot of [undefined, ...this.parking.lots()]) {
      const state = lot === undefined ? this.#state : lot.state;
      const left = new Set([...this.flows.values()].filter((flow) => isIn(flow, lot)));
      while (left.size > 0) {
        const flow = nextOf(fairness, state, left);
        left.delete(flow);
        fairness.unready(state, flow);
        turns.push(flow);
      }
    }
    return turns;
  }

  /** The flow whose turn it is. */
  pick(): Flow | undefined {
    return this.#ask(this.#state, undefined, this.count.ready);
  }

  /** The parked flow of a lot whose turn it is. */
  next(lot: Lot): Flow | undefined {
    return this.#ask(lot.state, lot, lot.size);
  }

  /** A policy that throws, or does not pick one of the `size` flows it was told of, costs its band only its order. */
  #ask(state: unknown, lot: Lot | undefined, size: number): Flow | undefined {
    try {
      // Members are only ever the flows given to `ready`.
      const picked = this.#fairness.pick(state) as Flow | undefined;
      if (picked === undefined ? size === 0 : picked.band === this && isIn(picked, lot)) return picked;
      throw new Error(`it picked ${picked === undefined ? 'nobody' : 'a flow that is not eligible'}`);
    } catch (error) {
      this.#callbacks.onFault(this, error);
      return this.#first(lot);
    }
  }

  /** By the order of heads over all eligible flows: what is left when the policy does not answer. */
  #first(lot: Lot | undefined): Flow | undefined {
    let first: Flow | undefined;
    for (const flow of this.flows.values()) {
      if (!isIn(flow, lot)) continue;
      if (first === undefined || compareWaiting(flow.head, first.head) < 0) first = flow;
    }
    return first;
  }

  /** The one place where a flow's standing changes. */
  stand(flow: Flow, standing: Standing): void {
    const fairness = this.#fairness;
    const before = flow.standing;
    if (before === standing) return;
    if (before === 'ready') fairness.unready(this.#state, flow);
    else if (before === 'parked') this.parking.leave(flow);
    else if (before === 'capped') flow.cap?.unawait(flow);
    else if (before === 'throttled') this.#awaitTokens(flow, false);
    if (before !== 'empty') this.count[before] -= 1;
    flow.standing = standing;
    if (standing === 'ready' && before !== 'parked') this.#beginSpell(flow);
    else if (standing !== 'ready' && standing !== 'parked') this.lag.leave(flow);
    if (standing !== 'empty') this.count[standing] += 1;
    if (standing === 'ready') fairness.ready(this.#state, flow);
    else if (standing === 'parked') this.#park(flow);
    else if (standing === 'capped') flow.cap?.await(flow);
    else if (standing === 'throttled') this.#awaitTokens(flow, true);
    const contends = this.count.ready + this.count.parked > 0;
    const { place } = this.contender;
    if (contends !== (place !== 'out') || (place === 'passed' && standing === 'ready'))
      this.#callbacks.onContending(this, contends);
  }

  #park(flow: Flow): void {
    this.lag.park(flow);
    this.parking.enter(flow);
  }

  #beginSpell(flow: Flow): void {
    flow.spell += 1;
    this.lag.enter(flow);
  }

  #awaitTokens(flow: Flow, isThrottled: boolean): void {
    if (isThrottled) flow.bucket?.await(flow);
    else flow.bucket?.unawait(flow);
    this.#callbacks.onThrottled(flow, isThrottled);
  }

  /** The flow's head is another than before. */
  headChanged(flow: Flow): void {
    if (flow.standing === 'ready') this.#fairness.headChanged(this.#state, flow);
    else if (flow.standing === 'parked') this.parking.headChanged(flow);
  }

  /** The tenant of one of its capped flows is under its cap again. */
  roomFor(flow: Flow): void {
    this.#callbacks.onRoom(flow);
  }

  /** The tenant of one of its throttled flows got tokens back. */
  refunded(flow: Flow): void {
    this.#callbacks.onRefund(flow);
  }

  /** The flow is served, and charged what that is thought to cost. */
  charge(flow: Flow, cost: number): BandCharge | undefined {
    this.cost += cost;
    this.lag.charge(flow, cost);
    this.#fairness.charge(this.#state, flow, cost);
    return this.#callbacks.onCharged(this, cost);
  }

  /**
   * What the flow was charged is off by `delta`, and by `error` in all. A policy of today gives nothing back that another
   * one took, `policies` ago.
   */
  settle(flow: Flow, delta: number, { error, policies, bandCharge }: Settling): void {
    this.cost += delta;
    if (bandCharge !== undefined) this.#callbacks.onSettled(this, bandCharge, delta);
    if (delta < 0 && policies !== this.policies) return;
    this.lag.settle(flow, delta, error);
    this.#fairness.settle(this.#state, flow, delta);
  }

  /** What its fairness policy has to say of it. */
  get fairnessFacts(): Readonly<Record<string, number>> | undefined {
    return this.config.fairness.facts?.(this.#state);
  }

  /** How far apart two of its flows may come, as far as its policy promises anything. */
  get lagBound(): number | undefined {
    return this.#fairness.lagBound(this.lag);
  }
}

function flowLimitsOf({ maxRequests, maxBytes, maxFlowShare }: BandTemplate): PriorityBand['flowLimits'] {
  return {
    maxRequests: Math.max(1, Math.floor(maxRequests * maxFlowShare)),
    maxBytes: Math.max(1, Math.floor(maxBytes * maxFlowShare)),
  };
}

function rerank(flow: Flow, rankOf: (waiting: WaitingRequest<Flow>) => number): void {
  for (const waiting of flow.values()) waiting.rank = rankOf(waiting);
  flow.rebuild();
}

/** The one of `left` that the policy picks, or, when it does not say, the first by the order of heads. */
function nextOf(fairness: FairnessPolicy, state: unknown, left: ReadonlySet<Flow>): Flow {
  try {
    const picked = fairness.pick(state) as Flow | undefined;
    if (picked !== undefined && left.has(picked)) return picked;
  } catch {
    // A policy that is on its way out is not worth a report.
  }
  return [...left].reduce((first, flow) => (compareWaiting(flow.head, first.head) < 0 ? flow : first));
}

/** Whether the flow is parked in the lot; without a lot, whether it is ready. */
function isIn(flow: Flow, lot: Lot | undefined): boolean {
  return lot === undefined ? flow.standing === 'ready' : flow.lot === lot;
}
