// SPDX-License-Identifier: Apache-2.0

/**
 * Tier 1 at work: the bands of which something could be sent, highest priority first, and the policy that is asked which
 * of them is served next. A band that is picked and cannot be served (its ceiling is reached, or nothing of it finds
 * room) is passed over until the end of the turn. A policy that throws, or picks what it was not offered, costs the
 * order of bands and nothing else: then the highest goes first, as with the strict one.
 */

import type { BandContender } from './contender.ts';
import type { BandSelectionPolicy } from './policies.ts';

/** What a band was charged for one dispatch. */
export interface BandCharge {
  /** Of the policy that charged it. */
  readonly state: unknown;
  readonly receipt: unknown;
}

export class BandSelection<B extends { readonly priority: number }> {
  #policy: BandSelectionPolicy;
  /** The policy's, at hand: asked before every dispatch. */
  isStrict: boolean;
  #state: unknown;
  readonly #onFault: (policy: BandSelectionPolicy, error: unknown) => void;
  readonly #known = new Set<BandContender<B>>();
  /** Highest priority first; few, and handed to the policy as it is. */
  readonly #offered: BandContender<B>[] = [];
  readonly #passed: BandContender<B>[] = [];

  /** `onFault`: the policy broke its contract. */
  constructor(policy: BandSelectionPolicy, onFault: (policy: BandSelectionPolicy, error: unknown) => void) {
    this.#policy = policy;
    this.isStrict = policy.isStrict === true;
    this.#state = policy.newState();
    this.#onFault = onFault;
  }

  get policy(): BandSelectionPolicy {
    return this.#policy;
  }

  /** Bands that the policy may be asked about. */
  get size(): number {
    return this.#offered.length + this.#passed.length;
  }

  isOffered(contender: BandContender<B>): boolean {
    return this.#offered.includes(contender);
  }

  /** A band that is new, and holds nothing. */
  add(contender: BandContender<B>): void {
    this.#known.add(contender);
    this.#begin(contender);
  }

  /** A band that is forgotten, and holds nothing. */
  remove(contender: BandContender<B>): void {
    this.#known.delete(contender);
    this.contend(contender, false);
  }

  /** Another policy from now on; the same one goes on with what it remembers. */
  reconfigure(policy: BandSelectionPolicy): void {
    if (policy === this.#policy) return;
    this.#state = policy.newState();
    this.#policy = policy;
    this.isStrict = policy.isStrict === true;
    for (const contender of this.#known) this.#begin(contender);
    for (const contender of this.#known) if (contender.place !== 'out') this.#tell('ready', contender);
  }

  /** Whether something of the band could be sent; one that was passed over in this turn is then offered again. */
  contend(contender: BandContender<B>, contends: boolean): void {
    if (contends && contender.place === 'passed') {
      this.#passed.splice(this.#passed.indexOf(contender), 1);
      return this.#offer(contender);
    }
    if (contends === (contender.place !== 'out')) return;
    if (contends) this.#offer(contender);
    else {
      takeOut(contender.place === 'in' ? this.#offered : this.#passed, contender);
      contender.place = 'out';
    }
    this.#tell(contends ? 'ready' : 'unready', contender);
  }

  /** The highest band that is offered; there is one whenever `pick` finds one. */
  get highest(): B {
    const [first] = this.#offered;
    if (first === undefined) throw new Error('no band is offered');
    return first.band;
  }

  /** The band to serve next. */
  pick(): B | undefined {
    const first = this.#offered[0];
    // Where there is no choice nobody has to be asked, which is so for nearly every dispatch of most configurations.
    if (this.#offered.length <= 1) return first?.band;
    try {
      // Contenders are only ever those of this list.
      const picked = this.#policy.pick(this.#state, this.#offered) as BandContender<B> | undefined;
      if (picked?.place === 'in') return picked.band;
      throw new Error(`it picked ${picked === undefined ? 'no band' : 'a band that it was not offered'}`);
    } catch (error) {
      this.#onFault(this.#policy, error);
      return first?.band;
    }
  }

  /** It cannot be served in this turn. */
  pass(contender: BandContender<B>): void {
    if (contender.place !== 'in') return;
    takeOut(this.#offered, contender);
    this.#passed.push(contender);
    contender.place = 'passed';
    this.#tell('passed', contender);
  }

  /** Those that were passed over are offered again: the turn is over, or there may be room. */
  readmit(): void {
    for (let contender = this.#passed.pop(); contender !== undefined; contender = this.#passed.pop()) {
      this.#offer(contender);
    }
  }

  /** The band was served; returns what `settle` has to be given. */
  charge(contender: BandContender<B>, cost: number): BandCharge | undefined {
    if (this.#policy.charge === undefined) return undefined;
    try {
      return { state: this.#state, receipt: this.#policy.charge(this.#state, contender, cost) };
    } catch (error) {
      this.#onFault(this.#policy, error);
      return undefined;
    }
  }

  /** What was charged is off by `delta`; not the business of a policy that did not charge it. */
  settle(contender: BandContender<B>, charge: BandCharge, delta: number): void {
    if (charge.state !== this.#state) return;
    try {
      this.#policy.settle?.(this.#state, contender, { delta, receipt: charge.receipt });
    } catch (error) {
      this.#onFault(this.#policy, error);
    }
  }

  /** The share that the band has a right to; undefined for none. */
  shareOf(contender: BandContender<B>): number | undefined {
    try {
      return this.#policy.shareOf?.(this.#state, contender);
    } catch (error) {
      this.#onFault(this.#policy, error);
      return undefined;
    }
  }

  #begin(contender: BandContender<B>): void {
    try {
      contender.state = this.#policy.newBandState(contender.priority);
    } catch (error) {
      contender.state = undefined;
      this.#onFault(this.#policy, error);
    }
  }

  #offer(contender: BandContender<B>): void {
    let index = this.#offered.push(contender) - 1;
    for (; index > 0 && this.#offered[index - 1]!.priority < contender.priority; index -= 1) {
      this.#offered[index] = this.#offered[index - 1]!;
    }
    this.#offered[index] = contender;
    contender.place = 'in';
  }

  #tell(what: 'ready' | 'unready' | 'passed', contender: BandContender<B>): void {
    try {
      if (what === 'ready') this.#policy.ready?.(this.#state, contender);
      else if (what === 'unready') this.#policy.unready?.(this.#state, contender);
      else this.#policy.passed?.(this.#state, contender);
    } catch (error) {
      this.#onFault(this.#policy, error);
    }
  }
}

/** As `splice` does, which makes an array of what it takes out: a band may come and go with each of its requests. */
function takeOut<T>(list: T[], item: T): void {
  for (let index = list.indexOf(item) + 1; index < list.length; index += 1) list[index - 1] = list[index]!;
  list.pop();
}
