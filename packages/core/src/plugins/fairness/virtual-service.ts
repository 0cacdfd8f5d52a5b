// SPDX-License-Identifier: Apache-2.0

/**
 * What a member was served, divided by its weight: its place in virtual time, by which weighted fair policies compare
 * members. The one that is furthest behind is due.
 */

/** How much one service counts in the typical one. */
const LEARNING = 1 / 64;

/**
 * Where a band is. It goes on with each service by what that is to each of those who wait, and never leaves the member
 * that is served for behind or by more than a typical service (Bennett and Zhang, Hierarchical Packet Fair Queueing
 * Algorithms, SIGCOMM 1996). So any number of members who come for the first time cannot hold up one that waits.
 */
export class VirtualTime {
  #now = 0;
  #typical = 0;

  /** A member at `at` has its turn: `by` more for it, whose `share` is its part of the weights of all who wait. */
  served(at: number, by: number, share: number): void {
    this.#typical += (by - this.#typical) * (this.#typical === 0 ? 1 : LEARNING);
    this.#now = Math.min(Math.max(this.#now, at), at + this.#typical) + by * share;
  }

  /**
   * Where one begins who comes back, among others of whom the one that is furthest behind is at `least`: a typical service
   * behind the band, so that who asks now and then is served next. Since the band goes on with each of them, those who come
   * for the first time hold up one that waits by that much in all, and no more.
   */
  beginning(least: number | undefined): number {
    return (least === undefined ? this.#now : Math.min(this.#now, least + this.#typical)) - this.#typical;
  }

  /** How far behind the others one may be who waited for other endpoints than they. */
  claim(least: number): number {
    return least - this.#typical;
  }
}

/**
 * A member's side. Who comes back from where it could not be served (nothing waiting, at its cap, without tokens) is
 * lifted to where the others are: time in which it asked for nothing is no claim, and its debts stay. When it then turns
 * out to wait in a lot, with others who are further behind, it is lifted to where those are instead.
 *
 * Who was parked keeps a claim of one typical service on the rest of the band and no more, however long others were
 * served meanwhile; among those of its lot it keeps all.
 */
export class VirtualService {
  /** Cost ÷ weight served so far, lifts included: where its next service begins. In a lot, without what was passed. */
  at = 0;
  /** What it would be without the last lift. */
  #unlifted = 0;
  /** Where its spell began at the least: what it was overcharged before does not take it behind that. */
  #floor = 0;
  /** What it gave up of its claim on the band while it was parked, in this spell. */
  #passed = 0;
  #isInLot = false;
  #spell = -1;
  /** Lifted, and not served since. */
  #isLifted = false;

  /** It is eligible in the band, among others of whom the one that is furthest behind is at `least`, when there is one. */
  join(spell: number, time: VirtualTime, least: number | undefined): void {
    if (this.#isInLot) this.#move(this.#passed, false);
    if (spell !== this.#spell) {
      this.#spell = spell;
      this.#passed = 0;
      this.#unlifted = this.at;
      this.#floor = time.beginning(least);
      this.#isLifted = this.at < this.#floor;
      if (this.#isLifted) this.at = this.#floor;
    } else if (least !== undefined && this.at < time.claim(least)) {
      const given = time.claim(least) - this.at;
      this.#passed += given;
      this.#move(given, false);
    }
  }

  /** It waits in a lot, among others as in `join`. */
  park(time: VirtualTime, least: number | undefined): void {
    if (!this.#isInLot) this.#move(-this.#passed, true);
    if (!this.#isLifted || least === undefined) return;
    const beginning = time.beginning(least);
    if (beginning >= this.at) return;
    this.at = Math.max(this.#unlifted, beginning);
    this.#floor = this.at;
  }

  /** It is served so much. */
  charge(by: number): void {
    this.at += by;
    this.#isLifted = false;
  }

  /** What it was charged was off by so much. */
  settle(by: number): void {
    this.#unlifted += by;
    this.at += by;
    if (this.at < this.#floor) this.at = this.#floor;
  }

  #move(by: number, isInLot: boolean): void {
    this.at += by;
    this.#floor += by;
    this.#unlifted += by;
    this.#isInLot = isInLot;
  }
}
