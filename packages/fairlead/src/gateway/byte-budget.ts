// SPDX-License-Identifier: Apache-2.0

/**
 * The bytes of request bodies that may be held at once, over all clients (`gateway.maxBufferedBytes`). Room is reserved
 * before a byte is buffered, so that overload is answered with 429 and never with an out-of-memory kill. A reservation
 * belongs to one request, grows in step with a chunked body, and is given back once, whoever comes first: the sum of
 * all reservations is `used`, always.
 *
 * Announcing a long body costs a client nothing, and a queue of large requests lasts: so no holder (a tenant that proved
 * who it is, else an address) gets more than half for several requests. One request alone may take what there is.
 */

import { forgetIdle } from './per-client.ts';

/** Of the budget, what one holder may have for several requests. */
const HOLDER_SHARE = 0.5;

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

/** What one holder has. */
interface Holding {
  readonly holder: string;
  bytes: number;
  reservations: number;
}

/** What all reservations take from. */
class Books {
  maxBytes: number;
  used = 0;
  readonly holdings = new Map<string, Holding>();

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** @throws RangeError unless `bytes` is a non-negative safe integer. */
  take(bytes: number, holding: Holding, isAlone: boolean): boolean {
    if (!Number.isSafeInteger(bytes) || bytes < 0) {
      throw new RangeError(`bytes to reserve must be a non-negative integer, got ${bytes}`);
    }
    const share = isAlone ? this.maxBytes : this.maxBytes * HOLDER_SHARE;
    if (bytes > this.maxBytes - this.used || holding.bytes + bytes > share) return false;
    this.used += bytes;
    holding.bytes += bytes;
    return true;
  }
}

class OpenReservation implements Reservation {
  readonly #books: Books;
  readonly #holding: Holding;
  #bytes: number;
  #isReleased = false;

  constructor(books: Books, holding: Holding, bytes: number) {
    this.#books = books;
    this.#holding = holding;
    this.#bytes = bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  grow(bytes: number): boolean {
    const isAlone = this.#holding.reservations === 1;
    if (this.#isReleased || !this.#books.take(bytes, this.#holding, isAlone)) return false;
    this.#bytes += bytes;
    return true;
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#books.used -= this.#bytes;
    this.#holding.bytes -= this.#bytes;
    this.#holding.reservations -= 1;
    if (this.#holding.reservations === 0) forgetIdle(this.#books.holdings, this.#holding.holder);
    this.#bytes = 0;
  }
}

export class ByteBudget {
  readonly #books: Books;

  /** @throws RangeError unless `maxBytes` is a positive safe integer. */
  constructor(maxBytes: number) {
    this.#books = new Books(checked(maxBytes));
  }

  get maxBytes(): number {
    return this.#books.maxBytes;
  }

  /**
   * Another size from now on. What is reserved stays reserved; nothing more is until it fits.
   * @throws RangeError unless `maxBytes` is a positive safe integer.
   */
  resize(maxBytes: number): void {
    this.#books.maxBytes = checked(maxBytes);
  }

  /** Bytes reserved now. */
  get used(): number {
    return this.#books.used;
  }

  /**
   * Reserves `bytes` (0 for a body of unknown length, to be grown) for `holder`, or nothing when they do not fit.
   * @throws RangeError unless `bytes` is a non-negative safe integer.
   */
  reserve(bytes: number, holder: string): Reservation | undefined {
    const books = this.#books;
    const known = books.holdings.get(holder);
    const holding = known ?? { holder, bytes: 0, reservations: 0 };
    if (!books.take(bytes, holding, holding.reservations === 0)) return undefined;
    holding.reservations += 1;
    if (known === undefined) books.holdings.set(holder, holding);
    return new OpenReservation(books, holding, bytes);
  }
}

function checked(maxBytes: number): number {
  if (Number.isSafeInteger(maxBytes) && maxBytes >= 1) return maxBytes;
  throw new RangeError(`maxBufferedBytes must be an integer of at least 1, got ${maxBytes}`);
}
