// SPDX-License-Identifier: Apache-2.0

/**
 * What is counted for one (model, target model, tenant, priority): plain fields, read when the page is made. Histograms
 * appear with their first observation; one for which there is no room of its own counts into the series called `other`.
 */

import { requestHistograms } from './catalogue.ts';
import type { MetricFamily } from './catalogue.ts';
import type { SeriesBudget } from './series-budget.ts';
import { Tally } from './tally.ts';
import type { Labels } from './tally.ts';

/** One kind of histogram that a request can be observed in. */
interface Measure {
  readonly family: MetricFamily;
  readonly extra?: Labels;
}

const { firstTokenStreamed } = requestHistograms;
const streaming: Labels = Object.freeze({ streaming: 'true' });
const notStreaming: Labels = Object.freeze({ streaming: 'false' });

/** Kinds by position; `measure` names the positions. */
const measures: readonly Measure[] = [
  { family: requestHistograms.size },
  { family: requestHistograms.duration },
  { family: requestHistograms.inputTokens },
  { family: requestHistograms.outputTokens },
  { family: requestHistograms.cachedTokens },
  { family: requestHistograms.perOutputToken },
  { family: requestHistograms.responseSize },
  { family: requestHistograms.streamedToken },
  { family: firstTokenStreamed, extra: streaming },
  { family: firstTokenStreamed, extra: notStreaming },
];

/** What can be observed of a request. */
export const measure = {
  sizeBytes: 0,
  durationS: 1,
  inputTokens: 2,
  outputTokens: 3,
  cachedTokens: 4,
  perOutputTokenS: 5,
  responseSizeBytes: 6,
  streamedTokenS: 7,
  firstTokenStreamedS: 8,
  firstTokenWholeS: 9,
} as const;

export type MeasureKind = (typeof measure)[keyof typeof measure];

/** Lines of a request series without its errors and histograms: total and running. */
export const REQUEST_LINES = 2;

export class RequestSeries {
  readonly labels: Labels;
  total = 0;
  running = 0;
  /** Flow series that count into this one. */
  references = 0;
  readonly errors = new Map<string, number>();
  /** Its own histograms. */
  readonly histograms: { readonly family: MetricFamily; readonly tally: Tally }[] = [];
  readonly #budget: SeriesBudget;
  /** Where histograms without room go; undefined for a series called `other` itself. */
  readonly #other: (() => RequestSeries) | undefined;
  /** By kind, its own or the other's. */
  readonly #tallies: (Tally | undefined)[] = measures.map(() => undefined);

  constructor(labels: Labels, budget: SeriesBudget, other: (() => RequestSeries) | undefined) {
    this.labels = labels;
    this.#budget = budget;
    this.#other = other;
  }

  observe(kind: MeasureKind, value: number): void {
    this.#tally(kind).observe(value);
  }

  failed(code: string): void {
    const before = this.errors.get(code);
    if (before === undefined && this.#other !== undefined && !this.#budget.takePlain(1)) {
      this.#other().failed(code);
      return;
    }
    this.errors.set(code, (before ?? 0) + 1);
  }

  /** Gives its room back; it is not to be used any more. */
  release(): void {
    this.#budget.givePlain(REQUEST_LINES + this.errors.size);
    for (const { family } of this.histograms) this.#budget.giveHistogram(Tally.lines(family.buckets ?? []));
  }

  #tally(kind: MeasureKind): Tally {
    const known = this.#tallies[kind];
    if (known !== undefined) return known;
    const { family, extra } = measures[kind] as Measure;
    const bounds = family.buckets ?? [];
    let tally: Tally;
    if (this.#other === undefined || this.#budget.takeHistogram(Tally.lines(bounds))) {
      tally = new Tally(extra === undefined ? this.labels : { ...this.labels, ...extra }, bounds);
      this.histograms.push({ family, tally });
    } else {
      tally = this.#other().#tally(kind);
    }
    this.#tallies[kind] = tally;
    return tally;
  }
}
