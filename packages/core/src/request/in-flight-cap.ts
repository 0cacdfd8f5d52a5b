// SPDX-License-Identifier: Apache-2.0

/**
 * A tenant's limit on requests in flight (`identity.keys[].maxInFlight`), shared by all of its flows in every band and
 * pool. It is held *in the queue*: a flow whose tenant is at the cap is skipped, nothing is refused and nobody else
 * waits for it; the moment there is room again every flow that was skipped is told.
 */
export class InFlightCap {
  readonly max: number;
  #used = 0;
  #waiters = new Set<() => void>();

  /** @throws RangeError unless `max` is a positive integer. */
  constructor(max: number) {
    if (!Number.isSafeInteger(max) || max < 1) throw new RangeError(`maxInFlight must be an integer of at least 1, got ${max}`);
    this.max = max;
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
    if (this.#waiters.size === 0 || this.full) return;
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const wake of waiters) wake();
  }

  /** Calls `wake` once, at the next release that leaves room. The same function is held only once. */
  onRoom(wake: () => void): void {
    this.#waiters.add(wake);
  }

  offRoom(wake: () => void): void {
    this.#waiters.delete(wake);
  }
}
