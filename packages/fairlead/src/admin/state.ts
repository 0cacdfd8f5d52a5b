// SPDX-License-Identifier: Apache-2.0

/**
 * `/state`: everything one needs to see why a request waits, as plain JSON. Pure: views in, document out. Endless limits
 * are null, addresses lose their credentials, and a crowd of flows is cut to those with the most waiting.
 */

import type { BandSnapshot, FlowSnapshot } from '@fairlead/core';
import type { ConfigStatus } from '../config/config-status.ts';
import type { EndpointView, PoolView } from '../director/pool-view.ts';

/** Flows listed per band; the others are summed up. */
const MAX_FLOWS = 100;

export interface FlowState {
  readonly fairnessId: string;
  readonly waiting: number;
  readonly bytes: number;
  readonly oldestWaitMs: number;
  readonly inFlight: number;
  readonly capped: boolean;
  readonly throttled: boolean;
  readonly parked: boolean;
}

export interface BandState {
  readonly priority: number;
  readonly waiting: number;
  readonly maxRequests: number | null;
  readonly bytes: number;
  readonly maxBytes: number | null;
  readonly ceiling: number;
  readonly gated: boolean;
  /** Largest difference between what two flows were served by weight, in input tokens, while both waited. */
  readonly lagTokens: number;
  /** What that can be at most; null where the fairness policy promises nothing. */
  readonly lagBoundTokens: number | null;
  /** Figures that the fairness policy has of the band, by name; null for most. */
  readonly fairnessFacts: Readonly<Record<string, number>> | null;
  readonly fairness: string;
  readonly ordering: string;
  /** Of the cost of what is dispatched: what the band is promised while it has something to send (null: nothing), and what it had lately. */
  readonly share: { readonly promised: number | null; readonly recent: number };
  /** Most waiting first. */
  readonly flows: readonly FlowState[];
  /** Flows that are not listed, and what they hold. */
  readonly otherFlows: { readonly count: number; readonly waiting: number; readonly inFlight: number };
}

export interface EndpointState {
  readonly name: string;
  readonly url: string;
  readonly up: boolean;
  readonly problem: string | null;
  /** Null: nothing limits it. */
  readonly limit: number | null;
  readonly inFlight: number;
  /** As estimated at dispatch. */
  readonly tokensInFlight: number;
  /** What the engine last told; null when it never told. */
  readonly waiting: number | null;
  readonly running: number | null;
  readonly kvUsage: number | null;
  readonly scrapeAgeMs: number | null;
  readonly models: readonly string[];
}

export interface PoolState {
  readonly name: string;
  readonly models: readonly string[];
  readonly detector: string;
  readonly bandSelection: string;
  readonly saturation: number;
  /** Why bands are held; null while none is. */
  readonly gated: {
    readonly priority: number;
    readonly saturation: number;
    readonly ceiling: number;
    readonly forMs: number;
  } | null;
  readonly waiting: number;
  readonly bytes: number;
  readonly inFlight: number;
  readonly heldWhileIdleMs: number;
  readonly retryAfterS: number;
  /** Highest priority first. */
  readonly bands: readonly BandState[];
  readonly endpoints: readonly EndpointState[];
}

export interface StateDocument {
  readonly schema: 1;
  readonly version: string;
  readonly uptimeS: number;
  readonly draining: boolean;
  readonly bypass: boolean;
  readonly buffered: { readonly bytes: number; readonly limitBytes: number | null };
  readonly config: ConfigStatus;
  readonly pools: readonly PoolState[];
  /** Endpoints that belong to no pool yet: their models are not known. */
  readonly unassigned: readonly EndpointState[];
}

export interface StateInput {
  readonly version: string;
  readonly uptimeMs: number;
  readonly draining: boolean;
  readonly bypass: boolean;
  readonly buffered: { readonly bytes: number; readonly limitBytes: number };
  readonly config: ConfigStatus;
  readonly pools: readonly PoolView[];
  /** Every endpoint, in a pool or not. */
  readonly endpoints: readonly EndpointView[];
  /** On the clock that readings and snapshots are stamped with. */
  readonly nowMs: number;
}

