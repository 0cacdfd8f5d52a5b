// SPDX-License-Identifier: Apache-2.0

/**
 * Which band is next? The one that has had least for its weight. Choose it when priorities are classes of service that
 * share the servers in fixed proportions: with weights 8, 3 and 1 a band gets eight, three or one part of what is
 * dispatched among those that have something to send, and none of them can be starved.
 *
 * It is start-time fair queueing (Goyal, Vin and Cheng, 1996) over bands: each band has a tag, which moves on by cost ÷
 * weight when the band is served and when it turns out what that really cost; the smallest goes, the higher band when
 * two are equal. A band that comes back begins no earlier than the tag last served, so that being away saves up nothing.
 * One that finds no room, or is held by its own ceiling, keeps what it missed of the last thousand dispatches, not more.
 *
 * Bound: while two bands both have something that can be sent, what they have had, each divided by its weight, differs
 * by no more than the sum of their largest requests, each divided by its weight; what their requests in flight were
 * estimated wrong comes on top.
 */

import type { BandSelectionPolicy, Contender } from '../../flow-control/policies.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';
import { byPriority } from './by-priority.ts';
import { KEPT_DISPATCHES, MeanCost } from './mean-cost.ts';

/** A band's tag: what it has had ÷ its weight, on the clock of all bands. */
interface Tag {
  readonly weight: number;
  at: number;
  /** It has something to send. */
  isReady: boolean;
}

/** Over all bands. */
interface Clock {
  /** The largest tag that was served. */
  at: number;
  /** Of the bands that have something to send. */
  weights: number;
  readonly mean: MeanCost;
}

class Weighted implements BandSelectionPolicy<Clock, Tag> {
  readonly type: string;
  readonly name: string;
  readonly namedPriorities: readonly number[];
  readonly #weights: ReadonlyMap<number, number>;
  readonly #defaultWeight: number;

  constructor({ type, name }: { type: string; name: string }, weights: ReadonlyMap<number, number>, other: number) {
    this.type = type;
    this.name = name;
    this.namedPriorities = [...weights.keys()];
    this.#weights = weights;
    this.#defaultWeight = other;
  }

  newState(): Clock {
    return { at: 0, weights: 0, mean: new MeanCost() };
  }

  newBandState(priority: number): Tag {
    return { weight: this.#weights.get(priority) ?? this.#defaultWeight, at: 0, isReady: false };
  }

  ready(clock: Clock, { state }: Contender<Tag>): void {
    clock.weights += state.weight;
    state.isReady = true;
    state.at = Math.max(state.at, clock.at);
  }

  unready(clock: Clock, { state }: Contender<Tag>): void {
    clock.weights -= state.weight;
    state.isReady = false;
  }

  pick(_clock: Clock, offered: readonly Contender<Tag>[]): Contender<Tag> {
    let first = offered[0] as Contender<Tag>;
    for (const band of offered) if (band.state.at < first.state.at) first = band;
    return first;
  }

  passed(clock: Clock, { state }: Contender<Tag>): void {
    state.at = Math.max(state.at, clock.at - (KEPT_DISPATCHES * clock.mean.cost) / clock.weights);
  }

  charge(clock: Clock, { state }: Contender<Tag>, cost: number): void {
    clock.mean.note(cost);
    clock.at = Math.max(clock.at, state.at);
    state.at += cost / state.weight;
  }

  settle(_clock: Clock, { state }: Contender<Tag>, { delta }: { readonly delta: number }): void {
    state.at += delta / state.weight;
  }

  shareOf({ weights }: Clock, { state: { weight, isReady } }: Contender<Tag>): number {
    return Math.min(1, weight / Math.max(isReady ? weights : weights + weight, weight));
  }
}

export const weightedBandSelectionPolicy = definePlugin({
  type: 'weighted-band-selection-policy',
  kinds: ['band-selection'],
  stability: 'beta',
  summary: 'Shares what is dispatched among the bands that have something to send, in proportion to their weights.',
  parameters: {
    weights: {
      type: 'list',
      default: [],
      doc: 'Weights of bands; each priority once.',
      of: {
        type: 'object',
        doc: 'A band and its weight.',
        fields: {
          priority: { type: 'integer', required: true, doc: 'The priority of the band.' },
          weight: { type: 'number', required: true, min: 0, exclusiveMin: true, doc: 'Its part, beside the others’.' },
        },
      },
    },
    defaultWeight: {
      type: 'number',
      default: 1,
      min: 0,
      exclusiveMin: true,
      doc: 'The weight of every other band, also of those that are made from a template.',
    },
  },
  create: ({ type, name, parameters: { weights, defaultWeight } }) =>
    new Weighted({ type, name }, byPriority('weights', weights, 'weight'), defaultWeight),
});
