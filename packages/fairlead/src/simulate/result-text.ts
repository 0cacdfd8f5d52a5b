// SPDX-License-Identifier: Apache-2.0

/** A simulation's result for people: a line of the fleet, a row for each tenant. */

import { columns, countText, durationText, shareText } from '../demo/quantity-text.ts';
import type { SimulationResult, TenantOutcome } from './result.ts';

const header = [
  ...['tenant', 'share', 'entitled', 'lag', 'bound', 'requests', 'answered', 'goodput', 'tokens/s'],
  ...['wait p50', 'p99', 'TTFT p50', 'p99', 'drops'],
];

/** The lines of the report. */
export function resultText({ seed, seconds, fleet, tenants }: SimulationResult): string[] {
  const { tokensPerS, busyShare, idleWhileWaitingS, overCapacityS } = fleet;
  return [
    '',
    `${countText(seconds)} s simulated, seed ${seed}`,
    `fleet: ${countText(tokensPerS)} tokens/s, ${shareText(busyShare)} busy; ${seconds3(idleWhileWaitingS)} with a free slot while somebody waited, ${seconds3(overCapacityS)} with more at a server than it runs`,
    '',
    ...columns([header, ...tenants.map(row)], 1),
    '',
  ];
}

function row(tenant: TenantOutcome): string[] {
  const { name, share, entitlement, maxLagTokens, boundTokens, requests, answered, goodput, waitMs, ttftMs } = tenant;
  const drops = Object.entries(tenant.drops).map(([reason, count]) => `${count} ${reason}`);
  if (tenant.gaveUp > 0) drops.push(`${tenant.gaveUp} gave up`);
  if (tenant.broken > 0) drops.push(`${tenant.broken} broken`);
  return [
    name,
    ...[share, entitlement].map((part) => `${(part * 100).toFixed(1)} %`),
    countText(maxLagTokens),
    boundTokens === null ? '–' : countText(boundTokens),
    ...[requests, answered].map(countText),
    shareText(goodput),
    countText(tenant.tokensPerS),
    ...[waitMs.p50, waitMs.p99, ttftMs.p50, ttftMs.p99].map(durationText),
    drops.join(', ') || '–',
  ];
}

function seconds3(seconds: number): string {
  return `${seconds.toFixed(seconds < 10 ? 3 : 1)} s`;
}
