// SPDX-License-Identifier: Apache-2.0

/** Moves a permit to another endpoint, so that a request whose server is gone keeps its turn. */

import { DispatchPermit } from './dispatch-permit.ts';
import type { FlowObserver } from './events.ts';
import type { Placement, PlacementMode } from './placement.ts';

export interface FailOver {
  readonly mode: PlacementMode;
  readonly observer: FlowObserver | undefined;
  readonly atMs: number;
}

/** The permit on the first of its alternatives that has room; undefined, and the permit as it was, when none has. */
export function failOver(
  permit: DispatchPermit,
  placement: Placement,
  { mode, observer, atMs }: FailOver,
): DispatchPermit | undefined {
  permit.assertHeld();
  const { owner, request, waiting, debited, charge, endpoint: from } = permit;
  const placed = placement.tryPlaceOn(permit.alternatives, request, { nowMs: atMs, mode });
  if (placed === undefined) return undefined;
  permit.take();
  permit.placed.release('failed');
  observer?.({ kind: 'failed-over', request, band: waiting.flow.band.priority, from, endpoint: placed.endpoint, atMs });
  const waitMs = atMs - waiting.enqueuedMs;
  return new DispatchPermit({ owner, waiting, placed, waitMs, debited, charge, movedFrom: permit });
}
