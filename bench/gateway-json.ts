// SPDX-License-Identifier: Apache-2.0

/**
 * Small requests with small JSON answers through the gateway, beside a bare byte relay: how many a core does, and how
 * much later the answer comes.
 */

import type { Benchmark, BenchmarkContext } from './harness/benchmark.ts';
import { measurement } from './harness/benchmark.ts';
import { runAsMain } from './harness/run-benchmark.ts';
import { JSON_ANSWER } from './stand/messages.ts';
import { percentile, reportShare } from './stand/share.ts';
import { SpeedStand, rounds, windowSeconds } from './stand/speed-stand.ts';
import type { SideFigures } from './stand/speed-stand.ts';

const LOOPS = 64;
const PACED_PER_S = 500;
const WARM_UP_S = 0.3;

const gatewayJson: Benchmark = {
  name: 'gateway-json',
  summary: `small JSON, ${LOOPS} closed loops and ${PACED_PER_S} requests/s, beside a bare relay`,
  seconds: 60,
  scenarios: ['saturated', 'paced'],
  targets: [
    { scenario: 'saturated/share', atLeast: 0.4 },
    { scenario: 'paced/added-p50', atMost: 0.4 },
  ],
  run,
};

async function run(context: BenchmarkContext): Promise<void> {
  const load = { isStream: false, promptBytes: 200, tail: JSON_ANSWER.slice(-40) };
  const stand = await SpeedStand.start({ backend: { answer: 'json' }, load, stop: context.stop });
  try {
    const sides = [context.wants('saturated') ? 2 : 0, context.wants('paced') ? 3 : 0];
    const windowS = windowSeconds(context, sides[0]! + sides[1]!, WARM_UP_S);
    if (context.wants('saturated')) await saturated(context, stand, windowS);
    if (context.wants('paced')) await paced(context, stand, windowS);
  } finally {
    await stand.stop();
  }
}

async function saturated(context: BenchmarkContext, stand: SpeedStand, windowS: number): Promise<void> {
  const { relay, gateway } = stand;
  const start = { start: (load: typeof relay.load) => load.startLoops(LOOPS, 0), warmUpS: WARM_UP_S, windowS };
  const all = await rounds({ relay, gateway }, start, context);
  reportShare(context, all, { scenario: 'saturated', unit: 'requests', count: ({ answers }) => answers.length });
}

async function paced(context: BenchmarkContext, stand: SpeedStand, windowS: number): Promise<void> {
  const { direct, relay, gateway } = stand;
  const start = { start: (load: typeof relay.load) => load.startRate(PACED_PER_S), warmUpS: WARM_UP_S, windowS };
  const all = await rounds({ direct, relay, gateway }, start, context);
  const p50 = ({ answers }: SideFigures): number =>
    percentile(
      answers.map(({ wholeMs }) => wholeMs),
      0.5,
    );
  for (const name of ['direct', 'relay', 'gateway'] as const) {
    context.report(
      measurement(
        `paced/${name}-p50`,
        'ms',
        all.map((round) => p50(round[name])),
      ),
    );
  }
  const added = all.map((round) => p50(round.gateway) - p50(round.direct));
  context.report(measurement('paced/added-p50', 'ms', added));
}

await runAsMain(gatewayJson);
