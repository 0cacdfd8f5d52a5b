// SPDX-License-Identifier: Apache-2.0

/**
 * Ten times more requests than the fleet can serve, of 100 KB each, for a minute: the gateway's memory stays within the
 * byte budget and what a process needs anyway, every refusal says why and when to come back, and nothing is lost.
 */

import type { Benchmark, BenchmarkContext } from './harness/benchmark.ts';
import { runOverload } from './harness/overload-run.ts';
import { runAsMain } from './harness/run-benchmark.ts';

const TIMES = 10;
/** The default. */
const BUDGET_BYTES = 512 * 1024 * 1024;
const TTL_S = 30;

const overload: Benchmark = {
  name: 'overload',
  summary: `${TIMES} times more requests of 100 KB than can be served, ${BUDGET_BYTES / 1024 / 1024} MiB for bodies`,
  seconds: 60,
  scenarios: ['ten-times'],
  targets: [
    { scenario: 'ten-times/memory', atMost: 1.3 },
    { scenario: 'ten-times/unexplained', atMost: 0 },
  ],
  run,
};

async function run({ seconds, stop, report, say }: BenchmarkContext): Promise<void> {
  const figures = await runOverload({ seconds, times: TIMES, budgetBytes: BUDGET_BYTES, ttlS: TTL_S, stop });
  const { idleBytes, peakBytes, sent, served, explained, unexplained } = figures;
  const listed = (counts: ReadonlyMap<string, number>): string =>
    [...counts].map(([what, count]) => `${count} × ${what}`).join(', ') || 'nothing';
  const mb = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;
  say(`${sent} sent, ${served} served; refused: ${listed(explained)}; else: ${listed(unexplained)}`);
  say(`memory: ${mb(idleBytes)} idle, ${mb(peakBytes)} at most`);
  const sum = [...unexplained.values()].reduce((total, count) => total + count, 0);
  const share = (peakBytes - idleBytes) / BUDGET_BYTES;
  report({ scenario: 'ten-times/memory', unit: 'of the byte budget, above idle', value: share, spread: 0 });
  report({ scenario: 'ten-times/served', unit: 'requests', value: served, spread: 0 });
  report({ scenario: 'ten-times/unexplained', unit: 'requests', value: sum, spread: 0 });
}

await runAsMain(overload);
