// SPDX-License-Identifier: Apache-2.0

/**
 * The policy contracts of flow control. A policy is an immutable singleton, made once from configuration and shared by
 * every band that names it; what it must remember of a band or a flow it makes with `newState` / `newMemberState`, the
 * owner keeps it and hands it back on every call (the flyweight split), and it dies with its owner.
 */

import type { InferenceRequest } from '../request/inference-request.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import type { Plugin } from '../plugin-registry/plugin.ts';

/** A request in a queue, as policies see it. */
export interface Waiting {
  readonly request: InferenceRequest;
  readonly enqueuedMs: number;
  /** When its wait budget ends; Infinity when never. */
  readonly expiresMs: number;
  /** The ordering policy's rank, fixed at enqueue; smaller first. */
  readonly rank: number;
  /** Arrival number: breaks ties of rank. */
  readonly sequence: number;
}

/** A flow as a fairness policy sees it. */
export interface Member<S = unknown> {
  readonly id: string;
  /** Its share relative to the others; above 0. */
  readonly weight: number;
  readonly state: S;
  /** Another number each time it comes back from where it could not be served: empty, at its cap, without tokens. Not parking. */
  readonly spell: number;
  /** The request it would send next; only read while the member is ready. */
  readonly head: Waiting;
}

/** What the bound of a token-cost policy is made of. Costs are in units of an input token, divided by their flow's weight. */
export interface LagFacts {
  /** Largest that a request was charged when it was dispatched. */
  readonly largestCost: number;
  /** Largest difference between that and what a request was charged later. */
  readonly largestError: number;
  /** Requests that one flow had in flight at most. */
  readonly mostInFlight: number;
}

export interface BandContext {
  /** Negative when `a` goes before `b` by the band's ordering. */
  compareHeads(a: Waiting, b: Waiting): number;
  /** The controller's time in milliseconds. */
  now(): number;
}

/** A band as a band selection policy sees it. */
export interface Contender<S = unknown> {
  readonly priority: number;
  readonly state: S;
}

/**
 * Tier 1: which band is served. It is told which bands have something that could be sent, and picks one of those that
 * are left in a turn; bands are few, so that looking at all of them is allowed.
 */
export interface BandSelectionPolicy<T = unknown, S = unknown> extends Plugin {
  /**
   * True when no band is served before those above it have had all they can take: then the first band at its ceiling
   * stops all below it, and a band above does not respect an endpoint that is kept for one below. Without it, ceilings
   * hold each band for itself.
   */
  readonly isStrict?: boolean;
  newState(): T;
  newBandState(priority: number): S;
  /** Something of the band could be sent from now on. */
  ready?(state: T, band: Contender<S>): void;
  /** It is empty, or all of its tenants are at a limit of their own. */
  unready?(state: T, band: Contender<S>): void;
  /** One of `offered`, which are never none and highest priority first. Changes nothing. */
  pick(state: T, offered: readonly Contender<S>[]): Contender<S>;
  /** It was picked and cannot be served in this turn: it is at its ceiling, or nothing of it finds room. */
  passed?(state: T, band: Contender<S>): void;
  /**
   * The band was served: what that is estimated to cost, in units of an input token, above 0. What this returns is the
   * receipt that `settle` is given.
   */
  charge?(state: T, band: Contender<S>, cost: number): unknown;
  /** What was charged is off by so much, up or down. At any time, also when the band has nothing to send. */
  settle?(state: T, band: Contender<S>, correction: { readonly delta: number; readonly receipt: unknown }): void;
  /** The share of what is dispatched that the band has a right to while it has something to send; without it, none. */
  shareOf?(state: T, band: Contender<S>): number;
  /** The priorities that its parameters name: whoever reads a configuration is warned of one that has no band. */
  readonly namedPriorities?: readonly number[];
}

/**
 * Tier 2: which flow of the band is served. It is told which members are eligible instead of searching for them, so that
 * `pick` is O(1) or O(log members).
 */