export function assembleState(input: StateInput): StateDocument {
  const { version, uptimeMs, draining, bypass, buffered, config, pools, nowMs } = input;
  const assigned = new Set(pools.flatMap((pool) => pool.endpoints.map((view) => view.endpoint)));
  return {
    schema: 1,
    version,
    uptimeS: Math.floor(uptimeMs / 1000),
    draining,
    bypass,
    buffered: { bytes: buffered.bytes, limitBytes: finite(buffered.limitBytes) },
    config,
    pools: pools.map((pool) => poolState(pool, nowMs)),
    unassigned: input.endpoints
      .filter(({ endpoint }) => !assigned.has(endpoint))
      .map((view) => endpointState(view, nowMs)),
  };
}

function poolState(view: PoolView, nowMs: number): PoolState {
  const { name, models, detector, snapshot } = view;
  const { gate } = snapshot;
  return {
    name,
    models,
    detector,
    bandSelection: snapshot.bandSelection,
    saturation: thousandths(snapshot.saturation),
    gated:
      gate === undefined
        ? null
        : {
            priority: gate.priority,
            saturation: thousandths(gate.saturation),
            ceiling: gate.ceiling,
            forMs: Math.round(snapshot.atMs - gate.sinceMs),
          },
    waiting: snapshot.waiting,
    bytes: snapshot.bytes,
    inFlight: snapshot.inFlight,
    heldWhileIdleMs: Math.round(snapshot.heldWhileIdleMs),
    retryAfterS: snapshot.retryAfterS,
    bands: snapshot.bands.map(bandState),
    endpoints: view.endpoints.map((endpoint) => endpointState(endpoint, nowMs)),
  };
}

function bandState(band: BandSnapshot): BandState {
  const ranked = [...band.flows].sort((a, b) => b.waiting - a.waiting || b.inFlight - a.inFlight);
  const others = ranked.slice(MAX_FLOWS);
  return {
    priority: band.priority,
    waiting: band.waiting,
    maxRequests: finite(band.maxRequests),
    bytes: band.bytes,
    maxBytes: finite(band.maxBytes),
    ceiling: band.ceiling,
    gated: band.gated,
    lagTokens: Math.round(band.largestLag),
    lagBoundTokens: band.lagBound === undefined ? null : Math.round(band.lagBound),
    fairnessFacts: band.fairnessFacts ?? null,
    fairness: band.fairness,
    ordering: band.ordering,
    share: {
      promised: band.promisedShare === undefined ? null : thousandths(band.promisedShare),
      recent: thousandths(band.recentShare),
    },
    flows: ranked.slice(0, MAX_FLOWS).map(flowState),
    otherFlows: {
      count: others.length,
      waiting: others.reduce((sum, flow) => sum + flow.waiting, 0),
      inFlight: others.reduce((sum, flow) => sum + flow.inFlight, 0),
    },
  };
}

function flowState({
  fairnessId,
  waiting,
  bytes,
  oldestWaitMs,
  inFlight,
  capped,
  throttled,
  parked,
}: FlowSnapshot): FlowState {
  return { fairnessId, waiting, bytes, oldestWaitMs: Math.round(oldestWaitMs), inFlight, capped, throttled, parked };
}

function endpointState({ endpoint, limit }: EndpointView, nowMs: number): EndpointState {
  const { metrics } = endpoint;
  return {
    name: endpoint.name,
    url: withoutCredentials(endpoint.url),
    up: endpoint.up,
    problem: endpoint.problem ?? null,
    limit: finite(limit),
    inFlight: endpoint.inFlight,
    tokensInFlight: endpoint.tokensInFlight,
    waiting: metrics?.waiting ?? null,
    running: metrics?.running ?? null,
    kvUsage: metrics?.kvUsage ?? null,
    scrapeAgeMs: metrics === undefined ? null : Math.max(0, Math.round(nowMs - metrics.atMs)),
    models: [...endpoint.baseModels, ...endpoint.adapters],
  };
}

/** The address without user, password, query and fragment: each may hold a key. */
export function withoutCredentials(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? '' : `${parsed.protocol}//${parsed.host}${parsed.pathname.replace(/\/$/, '')}`;
}

/** Why there is nothing to send requests to yet, or any more; undefined when there is. */
export function notReadyReason(input: {
  readonly listening: boolean;
  readonly draining: boolean;
  readonly pools: readonly PoolView[];
}): string | undefined {
  if (input.draining) return 'draining: no new requests are taken';
  if (!input.listening) return 'not listening yet';
  if (input.pools.length === 0) return 'no endpoint has told its models yet';
  const isUp = input.pools.some((pool) => pool.endpoints.some(({ endpoint }) => endpoint.up));
  return isUp ? undefined : 'no endpoint is up';
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function thousandths(value: number): number {
  return Math.round(value * 1000) / 1000;
}
