// SPDX-License-Identifier: Apache-2.0

/** From the windows of two sides to figures: rates per core-second, and what one is of the other, round by round. */

import type { BenchmarkContext } from '../harness/benchmark.ts';
import { measurement } from '../harness/benchmark.ts';
import type { SideFigures } from './speed-stand.ts';

/** The value at a share of the sorted values, by nearest rank; NaN when there is none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}

export interface ShareOptions {
  readonly scenario: string;
  readonly unit: string;
  /** What was done in a window. */
  readonly count: (figures: SideFigures) => number;
}

/** Reports what relay and gateway do in a second of one core, and the gateway's share of the relay's. */
export function reportShare(
  context: BenchmarkContext,
  all: readonly { relay: SideFigures; gateway: SideFigures }[],
  { scenario, unit, count }: ShareOptions,
): void {
  const perCoreS = (figures: SideFigures): number => count(figures) / figures.cpuS;
  const per = `${unit}/core-s`;
  context.report(
    measurement(
      `${scenario}/relay`,
      per,
      all.map(({ relay }) => perCoreS(relay)),
    ),
  );
  context.report(
    measurement(
      `${scenario}/gateway`,
      per,
      all.map(({ gateway }) => perCoreS(gateway)),
    ),
  );
  const shares = all.map(({ relay, gateway }) => perCoreS(gateway) / perCoreS(relay));
  context.report(measurement(`${scenario}/share`, "of the relay's", shares));
}
