// SPDX-License-Identifier: Apache-2.0

/** How a wait ends for the one who enqueued it. */

import type { Drop, DropCause } from '../request/outcome.ts';
import type { Permit } from '../request/permit.ts';

export type Settled =
  | { readonly outcome: 'Dispatched'; readonly permit: Permit }
  | { readonly outcome: Drop['outcome']; readonly cause: DropCause; readonly drop: Drop; readonly waitMs: number };

/** Called exactly once per enqueued request: possibly before `enqueue` returns when it is rejected, never then when it is dispatched. */
export type OnSettled = (settled: Settled) => void;

/** A request that waits. */
export interface WaitingHandle {
  /** Leaves the queue at once and frees its place in the same turn; without effect once settled. */
  cancel(): void;
}
