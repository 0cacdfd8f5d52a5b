// SPDX-License-Identifier: Apache-2.0

/**
 * The end of the demo: every figure in one table, and what they say in plain sentences. Each sentence is made from
 * measured figures, and left out when they are not there.
 */

import { columns, countText, durationText, shareText } from './quantity-text.ts';
import type { DemoResult, PhaseResult, TenantResult } from './result.ts';
import { sum } from './sum.ts';

const header = ['phase', 'tenant', 'requests', 'ok', 'failed', 'tokens/s', 'TTFT p50', 'p90', 'p99'];

/** The lines of the table and, below it, the sentences. */
export function finalTable(result: DemoResult): string[] {
  const rows = result.phases.flatMap(phaseRows);
  return ['', ...columns([header, ...rows], 2), '', ...sentences(result).map((sentence) => `- ${sentence}`), ''];
}

function phaseRows(phase: PhaseResult): string[][] {
  const tenants = phase.tenants.map((tenant, index) => [index === 0 ? phase.name : '', ...tenantCells(tenant)]);
  const { tokensPerS, slots, busyShare } = phase.fleet;
  const fleet = `${slots} slots${busyShare === null ? '' : `, ${shareText(busyShare)} busy`}`;
  return [...tenants, ['', fleet, '', '', '', countText(tokensPerS), '', '', '']];
}

function tenantCells(tenant: TenantResult): string[] {
  const { p50, p90, p99 } = tenant.ttftMs;
  const counts = [tenant.requests, tenant.ok, tenant.failed].map(countText);
  const times = [durationText(p50), durationText(p90), `${tenant.unanswered > 0 ? '≥ ' : ''}${durationText(p99)}`];
  return [tenant.name, ...counts, countText(tenant.tokensPerS), ...times];
}

/** What changed. */
export function sentences(result: DemoResult): string[] {
  return [
    interactiveSentence(result),
    throughputSentence(result),
    killSentence(result),
    failureSentence(result),
    cancelledSentence(result),
  ].filter((sentence) => sentence !== undefined);
}

function interactiveSentence({ phases }: DemoResult): string | undefined {
  const parts = phases.flatMap((phase) => {
    const tenant = phase.tenants.find(({ name }) => name === 'interactive');
    if (tenant === undefined || tenant.ttftMs.p99 === null) return [];
    return [`${phase.name} ${tenant.unanswered > 0 ? 'at least ' : ''}${durationText(tenant.ttftMs.p99)}`];
  });
  return parts.length === 0 ? undefined : `interactive p99 time to first token: ${parts.join(', ')}`;
}

function throughputSentence({ phases }: DemoResult): string | undefined {
  const before = phases.find(({ name }) => name === 'unprotected')?.fleet.tokensPerS ?? 0;
  const after = phases.find(({ name }) => name === 'protected')?.fleet.tokensPerS;
  if (before === 0 || after === undefined) return undefined;
  const figures = `${countText(after)} against ${countText(before)}`;
  return `protected, the fleet made ${shareText(after / before)} of the tokens/s it made unprotected (${figures})`;
}

function killSentence({ phases }: DemoResult): string | undefined {
  const phase = phases.find(({ name }) => name === 'one server killed');
  if (phase === undefined) return undefined;
  const failed = sum(phase.tenants, (tenant) => tenant.failed);
  const broken = sum(phase.tenants, (tenant) => tenant.brokenStreams);
  const whole = `of ${countText(sum(phase.tenants, (tenant) => tenant.requests))} requests`;
  if (failed === 0) return `one of the servers was killed: ${whole} none failed`;
  const others = failed - broken;
  const rest = others === 0 ? 'nothing else failed' : `${countText(others)} others failed`;
  return `one of the servers was killed: ${whole} ${countText(broken)} broke off whose answer had begun, ${rest}`;
}

function failureSentence({ phases }: DemoResult): string | undefined {
  const parts = phases.flatMap((phase) =>
    phase.tenants.flatMap((tenant) =>
      Object.entries(tenant.failures).map(([reason, count]) => `${count} × ${reason} (${tenant.name}, ${phase.name})`),
    ),
  );
  return parts.length === 0 ? 'no request failed' : `failed: ${parts.join('; ')}`;
}

function cancelledSentence({ phases }: DemoResult): string | undefined {
  const cancelled = sum(phases, (phase) => sum(phase.tenants, (tenant) => tenant.cancelled));
  const unanswered = sum(phases, (phase) => sum(phase.tenants, (tenant) => tenant.unanswered));
  if (cancelled === 0) return undefined;
  const late =
    unanswered === 0
      ? ''
      : `; ${countText(unanswered)} of them had no token yet and count with the time they had waited (≥)`;
  return `${countText(cancelled)} requests were still under way when their phase ended, and were cancelled by the demo${late}`;
}
