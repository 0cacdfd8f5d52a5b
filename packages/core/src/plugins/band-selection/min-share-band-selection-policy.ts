// SPDX-License-Identifier: Apache-2.0

/**
 * Which band is next? One that is owed some of its guaranteed share, and when none is, the highest. Choose it to keep
 * strict priorities and yet let nothing starve: a flood of urgent requests then leaves the nightly batch its five per
 * cent. What a band does not use of its share is lent, to the highest that has something to send, and taken back
 * with the band's next request; and what a band has had beyond its share, when nobody else wanted it, it does not owe.
 *
 * A clock counts the cost of all that is dispatched. Each band has a moment on it at which it is next owed something:
 * what it is served because it was owed moves that on by cost ÷ share, what it is served otherwise does not. Of several
 * that are owed, the one that was owed first goes. A band that comes back is owed from now on, not for the time it was
 * away; one that finds no room, or is held by its own ceiling, keeps what it missed of the last thousand dispatches. A
 * ceiling lower than those of others comes before a share: what may not be dispatched is not guaranteed.
 *
 * Bound: over any time in which a band has something that can be sent it gets at least its share of what is dispatched,
 * less its own largest request and its share of twice the largest of each other band; while a higher one sends more than
 * the servers take, at most its share plus as much. What requests in flight were estimated wrong comes on top. Where bands that are made from a template bring the sum of shares above 1, all shrink in proportion.
 */

import type { BandSelectionPolicy, Contender } from '../../flow-control/policies.ts';
import { definePlugin, PluginError } from '../../plugin-registry/plugin.ts';
import { byPriority } from './by-priority.ts';
import { KEPT_DISPATCHES, MeanCost } from './mean-cost.ts';

interface Claim {
  readonly share: number;
  /** When it is next owed something, on the clock of all bands. */
  at: number;
}

/** Over all bands. */
interface Clock {
  /** What was dispatched so far. */
  at: number;
  /** Of the bands that have something to send. */
  shares: number;
  readonly mean: MeanCost;
}

class MinShare implements BandSelectionPolicy<Clock, Claim> {
  readonly type: string;
  readonly name: string;
  readonly namedPriorities: readonly number[];
  readonly #shares: ReadonlyMap<number, number>;
  readonly #defaultShare: number;

  constructor({ type, name }: { type: string; name: string }, shares: ReadonlyMap<number, number>, other: number) {
    this.type = type;
    this.name = name;
    this.namedPriorities = [...shares.keys()];
    this.#shares = shares;
    this.#defaultShare = other;
  }

  newState(): Clock {
    return { at: 0, shares: 0, mean: new MeanCost() };
  }

  newBandState(priority: number): Claim {
    return { share: this.#shares.get(priority) ?? this.#defaultShare, at: 0 };
  }

  ready(clock: Clock, { state }: Contender<Claim>): void {
    clock.shares += state.share;
    state.at = Math.max(state.at, clock.at);
  }

  unready(clock: Clock, { state }: Contender<Claim>): void {
    clock.shares -= state.share;
  }

  pick(clock: Clock, offered: readonly Contender<Claim>[]): Contender<Claim> {
    let first: Contender<Claim> | undefined;
    for (const band of offered) {
      if (isOwed(clock, band.state) && (first === undefined || band.state.at < first.state.at)) first = band;
    }
    return first ?? (offered[0] as Contender<Claim>);
  }

  passed(clock: Clock, { state }: Contender<Claim>): void {
    state.at = Math.max(state.at, clock.at - KEPT_DISPATCHES * clock.mean.cost);
  }

  /** Returns whether it was owed. */
  charge(clock: Clock, { state }: Contender<Claim>, cost: number): boolean {
    const wasOwed = isOwed(clock, state);
    if (wasOwed) state.at += cost / shareOf(clock, state);
    clock.mean.note(cost);
    clock.at += cost;
    return wasOwed;
  }

  settle(clock: Clock, { state }: Contender<Claim>, { delta, receipt }: { delta: number; receipt: unknown }): void {
    if (receipt === true) state.at += delta / shareOf(clock, state);
    clock.at += delta;
  }

  shareOf(clock: Clock, { state }: Contender<Claim>): number {
    return shareOf(clock, state);
  }
}

function isOwed(clock: Clock, { share, at }: Claim): boolean {
  return share > 0 && at <= clock.at;
}

function shareOf({ shares }: Clock, { share }: Claim): number {
  return share / Math.max(1, shares);
}

export const minShareBandSelectionPolicy = definePlugin({
  type: 'min-share-band-selection-policy',
  kinds: ['band-selection'],
  stability: 'beta',
  summary: 'Guarantees each band a share of what is dispatched; the rest, and what is not used, goes by priority.',
  parameters: {
    shares: {
      type: 'list',
      default: [],
      doc: 'Guaranteed shares of bands; each priority once, at most 1 together.',
      of: {
        type: 'object',
        doc: 'A band and its share.',
        fields: {
          priority: { type: 'integer', required: true, doc: 'The priority of the band.' },
          share: {
            type: 'number',
            required: true,
            min: 0,
            max: 1,
            doc: 'Of what is dispatched while it has something to send; 0 for none.',
          },
        },
      },
    },
    defaultShare: {
      type: 'number',
      default: 0.05,
      min: 0,
      max: 1,
      doc: 'The share of every other band, also of those that are made from a template; 0 for none.',
    },
  },
  create: ({ type, name, parameters: { shares, defaultShare } }) => {
    const map = byPriority('shares', shares, 'share');
    const sum = [...map.values()].reduce((total, share) => total + share, 0);
    // Ten times 0.1 is not quite 1.
    if (sum > 1 + 1e-9) throw new PluginError(`shares are ${Number(sum.toFixed(9))} together; allowed is at most 1`);
    return new MinShare({ type, name }, map, defaultShare);
  },
});
