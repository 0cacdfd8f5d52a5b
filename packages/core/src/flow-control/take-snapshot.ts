// SPDX-License-Identifier: Apache-2.0

/** The controller at one moment as plain data. Costs O(flows), so it is made when someone asks, never by itself. */

import type { Gate } from './gate.ts';
import type { Placement } from './placement.ts';
import type { Flow, PriorityBand } from './priority-band.ts';
import type { BandSnapshot, FlowControlSnapshot, FlowSnapshot } from './snapshot.ts';
import type { Waitlist } from './waitlist.ts';

/** What a controller is made of, to be read by snapshots and invariants and changed by nobody but the controller. */
export interface ControllerParts {
  readonly waitlist: Waitlist;
  readonly gate: Gate;
  readonly placement: Placement;
  readonly inFlight: number;
  readonly bypass: boolean;
  readonly closing: boolean;
  readonly retryAfterMs: number;
}

export function takeSnapshot(parts: ControllerParts, nowMs: number): FlowControlSnapshot {
  const { gate, placement } = parts;
  const { bands, occupancy } = parts.waitlist;
  return {
    atMs: nowMs,
    saturation: placement.saturation(nowMs),
    stages: placement.stageSaturations(nowMs),
    hasEndpoints: placement.hasEndpoints,
    bypass: parts.bypass,
    bandSelection: bands.selection.policy.name,
    closing: parts.closing,
    gate: gate.closed,
    waiting: occupancy.requests,
    bytes: occupancy.bytes,
    maxRequests: occupancy.maxRequests,
    maxBytes: occupancy.maxBytes,
    inFlight: parts.inFlight,
    heldWhileIdleMs: gate.heldWhileIdleMs(nowMs),
    retryAfterS: Math.ceil(parts.retryAfterMs / 1000),
    bands: bands.ordered.map((band, index) =>
      ofBand(band, {
        promisedShare: bands.selection.shareOf(band.contender),
        recentShare: bands.shares.of(band, bands.ordered),
        ceiling: gate.ceiling(index),
        gated: gate.holds(band.priority),
        nowMs,
      }),
    ),
  };
}

type BandNow = Pick<BandSnapshot, 'promisedShare' | 'recentShare' | 'ceiling' | 'gated'>;

function ofBand(band: PriorityBand, { nowMs, ...now }: BandNow & { readonly nowMs: number }): BandSnapshot {
  return {
    priority: band.priority,
    fairness: band.config.fairness.name,
    ordering: band.config.ordering.name,
    waiting: band.occupancy.requests,
    bytes: band.occupancy.bytes,
    maxRequests: band.config.maxRequests,
    maxBytes: band.config.maxBytes,
    ...now,
    cost: band.cost,
    largestLag: band.lag.largestLag,
    lagBound: band.lagBound,
    fairnessFacts: band.fairnessFacts,
    flows: [...band.flows.values()].map((flow) => ofFlow(flow, nowMs)),
  };
}

function ofFlow(flow: Flow, nowMs: number): FlowSnapshot {
  let oldestMs = nowMs;
  for (const waiting of flow.values()) oldestMs = Math.min(oldestMs, waiting.enqueuedMs);
  return {
    fairnessId: flow.id,
    waiting: flow.size,
    bytes: flow.bytes,
    oldestWaitMs: nowMs - oldestMs,
    inFlight: flow.inFlight,
    capped: flow.standing === 'capped',
    throttled: flow.standing === 'throttled',
    parked: flow.standing === 'parked',
  };
}