export interface FairnessPolicy<B = unknown, S = unknown> extends Plugin {
  /** True when it serves all flows as if they were one queue: then a request waits for all of the band that go before it. */
  readonly isOneQueue?: boolean;
  /**
   * For a band; or, given the band's own, for a lot: a group of its flows that waits for the same endpoints. Members go
   * from one to the other with their state.
   */
  newState(context: BandContext, band?: B): B;
  newMemberState(): S;
  /** The member became eligible: it has a head, is under its cap and placeable. */
  ready(band: B, member: Member<S>): void;
  /** The member is empty, capped, parked or gone. */
  unready(band: B, member: Member<S>): void;
  /** A ready member has another head than before. */
  headChanged?(band: B, member: Member<S>): void;
  /** The ready member to serve next; undefined when none is. Changes nothing. */
  pick(band: B): Member<S> | undefined;
  /** The member was served: what that is estimated to cost, in units of an input token; above 0. It may stand in a lot, or nowhere. */
  charge?(band: B, member: Member<S>, cost: number): void;
  /**
   * What the member was charged is off by so much, up or down: a request of its streams beyond its estimate, has ended,
   * or never went. At any time, wherever the member stands.
   */
  settle?(band: B, member: Member<S>, delta: number): void;
  /**
   * How far apart two flows can come, in cost ÷ weight, over any time in which both stay backlogged. Without it, or
   * undefined, the policy promises nothing.
   */
  lagBound?(facts: LagFacts): number | undefined;
  /** Where flows share in a tree, by their requests' paths: the weight of what stands there. */
  weightAt?(path: string): number;
  /** Figures of a band that are worth a look, by name: for `/state`. */
  facts?(band: B): Readonly<Record<string, number>>;
}

/** Tier 3: which request of the flow. */
export interface OrderingPolicy extends Plugin {
  /** Asked once, at enqueue; smaller goes first, ties by arrival. NaN counts as last. */
  rank(waiting: Omit<Waiting, 'rank'>): number;
}

/** One endpoint with what the detector remembers of it. */
export interface Tracked<S = unknown> {
  readonly endpoint: Endpoint;
  readonly state: S;
}

/** A first token (or byte) came back: what a detector without metrics can learn from. */
export interface FirstTokenSample {
  readonly ttftMs: number;
  /** Sequences in flight at the endpoint right after the dispatch. */
  readonly inFlightAtDispatch: number;
  readonly sizeBytes: number;
}

/** How full the pool and each endpoint are. */
export interface SaturationDetector<S = unknown> extends Plugin {
  newEndpointState(): S;
  /** Used ÷ available capacity of the pool; 1 = full, may exceed 1; 1 when there are no endpoints. */
  saturation(endpoints: readonly Tracked<S>[], nowMs: number): number;
  /** Sequences the endpoint takes at most; Infinity when the detector knows no such limit. */
  limit(endpoint: Tracked<S>): number;
  /** Tokens the endpoint takes at most; without it, or Infinity, tokens are not limited. */
  tokenLimit?(endpoint: Tracked<S>): number;
  /** Sequences it can take now; at most 0 when it is full. */
  room(endpoint: Tracked<S>, nowMs: number): number;
  /** A fresh reading was stored in `endpoint.metrics`. */
  metricsRead?(endpoint: Tracked<S>, nowMs: number): void;
  /** Whether a reading of the endpoint's metrics is wanted sooner than usual. */
  wantsReading?(endpoint: Tracked<S>): boolean;
  /** Told right after capacity was taken on the endpoint. */
  dispatched?(endpoint: Tracked<S>, nowMs: number): void;
  firstToken?(endpoint: Tracked<S>, sample: FirstTokenSample, nowMs: number): void;
}

/** The saturation at which each band stops dispatching. */
export interface UsageLimitPolicy<S = unknown> extends Plugin {
  newState(): S;
  /** Asked once per pump. `priorities` is highest first; `ceilings` has its length, is pre-filled with 1.0, and is written in place. */
  ceilings(
    state: S,
    input: { readonly priorities: readonly number[]; readonly saturation: number },
    ceilings: Float64Array,
  ): void;
}
