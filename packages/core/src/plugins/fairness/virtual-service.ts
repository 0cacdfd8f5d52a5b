// SPDX-License-Identifier: Apache-2.0

/**
 * What a member was served, divided by its weight: its place in virtual time, by which weighted fair policies compare
 * members. The one that is furthest behind is due.
 *
 * Who comes back from where it could not be served (nothing waiting, at its cap, without tokens) is lifted to where the
 * others are: time in which it asked for nothing is no claim, and its debts stay. It is lifted to the moment or to the
 * least of those it now competes with, whichever is less; and when it then turns out to wait for other endpoints, with
 * others who are further behind, to the least of those. Parking by itself lifts nobody.
 */
export class VirtualService {
  /** Cost ÷ weight served so far, lifts included: where its next service begins. */
  at = 0;
  /** What it would be without the last lift. */
  #unlifted = 0;
  /** Where its spell began at the least: what it was overcharged before does not take it behind that. */
  #floor = 0;
  #spell = -1;
  /** Lifted, and not served since. */
  #isLifted = false;

  /** It is eligible among others, of whom the one that is furthest behind is at `least`, when there is one. */
  join(spell: number, now: number, least: number | undefined): void {
    if (spell !== this.#spell) {
      this.#spell = spell;
      this.#unlifted = this.at;
      this.#floor = least === undefined ? now : Math.min(now, least);
      this.#isLifted = this.at < this.#floor;
      if (this.#isLifted) this.at = this.#floor;
    } else if (this.#isLifted && least !== undefined && least < this.at) {
      this.at = Math.max(this.#unlifted, least);
      this.#floor = this.at;
    }
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
}
