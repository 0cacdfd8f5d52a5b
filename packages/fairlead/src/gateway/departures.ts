// SPDX-License-Identifier: Apache-2.0

/**
 * Clients that leave, those of one turn of the event loop together: a crowd that is cut is first taken out of all queues,
 * so that no place goes to one of it that is about to leave as well, and its reports are told a few at a time, so that
 * whoever stays is served in between.
 */

/** A request whose client left. */
export interface Departing {
  /** Gives everything back that it holds. */
  leave(): void;
  /** Tells that it is over. */
  report(): void;
}

/** Reports of one turn. */
const REPORTS = 64;

export class Departures {
  #leaving = new Set<Departing>();
  /** Those that left and are still to be told of, from `#toldTo` on. */
  #left: Departing[] = [];
  #toldTo = 0;
  readonly #onLeaving = (): void => this.#takeLeave();
  readonly #onTelling = (): void => this.#tell();

  add(departing: Departing): void {
    this.#leaving.add(departing);
    if (this.#leaving.size === 1) setImmediate(this.#onLeaving);
  }

  #takeLeave(): void {
    const leaving = this.#leaving;
    this.#leaving = new Set();
    const isTelling = this.#left.length > 0;
    for (const departing of leaving) {
      departing.leave();
      this.#left.push(departing);
    }
    if (!isTelling) this.#tell();
  }

  #tell(): void {
    const left = this.#left;
    const end = Math.min(left.length, this.#toldTo + REPORTS);
    for (; this.#toldTo < end; this.#toldTo += 1) left[this.#toldTo]?.report();
    if (end < left.length) {
      setImmediate(this.#onTelling);
      return;
    }
    this.#left = [];
    this.#toldTo = 0;
  }
}
