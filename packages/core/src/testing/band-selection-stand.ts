// SPDX-License-Identifier: Apache-2.0

/**
 * The selection of bands without anything below it: bands that have something to send or not, are served at a cost, are
 * passed over, and have their charges settled, step by step from a script, in the order in which the controller does it.
 */

import { type BandCharge, BandSelection } from '../flow-control/band-selection.ts';
import { BandContender } from '../flow-control/contender.ts';
import type { BandSelectionPolicy } from '../flow-control/policies.ts';

/** What may happen to band number `band`; what makes no sense for it at the moment does nothing. */
export type BandStep =
  /** It has something to send, or nothing any more. */
  | { readonly act: 'ready' | 'unready'; readonly band: number }
  /** It is forgotten, and a later band of that number is a new one. */
  | { readonly act: 'forget'; readonly band: number }
  /** Who is picked is served, and what that was charged is settled some day. */
  | { readonly act: 'serve'; readonly cost: number }
  /** It is served though nobody picked it, as all are while the controller bypasses. */
  | { readonly act: 'bypass'; readonly band: number; readonly cost: number }
  /** Who is picked cannot be served in this turn. */
  | { readonly act: 'pass' }
  /** The turn is over. */
  | { readonly act: 'turn' }
  /** What was charged first of all that is not settled turns out to have been so many times its estimate. */
  | { readonly act: 'settle'; readonly times: number };

interface Band {
  readonly priority: number;
}

interface Open {
  readonly contender: BandContender<Band>;
  readonly cost: number;
  readonly charge: BandCharge;
}

export class BandSelectionStand {
  readonly ready = new Set<number>();
  readonly #selection: BandSelection<Band>;
  readonly #priorities: readonly number[];
  readonly #contenders = new Map<number, BandContender<Band>>();
  readonly #open: Open[] = [];

  /** Bands by number, at these priorities. @throws whatever the policy does that it may not. */
  constructor(policy: BandSelectionPolicy, priorities: readonly number[]) {
    this.#priorities = priorities;
    this.#selection = new BandSelection<Band>(policy, (_policy, error) => {
      throw error;
    });
  }

  /** The priority that is served next; asked twice, because asking may change nothing. @throws Error when it did. */
  pick(): number | undefined {
    const picked = this.#selection.pick();
    const again = this.#selection.pick();
    if (picked !== again) throw new Error(`pick said ${picked?.priority} and then ${again?.priority}`);
    return picked?.priority;
  }

  /** The share that a band is promised now. */
  shareOf(band: number): number | undefined {
    return this.#selection.shareOf(this.#contender(band));
  }

  /** Carries out a step; returns the number of the band that it served. */
  apply(step: BandStep): number | undefined {
    switch (step.act) {
      case 'ready':
      case 'unready':
        this.#contend(step.band, step.act === 'ready');
        return undefined;
      case 'forget':
        this.#forget(step.band);
        return undefined;
      case 'turn':
        this.#selection.readmit();
        return undefined;
      case 'settle':
        this.#settle(step.times);
        return undefined;
      case 'pass':
        this.#pass();
        return undefined;
      case 'bypass':
        this.#charge(step.band, step.cost);
        return undefined;
      case 'serve':
        return this.#serve(step.cost);
    }
  }

  #contend(band: number, contends: boolean): void {
    this.#selection.contend(this.#contender(band), contends);
    if (contends) this.ready.add(band);
    else this.ready.delete(band);
  }

  /** A band with something in flight is not forgotten. */
  #forget(band: number): void {
    const contender = this.#contender(band);
    if (this.#open.some((open) => open.contender === contender)) return;
    this.ready.delete(band);
    this.#selection.remove(contender);
    this.#contenders.delete(band);
  }

  #serve(cost: number): number | undefined {
    const priority = this.pick();
    if (priority === undefined) return undefined;
    const band = this.#priorities.indexOf(priority);
    this.#charge(band, cost);
    return band;
  }

  #charge(band: number, cost: number): void {
    const contender = this.#contender(band);
    const charge = this.#selection.charge(contender, cost);
    if (charge !== undefined) this.#open.push({ contender, cost, charge });
  }

  #settle(times: number): void {
    const open = this.#open.shift();
    if (open !== undefined) this.#selection.settle(open.contender, open.charge, open.cost * (times - 1));
  }

  #pass(): void {
    const priority = this.#selection.pick()?.priority;
    if (priority !== undefined) this.#selection.pass(this.#contender(this.#priorities.indexOf(priority)));
  }

  #contender(band: number): BandContender<Band> {
    let contender = this.#contenders.get(band);
    if (contender === undefined) {
      contender = new BandContender<Band>({ priority: this.#priorities[band] as number });
      this.#contenders.set(band, contender);
      this.#selection.add(contender);
    }
    return contender;
  }
}
