// SPDX-License-Identifier: Apache-2.0

/**
 * What a flow controller looks like from outside at one moment: plain data, made on request for `/state`, gauges and
 * `fairlead status`, never kept. Everything here is a copy, so that a reader can hold it across turns.
 */

/** One flow that holds or recently held something. */
export interface FlowSnapshot {
  readonly fairnessId: string;
  /** Requests waiting, and the bytes of their bodies. */
  readonly waiting: number;
  readonly bytes: number;
  /** How long the longest-waiting request of the flow waits; 0 when none waits. */
  readonly oldestWaitMs: number;
  /** Requests dispatched and not ended. */
  readonly inFlight: number;
  /** True while its tenant is at its `maxInFlight`. */
  readonly capped: boolean;
  /** True while its tenant has used up its tokens. */
  readonly throttled: boolean;
  /** True while its head fits on no endpoint, so that the flow is skipped. */
  readonly parked: boolean;
}

export interface BandSnapshot {
  readonly priority: number;
  /** Names of the instances that govern it. */
  readonly fairness: string;
  readonly ordering: string;
  /** Of the cost of what is dispatched: what the band has a right to while it has something to send; undefined for nothing. */
  readonly promisedShare: number | undefined;
  /** And what it had of the last half to whole minute in which anything was; 0 to 1. */
  readonly recentShare: number;
  readonly waiting: number;
  readonly bytes: number;
  readonly maxRequests: number;
  readonly maxBytes: number;
  /** Saturation at which it stops dispatching, as last computed. */
  readonly ceiling: number;
  /** True while it may not dispatch: its own ceiling, or, where bands are served strictly, that of a band above, is reached. */
  readonly gated: boolean;
  /** What its requests have cost so far, in units of an input token: estimates, corrected as they stream and end. */
  readonly cost: number;
  /** Largest difference between what two flows were served, in cost ÷ weight, over any time in which both waited. */
  readonly largestLag: number;
  /** What that can be at most; undefined where the fairness policy promises nothing. */
  readonly lagBound: number | undefined;
  /** Figures that the fairness policy has of the band, by name. */
  readonly fairnessFacts?: Readonly<Record<string, number>> | undefined;
  /** In no particular order. */
  readonly flows: readonly FlowSnapshot[];
}

/** Why bands are held. */
export interface GateSnapshot {
  /** The highest band that is held; where bands are served strictly, every band below is held too. */
  readonly priority: number;
  readonly saturation: number;
  readonly ceiling: number;
  readonly sinceMs: number;
}

export interface FlowControlSnapshot {
  /** The controller's own time at which this was made. */
  readonly atMs: number;
  /** Used ÷ available; 1 when there are no endpoints. */
  readonly saturation: number;
  /** Of each stage that has endpoints; the pool is as full as the fuller. */
  readonly stages: { readonly prefill: number | undefined; readonly decode: number | undefined };
  readonly hasEndpoints: boolean;
  /** True while everything is dispatched regardless of limits. */
  readonly bypass: boolean;
  /** The name of the instance that says which band is served next. */
  readonly bandSelection: string;
  /** True once `close` or `destroy` was called. */
  readonly closing: boolean;
  /** Undefined while no band with waiting requests is held. */
  readonly gate: GateSnapshot | undefined;
  /** Over all bands. */
  readonly waiting: number;
  readonly bytes: number;
  /** Infinity for no limit. */
  readonly maxRequests: number;
  readonly maxBytes: number;
  /** Permits that have not ended. */
  readonly inFlight: number;
  /** Total time during which a request waited although the pool had room that it could have used. */
  readonly heldWhileIdleMs: number;
  readonly retryAfterS: number;
  /** Highest priority first. */
  readonly bands: readonly BandSnapshot[];
}
