// SPDX-License-Identifier: Apache-2.0

/** One scenario under two configurations: what the second makes different, and whether that is more than is allowed. */

import { columns, durationText, shareText } from '../demo/quantity-text.ts';
import type { SimulationResult, TenantOutcome } from './result.ts';

/** How much worse the second may be; undefined where it does not matter. */
export interface ChangeLimits {
  /** Of a tenant's share, in points of a hundred. */
  readonly maxShareLoss: number | undefined;
  /** Of a tenant's 99th percentile of waiting, as a factor; beyond the first 10 ms. */
  readonly maxWaitGrowth: number | undefined;
  /** Of the fleet's tokens a second, in percent. */
  readonly maxThroughputLoss: number | undefined;
}

/** Waits below this are as good as none: no factor of them matters. */
const NO_WAIT_MS = 10;

/** One sentence for each limit that is exceeded. */
export function exceeded(before: SimulationResult, after: SimulationResult, limits: ChangeLimits): string[] {
  const { maxShareLoss = Infinity, maxWaitGrowth = Infinity, maxThroughputLoss = Infinity } = limits;
  const broken = pairs(before, after).flatMap(([was, is]) => {
    const lossPoints = (was.share - is.share) * 100;
    const growth = Math.max(NO_WAIT_MS, is.waitMs.p99 ?? 0) / Math.max(NO_WAIT_MS, was.waitMs.p99 ?? 0);
    return [
      lossPoints > maxShareLoss && `${was.name} loses ${lossPoints.toFixed(1)} points of its share`,
      growth > maxWaitGrowth && `${was.name} waits ${growth.toFixed(2)} times as long (p99)`,
    ];
  });
  const loss = 100 * (1 - after.fleet.tokensPerS / before.fleet.tokensPerS);
  if (loss > maxThroughputLoss) broken.push(`the fleet makes ${loss.toFixed(1)} % fewer tokens a second`);
  return broken.filter((sentence) => sentence !== false);
}

const header = ['tenant', 'share', 'lag', 'goodput', 'wait p50', 'wait p99', 'TTFT p99'];

/** The lines of the comparison. */
export function comparisonText(before: SimulationResult, after: SimulationResult): string[] {
  const rows = pairs(before, after).map(([was, is]) => [
    was.name,
    change(was, is, ({ share }) => `${(share * 100).toFixed(1)} %`),
    change(was, is, ({ maxLagTokens }) => String(Math.round(maxLagTokens))),
    change(was, is, ({ goodput }) => shareText(goodput)),
    change(was, is, ({ waitMs }) => durationText(waitMs.p50)),
    change(was, is, ({ waitMs }) => durationText(waitMs.p99)),
    change(was, is, ({ ttftMs }) => durationText(ttftMs.p99)),
  ]);
  const [was, is] = [before.fleet.tokensPerS, after.fleet.tokensPerS].map(Math.round);
  return [`fleet: ${was} → ${is} tokens/s`, '', ...columns([header, ...rows], 1), ''];
}

function change(was: TenantOutcome, is: TenantOutcome, text: (outcome: TenantOutcome) => string): string {
  return `${text(was)} → ${text(is)}`;
}

/** Both are of the same scenario, so of the same tenants in the same order. */
function pairs(before: SimulationResult, after: SimulationResult): [TenantOutcome, TenantOutcome][] {
  return before.tenants.map((was, index) => [was, after.tenants[index]!]);
}
