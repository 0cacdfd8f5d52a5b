// SPDX-License-Identifier: Apache-2.0

/** How a wait ends for the one who enqueued it. */

import type { Clock } from '../clock.ts';
import { DROPS, type Drop, type DropCause } from '../request/outcome.ts';
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

/** The settlement of a request that is not dispatched. */
export function dropped(cause: DropCause, waitMs: number): Settled {
  return { outcome: DROPS[cause].outcome, cause, drop: DROPS[cause], waitMs };
}

/** What aborts an `enqueueAndWait`; the web's and Node's `AbortSignal` fit. */
export interface Signal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** The handle of a request that is settled already. */
export const SETTLED: WaitingHandle = { cancel: () => undefined };

/** What `enqueue` leads to, as a promise that is never rejected; aborting the signal cancels the wait. */
export function settlement(
  enqueue: (onSettled: OnSettled) => WaitingHandle,
  signal: Signal | undefined,
): Promise<Settled> {
  if (signal?.aborted === true) return Promise.resolve(dropped('cancelledBeforeQueue', 0));
  return new Promise((resolve) => {
    let handle = SETTLED;
    const onAbort = (): void => {
      handle.cancel();
    };
    signal?.addEventListener('abort', onAbort);
    handle = enqueue((settled) => {
      signal?.removeEventListener('abort', onAbort);
      resolve(settled);
    });
  });
}

/** Tells of a settlement. A callback that throws is its owner's bug: it surfaces in a turn of its own and leaves this one whole. */
export function tell(onSettled: OnSettled, settled: Settled, clock: Clock): void {
  try {
    onSettled(settled);
  } catch (error) {
    clock.soon(() => {
      throw error;
    });
  }
}
