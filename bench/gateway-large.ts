// SPDX-License-Identifier: Apache-2.0

/**
 * Prompts of 220 KB through the gateway, beside a bare byte relay; and the memory that waiting requests take, ten
 * thousand of 100 KB each before a model server that answers nothing.
 */

import type { Benchmark, BenchmarkContext } from './harness/benchmark.ts';
import { runAsMain } from './harness/run-benchmark.ts';
import { JSON_ANSWER } from './stand/messages.ts';
import { residentBytes } from './stand/process-figures.ts';
import { pause } from './stand/raw-load.ts';
import { reportShare } from './stand/share.ts';
import { SpeedStand, rounds, windowSeconds } from './stand/speed-stand.ts';

const LOOPS = 16;
const PROMPT_BYTES = 220 * 1024;
const WARM_UP_S = 0.3;

/** In a run of at least a minute; in a shorter one accordingly fewer. */
const WAITING = 10_000;
const WAITING_PROMPT_BYTES = 100_000;
/** Of their coming, over which they are spread: the client has to write a gigabyte. */
const ARRIVAL_MS = 10_000;
const ARRIVAL_LIMIT_MS = 60_000;

/** Room for all of them, and a limit that one request fills. */
const ROOM_TO_WAIT = `
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
  - type: concurrency-detector
    parameters: { maxConcurrency: 1 }
flowControl:
  saturationDetector: { pluginRef: concurrency-detector }
  defaultRequestTTL: 10m
  maxBytes: "4Gi"
  priorityBands:
    - { priority: 0, maxBytes: "4Gi", maxRequests: ${2 * WAITING} }
gateway: { maxBufferedBytes: "4Gi", maxConnectionsPerClient: ${2 * WAITING}, maxRequestsPerClient: ${2 * WAITING} }
`;

const gatewayLarge: Benchmark = {
  name: 'gateway-large',
  summary: `prompts of 220 KB, ${LOOPS} closed loops, beside a bare relay; ${WAITING} requests of 100 KB waiting`,
  seconds: 60,
  scenarios: ['saturated', 'waiting'],
  targets: [
    { scenario: 'saturated/share', atLeast: 0.5 },
    { scenario: 'waiting/memory', atMost: 1.4 },
  ],
  async run(context) {
    if (context.wants('saturated')) await saturated(context);
    if (context.wants('waiting') && !context.stop.aborted) await waiting(context);
  },
};

async function saturated(context: BenchmarkContext): Promise<void> {
  const load = { isStream: false, promptBytes: PROMPT_BYTES, tail: JSON_ANSWER.slice(-40) };
  const stand = await SpeedStand.start({ backend: { answer: 'json' }, load, stop: context.stop });
  try {
    const { relay, gateway } = stand;
    const windowS = windowSeconds(context, 2, WARM_UP_S);
    const start = { start: (each: typeof relay.load) => each.startLoops(LOOPS, 0), warmUpS: WARM_UP_S, windowS };
    const all = await rounds({ relay, gateway }, start, context);
    reportShare(context, all, { scenario: 'saturated', unit: 'requests', count: ({ answers }) => answers.length });
  } finally {
    await stand.stop();
  }
}

/** The gateway's whole resident memory, as a multiple of the bytes that clients handed to it. */
async function waiting(context: BenchmarkContext): Promise<void> {
  const load = { isStream: false, promptBytes: WAITING_PROMPT_BYTES, tail: JSON_ANSWER.slice(-40) };
  const stand = await SpeedStand.start({ backend: { answer: 'none' }, load, config: ROOM_TO_WAIT, stop: context.stop });
  try {
    const count = Math.ceil(WAITING * Math.min(1, context.seconds / gatewayLarge.seconds));
    await stand.gateway.load.startLoops(count, (ARRIVAL_MS * count) / WAITING);
    const untilMs = performance.now() + ARRIVAL_LIMIT_MS;
    let held = 0;
    while (held < count - 1 && performance.now() < untilMs && !context.stop.aborted) {
      await pause(250);
      const { pools } = await stand.gatewayProcess.state();
      held = pools.reduce((sum, pool) => sum + pool.waiting, 0);
    }
    const bytes = residentBytes(stand.gateway.pid);
    context.report({ scenario: 'waiting/requests', unit: 'requests', value: held, spread: 0 });
    const value = bytes / (held * WAITING_PROMPT_BYTES);
    context.report({ scenario: 'waiting/memory', unit: '× the bytes held', value, spread: 0 });
  } finally {
    await stand.stop();
  }
}

await runAsMain(gatewayLarge);
