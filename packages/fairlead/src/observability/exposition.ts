// SPDX-License-Identifier: Apache-2.0

/**
 * Families and plain counters in, exposition text out. The writing is the Prometheus project's own client; it is handed
 * values the way its histograms hand them over, with a series' common labels apart, because it writes those only once per
 * series and scrape, which makes a long page four times as cheap as with its counters.
 *
 * A page is made family by family with turns of the event loop in between, so that requests never wait for all of it.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { Registry } from '@prometheus-io/client';
import type { Metric } from '@prometheus-io/client';
import type { MetricFamily } from './catalogue.ts';
import type { Labels, Tally } from './tally.ts';

/** One line as the client's registry reads it. */
interface Line {
  readonly labels: Readonly<Record<string, string | number>>;
  /** Written once and remembered by identity: pass the same object every time. */
  readonly sharedLabels: Labels;
  readonly value: number;
  readonly metricName?: string;
}

const noLabels = Object.freeze({});
/** Lines written before others get a turn. */
const LINES_PER_TURN = 500;

/** The lines of one family. */
export class FamilyLines {
  readonly family: MetricFamily;
  readonly lines: Line[] = [];
  readonly #buckets: readonly Readonly<Record<string, string | number>>[];

  constructor(family: MetricFamily) {
    this.family = family;
    this.#buckets = [...(family.buckets ?? []), '+Inf'].map((le) => ({ le }));
  }

  add(sharedLabels: Labels, value: number, labels: Labels = noLabels): void {
    this.lines.push({ labels, sharedLabels, value });
  }

  addHistogram({ labels: sharedLabels, counts, sum, count }: Tally): void {
    const { name } = this.family;
    const metricName = `${name}_bucket`;
    let below = 0;
    for (const [index, labels] of this.#buckets.entries()) {
      below += counts[index] ?? 0;
      this.lines.push({ labels, sharedLabels, value: below, metricName });
    }
    this.lines.push({ labels: noLabels, sharedLabels, value: sum, metricName: `${name}_sum` });
    this.lines.push({ labels: noLabels, sharedLabels, value: count, metricName: `${name}_count` });
  }
}

export const contentType = Registry.PROMETHEUS_CONTENT_TYPE;

/** The page; a family is asked for when its turn comes, and left out without a series. */
export async function exposition(families: Iterable<FamilyLines>): Promise<string> {
  const registry = new Registry(contentType);
  const parts: string[] = [];
  let sinceTurn = 0;
  for (const { family, lines } of families) {
    for (let from = 0; from < lines.length; from += LINES_PER_TURN) {
      const some = lines.slice(from, from + LINES_PER_TURN);
      if (sinceTurn > 0 && sinceTurn + some.length > LINES_PER_TURN) {
        await nextTurn();
        sinceTurn = 0;
      }
      sinceTurn += some.length;
      const text = await registry.getMetricsAsString(asMetric(family, some));
      parts.push(from === 0 ? text : withoutHead(text));
    }
  }
  return `${parts.join('\n')}\n`;
}

/** The registry asks a metric for nothing but its name, help, type and values. */
function asMetric({ name, help, type }: MetricFamily, values: readonly Line[]): Metric {
  const metric = { name, help, type, get: () => Promise.resolve({ name, help, type, values, aggregator: 'sum' }) };
  return metric as unknown as Metric;
}

/** HELP and TYPE are said once per family. */
function withoutHead(text: string): string {
  return text.slice(text.indexOf('\n', text.indexOf('\n') + 1) + 1);
}
