// SPDX-License-Identifier: Apache-2.0

/**
 * The bytes of request bodies that may be held at once, over all clients (`gateway.maxBufferedBytes`). Room is reserved
 * before a byte is buffered, so that overload is answered with 429 and never with an out-of-memory kill. A reservation
 * belongs to one request, grows in step with a chunked body, and is given back once, whoever comes first: the sum of
 * all reservations is `used`, always.
 */

/** One request's share of the budget. */
export interface Reservation {
  /** What it holds now; 0 once released. */
  readonly bytes: number;
  /**
   * Takes `bytes` more. False, and nothing is taken, when they do not fit or the reservation was released.
   * @throws RangeError unless `bytes` is a non-negative safe integer.
   */
  grow(bytes: number): boolean;
  /** Gives everything back. A second call does nothing: a timeout and a vanished client may both want to. */
  release(): void;
}

export class ByteBudget {
  readonly maxBytes: number;
  #used = 0;
  #peak = 0;

  /** @throws RangeError unless `maxBytes` is a positive safe integer. */
  constructor(maxBytes: number) {
    if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
      throw new RangeError(`maxBufferedBytes must be an integer of at least 1, got ${maxBytes}`);
    }
    this.maxBytes = maxBytes;
  }

  /** Bytes reserved now. */
  get used(): number {
    return this.#used;
  }

  /** The most that was ever reserved. */
  get peak(): number {
    return this.#peak;
  }

  /**
   * Reserves `bytes` (0 for a body of unknown length, to be grown), or nothing when they do not fit.
   * @throws RangeError unless `bytes` is a non-negative safe integer.
   */
  reserve(bytes: number): Reservation | undefined {
    if (!this.#take(bytes)) return undefined;
    let held = bytes;
    let released = false;
    return {
      get bytes() {
        return held;
      },
      grow: (more) => {
        if (released || !this.#take(more)) return false;
        held += more;
        return true;
      },
      release: () => {
        released = true;
        this.#used -= held;
        held = 0;
      },
    };
  }

  #take(bytes: number): boolean {
    if (!Number.isSafeInteger(bytes) || bytes < 0) {
      throw new RangeError(`bytes to reserve must be a non-negative integer, got ${bytes}`);
    }
    if (bytes > this.maxBytes - this.#used) return false;
    this.#used += bytes;
    this.#peak = Math.max(this.#peak, this.#used);
    return true;
  }
}
