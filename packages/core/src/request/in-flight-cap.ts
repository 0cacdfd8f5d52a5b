// SPDX-License-Identifier: Apache-2.0

/** Someone who waits for room under a cap. */
export interface CapWaiter {
  onRoom(): void;
}

/**
 * A tenant's limit on requests in flight (`identity.keys[].maxInFlight`), shared by all of its flows in every band and
 * pool. It is held *in the queue*: a flow whose tenant is at the cap is skipped, nothing is refused and nobody else
 * waits for it; the moment there is room again every flow that was skipped is told.
 */
export class InFlightCap {
  /** Changed by `resize` only. */
  max: number;
  #used = 0;
  #waiters = new Set<CapWaiter>();

  /** @throws RangeError unless `max` is a positive integer. */
  constructor(max: number) {
    this.max = checked(max);
  }

  /**
   * Another limit from now on, Infinity for none. What is in flight stays; who waits is told when there is room now.
   * @throws RangeError unless `max` is a positive integer or Infinity.
   */
  resize(max: number): void {
    this.max = max === Infinity ? max : checked(max);
    this.#tellWaiters();
  }

  get used(): number {
    return this.#used;
  }

  get full(): boolean {
    return this.#used >= this.max;
  }

  take(): void {
    this.#used += 1;
  }

  release(): void {
    this.#used -= 1;
    this.#tellWaiters();
  }

  #tellWaiters(): void {
    if (this.#waiters.size === 0 || this.full) return;
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const waiter of waiters) waiter.onRoom();
  }

  /** Tells the waiter once, at the next release that leaves room. */
  await(waiter: CapWaiter): void {
    this.#waiters.add(waiter);
  }

  unawait(waiter: CapWaiter): void {
    this.#waiters.delete(waiter);
  }
}

function checked(max: number): number {
  if (Number.isSafeInteger(max) && max >= 1) return max;
  throw new RangeError(`maxInFlight must be an integer of at least 1, got ${max}`);
}
