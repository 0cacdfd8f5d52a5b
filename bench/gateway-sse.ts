// SPDX-License-Identifier: Apache-2.0

/**
 * Event streams through the gateway, beside a bare byte relay: streams of 100 tokens, one every 10 ms, so many a second,
 * and as many as a core can move.
 */

import type { Benchmark, BenchmarkContext } from './harness/benchmark.ts';
import { measurement } from './harness/benchmark.ts';
import { runAsMain } from './harness/run-benchmark.ts';
import { percentile, reportShare } from './stand/share.ts';
import { SpeedStand, rounds, windowSeconds } from './stand/speed-stand.ts';
import type { Side, SideFigures } from './stand/speed-stand.ts';

const TOKENS = 100;
const INTERVAL_MS = 10;
const RATES = [50, 100];
/** Streams at once, with as many tokens a second as a relay and its neighbours cannot quite move. */
const SATURATING_LOOPS = 500;
/** A stream takes a second: by then as many begin as end. */
const WARM_UP_S = 1.2;

const gatewaySse: Benchmark = {
  name: 'gateway-sse',
  summary: `event streams of ${TOKENS} tokens, one every ${INTERVAL_MS} ms, beside a bare relay`,
  seconds: 180,
  scenarios: ['saturated', ...RATES.map((rate) => `${rate}-streams`)],
  targets: [
    ...RATES.map((rate) => ({ scenario: `${rate}-streams/cost`, atMost: 1.5 })),
    { scenario: '50-streams/added-ttft-p99', atMost: 5 },
    { scenario: 'saturated/share', atLeast: 0.6 },
  ],
  run,
};

async function run(context: BenchmarkContext): Promise<void> {
  const backend = { answer: 'stream', tokens: TOKENS, intervalMs: INTERVAL_MS } as const;
  const load = { isStream: true, promptBytes: 200, tail: '\r\n0\r\n\r\n' };
  const stand = await SpeedStand.start({ backend, load, stop: context.stop });
  const windows = context.wants('saturated') ? 2 : 0;
  const paced = RATES.filter((rate) => context.wants(`${rate}-streams`));
  // Each window is followed by the second that the last streams take.
  const windowS = windowSeconds(context, windows + 3 * paced.length, WARM_UP_S + 1);
  try {
    // First, so that the others find all processes as they are after a busy while, their code compiled.
    if (context.wants('saturated')) await saturated(context, stand, windowS);
    for (const rate of paced) await pacedStreams(context, { stand, rate, windowS });
  } finally {
    await stand.stop();
  }
}

async function pacedStreams(
  context: BenchmarkContext,
  { stand, rate, windowS }: { stand: SpeedStand; rate: number; windowS: number },
): Promise<void> {
  const { direct, relay, gateway } = stand;
  const start = { start: (load: Side['load']) => load.startRate(rate), warmUpS: WARM_UP_S, windowS };
  const all = await rounds({ direct, relay, gateway }, start, context);
  const report = (name: string, unit: string, of: (round: (typeof all)[number]) => number): void =>
    context.report(measurement(`${rate}-streams/${name}`, unit, all.map(of)));
  report('relay-cores', 'cores', (round) => cores(round.relay));
  report('gateway-cores', 'cores', (round) => cores(round.gateway));
  report('cost', "× the relay's", (round) => cores(round.gateway) / cores(round.relay));
  for (const share of [0.5, 0.99]) {
    const name = `ttft-p${share * 100}`;
    for (const side of ['direct', 'relay', 'gateway'] as const) {
      report(`${side}-${name}`, 'ms', (round) => ttft(round[side], share));
    }
    report(`added-${name}`, 'ms', (round) => ttft(round.gateway, share) - ttft(round.direct, share));
  }
}

async function saturated(context: BenchmarkContext, stand: SpeedStand, windowS: number): Promise<void> {
  const { relay, gateway } = stand;
  const start = {
    start: (load: Side['load']) => load.startLoops(SATURATING_LOOPS, TOKENS * INTERVAL_MS),
    warmUpS: WARM_UP_S,
    windowS,
  };
  const all = await rounds({ relay, gateway }, start, context);
  reportShare(context, all, { scenario: 'saturated', unit: 'chunks', count: chunksIn });
}

/** Tokens that came in the window: its bytes, by the size that whole streams had in it. */
function chunksIn({ answers, bytes }: SideFigures): number {
  const ofWhole = answers.reduce((sum, answer) => sum + answer.bytes, 0);
  return (bytes / ofWhole) * answers.length * TOKENS;
}

function cores({ cpuS, seconds }: SideFigures): number {
  return cpuS / seconds;
}

function ttft({ answers }: SideFigures, share: number): number {
  return percentile(
    answers.map(({ firstTokenMs }) => firstTokenMs),
    share,
  );
}

await runAsMain(gatewaySse);
