// SPDX-License-Identifier: Apache-2.0

/**
 * What is counted for one flow's requests for one model in one pool: plain fields, read when the page is made. Histograms
 * appear with their first observation; those for which there is no room count into the series called `other`.
 */

import { OUTCOMES } from '@fairlead/core';
import { flowFamilies } from './catalogue.ts';
import type { RequestSeries } from './request-series.ts';
import type { SeriesBudget } from './series-budget.ts';
import { Tally } from './tally.ts';
import type { Labels } from './tally.ts';

/** Lines of a flow series without its histograms: queue size and bytes. */
export const FLOW_LINES = 2;

const queueBounds = flowFamilies.queueDuration.buckets ?? [];

/** What a flow series counts into beside itself. */
export interface FlowLinks {
  readonly request: RequestSeries;
  /** Endings of waits at this priority in this pool, by `OUTCOMES`; shared with the pool's other flows. */
  readonly endings: Float64Array;
  readonly budget: SeriesBudget;
  /** Where histograms without room go; undefined for a series called `other` itself. */
  readonly other: (() => FlowSeries) | undefined;
  /** The series of the band that serves it, when that is not the priority asked for: waits are counted there. */
  readonly served: FlowSeries | undefined;
}

export class FlowSeries {
  readonly key: string;
  readonly labels: Labels;
  readonly request: RequestSeries;
  readonly endings: Float64Array;
  waiting = 0;
  bytes = 0;
  /** Combinations of names that count into this series. */
  references = 0;
  /** Its own histograms. */
  readonly histograms: Tally[] = [];
  readonly served: FlowSeries | undefined;
  readonly #budget: SeriesBudget;
  readonly #other: (() => FlowSeries) | undefined;
  /** By outcome, its own or the other's. */
  readonly #tallies: (Tally | undefined)[] = OUTCOMES.map(() => undefined);

  constructor(identity: { key: string; labels: Labels }, links: FlowLinks) {
    this.key = identity.key;
    this.labels = identity.labels;
    this.served = links.served;
    this.request = links.request;
    this.endings = links.endings;
    this.#budget = links.budget;
    this.#other = links.other;
  }

  get isOther(): boolean {
    return this.#other === undefined;
  }

  /** A wait ended: `outcome` is a position in `OUTCOMES`. */
  waited(outcome: number, waitMs: number): void {
    (this.served ?? this).#tally(outcome).observe(waitMs / 1000);
  }

  /** Gives its room back; it is not to be used any more. */
  release(): void {
    this.#budget.givePlain(FLOW_LINES);
    this.#budget.giveHistogram(this.histograms.length * Tally.lines(queueBounds));
  }

  #tally(outcome: number): Tally {
    const known = this.#tallies[outcome];
    if (known !== undefined) return known;
    let tally: Tally;
    if (this.#other === undefined || this.#budget.takeHistogram(Tally.lines(queueBounds))) {
      tally = new Tally({ ...this.labels, outcome: OUTCOMES[outcome] ?? '' }, queueBounds);
      this.histograms.push(tally);
    } else {
      tally = this.#other().#tally(outcome);
    }
    this.#tallies[outcome] = tally;
    return tally;
  }
}
