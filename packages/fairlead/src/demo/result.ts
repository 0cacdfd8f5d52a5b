// SPDX-License-Identifier: Apache-2.0

/**
 * What the demo measured, in the shape that `--json` prints. The table and the sentences below it are made from this
 * value alone.
 */

import { percentiles } from './load/percentile.ts';
import type { Percentiles } from './load/percentile.ts';
import type { Tally, TenantTally } from './load/tally.ts';

export interface TenantResult {
  readonly name: string;
  /** Ended in this phase: ok + failed + cancelled. */
  readonly requests: number;
  readonly ok: number;
  readonly failed: number;
  /** Ended by the demo because the phase was over. */
  readonly cancelled: number;
  readonly tokensPerS: number;
  /** Nearest rank; null when nothing was measured. */
  readonly ttftMs: Percentiles;
  /** Requests without any token when the phase ended; they are in `ttftMs` with the time they had waited by then. */
  readonly unanswered: number;
  /** Failed after a server had begun to answer. */
  readonly brokenStreams: number;
  /** Failed requests by what happened. */
  readonly failures: Readonly<Record<string, number>>;
}

export interface PhaseResult {
  readonly name: string;
  /** Over which the rates are taken. */
  readonly seconds: number;
  readonly fleet: {
    readonly tokensPerS: number;
    /** Of the servers that live. */
    readonly slots: number;
    /** Mean of the running sequences that the servers report of themselves ÷ slots; null when none reports any. */
    readonly busyShare: number | null;
  };
  readonly tenants: readonly TenantResult[];
}

export interface DemoResult {
  readonly schema: 1;
  readonly phases: readonly PhaseResult[];
}

/** The figures of a phase that is over. `tenants` gives the order, and those of which nothing was heard. */
export function phaseResult(parts: {
  readonly name: string;
  readonly tally: Tally;
  readonly tenants: readonly string[];
  readonly slots: number;
  readonly meanRunning: number | undefined;
}): PhaseResult {
  const { name, tally, slots, meanRunning } = parts;
  return {
    name,
    seconds: rounded(tally.seconds, 2),
    fleet: {
      tokensPerS: rounded(tally.tokensPerS, 1),
      slots,
      busyShare: meanRunning === undefined || slots === 0 ? null : rounded(meanRunning / slots, 4),
    },
    tenants: parts.tenants.map((tenant) => tenantResult(tenant, tally.of(tenant), tally.tokensPerSOf(tenant))),
  };
}

function tenantResult(name: string, tally: TenantTally, tokensPerS: number): TenantResult {
  const { p50, p90, p99 } = percentiles(tally.ttftMs);
  return {
    name,
    requests: tally.requests,
    ok: tally.ok,
    failed: tally.failed,
    cancelled: tally.cancelled,
    tokensPerS: rounded(tokensPerS, 1),
    ttftMs: { p50: rounded(p50, 1), p90: rounded(p90, 1), p99: rounded(p99, 1) },
    unanswered: tally.unanswered,
    brokenStreams: tally.brokenStreams,
    failures: Object.fromEntries(tally.reasons),
  };
}

function rounded<T extends number | null>(value: T, digits: number): T {
  return (value === null ? null : Number(value.toFixed(digits))) as T;
}
