// SPDX-License-Identifier: Apache-2.0

/**
 * A request in a queue. It carries its places in its flow's queue and among the deadlines, so that it can leave both at
 * once from wherever it stands.
 */

import type { InferenceRequest } from '../request/inference-request.ts';
import { IndexedHeap } from './indexed-heap.ts';
import type { Waiting } from './policies.ts';
import type { OnSettled, WaitingHandle } from './settled.ts';

/** `F` is the flow it waits in. */
export class WaitingRequest<F = unknown> implements Waiting, WaitingHandle {
  readonly request: InferenceRequest;
  readonly flow: F;
  readonly enqueuedMs: number;
  readonly sequence: number;
  readonly onSettled: OnSettled;
  readonly #onCancel: (waiting: WaitingRequest<F>) => void;
  rank = 0;
  /** Whole milliseconds, which V8 keeps in the object itself; Infinity for never. */
  expiresMs = 0;
  /** Set when it had been dispatched before: no fresh budget takes its wait beyond this. */
  latestMs: number | undefined = undefined;
  /** Slot in the flow's queue; -1 once settled. */
  queueSlot = -1;
  /** Slot among the deadlines; -1 when it never expires or is settled. */
  expirySlot = -1;

  constructor(input: {
    readonly request: InferenceRequest;
    readonly flow: F;
    readonly enqueuedMs: number;
    readonly sequence: number;
    readonly onSettled: OnSettled;
    readonly onCancel: (waiting: WaitingRequest<F>) => void;
  }) {
    this.request = input.request;
    this.flow = input.flow;
    this.enqueuedMs = input.enqueuedMs;
    this.sequence = input.sequence;
    this.onSettled = input.onSettled;
    this.#onCancel = input.onCancel;
  }

  cancel(): void {
    if (this.queueSlot >= 0) this.#onCancel(this);
  }
}

/** Negative when `a` goes before `b`: smaller rank first, ties by arrival. */
export function compareWaiting(a: Waiting, b: Waiting): number {
  return a.rank === b.rank ? a.sequence - b.sequence : a.rank - b.rank;
}

/** A flow's waiting requests, the next one first. */
export class RequestQueue<F> extends IndexedHeap<WaitingRequest<F>> {
  protected override before(a: WaitingRequest<F>, b: WaitingRequest<F>): boolean {
    return a.rank === b.rank ? a.sequence < b.sequence : a.rank < b.rank;
  }
  protected override slotOf(waiting: WaitingRequest<F>): number {
    return waiting.queueSlot;
  }
  protected override setSlot(waiting: WaitingRequest<F>, slot: number): void {
    waiting.queueSlot = slot;
  }
}
