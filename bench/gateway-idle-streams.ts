// SPDX-License-Identifier: Apache-2.0

/** Memory of event streams that are open and silent: 8 000 of them, through the gateway and through a bare relay. */

import type { Benchmark, BenchmarkContext } from './harness/benchmark.ts';
import { runAsMain } from './harness/run-benchmark.ts';
import { residentBytes } from './stand/process-figures.ts';
import { pause } from './stand/raw-load.ts';
import type { Side } from './stand/speed-stand.ts';
import { SpeedStand } from './stand/speed-stand.ts';

const STREAMS = 8000;
/** Over which they are opened, and within which all have to be. */
const OPENING_MS = 8000;
const OPEN_LIMIT_MS = 60_000;
/** For what their opening left behind to be collected. */
const SETTLE_MS = 5000;
/** Longer than any run: after their first token they are silent. */
const SILENCE_MS = 600_000;

const idleStreams: Benchmark = {
  name: 'gateway-idle-streams',
  summary: `${STREAMS} open streams of which nothing comes, beside a bare relay`,
  seconds: 60,
  scenarios: ['memory'],
  targets: [{ scenario: 'memory/to-relay', atMost: 1.3 }],
  run,
};

async function run(context: BenchmarkContext): Promise<void> {
  const count = Math.ceil(STREAMS * Math.min(1, context.seconds / idleStreams.seconds));
  const backend = { answer: 'stream', tokens: 2, intervalMs: SILENCE_MS } as const;
  const load = { isStream: true, promptBytes: 200, tail: '\r\n0\r\n\r\n' };
  const stand = await SpeedStand.start({ backend, load, stop: context.stop });
  try {
    const relayBytes = await memoryOf(context, stand.relay, count);
    const gatewayBytes = await memoryOf(context, stand.gateway, count);
    const report = (name: string, unit: string, value: number): void =>
      context.report({ scenario: `memory/${name}`, unit, value, spread: 0 });
    report('relay', 'MB', relayBytes / 1e6);
    report('gateway', 'MB', gatewayBytes / 1e6);
    report('to-relay', "× the relay's", gatewayBytes / relayBytes);
  } finally {
    await stand.stop();
  }
}

/** Resident memory of the process in between while all streams are open. */
async function memoryOf(context: BenchmarkContext, { load, pid, name }: Side, count: number): Promise<number> {
  await load.startLoops(count, (OPENING_MS * count) / STREAMS);
  const untilMs = performance.now() + OPEN_LIMIT_MS;
  while (load.begun < count && performance.now() < untilMs && !context.stop.aborted) await pause(100);
  if (load.begun < count && !context.stop.aborted) throw new Error(`${name}: only ${load.begun} streams have begun`);
  await pause(SETTLE_MS);
  const bytes = residentBytes(pid);
  load.destroy();
  return bytes;
}

await runAsMain(idleStreams);
