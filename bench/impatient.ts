// SPDX-License-Identifier: Apache-2.0

/**
 * Far more clients than slots, each of whom gives up after a while: how much of the fleet's work is still wanted when it
 * is done. Servers and gateway are processes of their own; this one is the clients. `direct` is the fleet's ceiling, a
 * loop for each slot; `told` are clients that say how long they will wait, as the OpenAI and Anthropic libraries do;
 * `untold` only leave.
 */

import { readFleetLoad } from '../packages/fairlead/src/demo/fleet/engine-load.ts';
import type { GatewayProcess } from '../packages/fairlead/src/demo/fleet/gateway-process.ts';
import { DEMO_MODEL, SERVER_SLOTS, startModelServers } from '../packages/fairlead/src/demo/fleet/model-servers.ts';
import { rest } from '../packages/fairlead/src/demo/rest.ts';
import type { Benchmark, BenchmarkContext } from './harness/benchmark.ts';
import { fleetIdle } from './harness/flood-run.ts';
import { ImpatientLoad } from './harness/impatient-clients.ts';
import { runAsMain } from './harness/run-benchmark.ts';
import { startShippedGateway } from './stand/shipped-gateway.ts';

const SERVERS = 3;
const LOOPS = 600;
const PATIENCE_MS = 5_000;
const PROMPT_BYTES = 20_000;
const TOKENS = 20;

const impatient: Benchmark = {
  name: 'impatient',
  summary: `${SERVERS} servers × ${SERVER_SLOTS} slots, ${LOOPS} loops × ${PROMPT_BYTES / 1000} KB × ${TOKENS} tokens that give up after ${PATIENCE_MS / 1000} s`,
  seconds: 30,
  scenarios: ['direct', 'told', 'untold'],
  targets: [{ scenario: 'told/goodput', atLeast: 0.85 }],
  run,
};

async function run(context: BenchmarkContext): Promise<void> {
  const servers = await startModelServers(SERVERS, 1);
  try {
    const urls = servers.map(({ url }) => url);
    const directPerS = await measure(context, { name: 'direct', loops: SERVERS * SERVER_SLOTS, urls, fleet: urls });
    context.report({ scenario: 'direct/served', unit: 'answers/s', value: directPerS, spread: 0 });
    for (const name of ['told', 'untold']) {
      if (context.stop.aborted || !context.wants(name)) continue;
      await throughGateway(context, { name, urls, directPerS });
    }
  } finally {
    await Promise.all(servers.map(({ process }) => process.kill()));
  }
}

async function throughGateway(
  context: BenchmarkContext,
  parts: { name: string; urls: readonly string[]; directPerS: number },
): Promise<void> {
  const { name, urls, directPerS } = parts;
  let gateway: GatewayProcess | undefined;
  try {
    gateway = await startShippedGateway(urls, []);
    await gateway.ready(urls.length, context.stop);
    const perS = await measure(context, { name, loops: LOOPS, urls: [gateway.url], fleet: urls });
    context.report({ scenario: `${name}/goodput`, unit: 'of direct', value: perS / directPerS, spread: 0 });
  } finally {
    await gateway?.process.stop();
  }
}

/** Answers a second that came in time. */
async function measure(
  context: BenchmarkContext,
  parts: { name: string; loops: number; urls: readonly string[]; fleet: readonly string[] },
): Promise<number> {
  const { name, loops, urls, fleet } = parts;
  const load = new ImpatientLoad({
    urls,
    loops,
    model: DEMO_MODEL,
    promptBytes: PROMPT_BYTES,
    tokens: TOKENS,
    patienceMs: PATIENCE_MS,
    isTold: name === 'told',
  });
  context.say(`${name}: ${context.seconds} s`);
  const startMs = performance.now();
  load.start();
  await rest(context.seconds * 1000, context.stop);
  const seconds = (performance.now() - startMs) / 1000;
  const { served, gaveUp, refused, failed } = { ...load.endings };
  load.stop();
  if (served === 0) throw new Error(`${name}: nothing was served, ${failed} failed`);
  const reasons = [...refused].map(([why, count]) => `, ${count} refused (${why})`).join('');
  context.say(`${name}: ${served} served in time, ${gaveUp} gave up${reasons}, ${failed} failed`);
  if (loops === LOOPS) context.report({ scenario: `${name}/gave-up`, unit: 'requests', value: gaveUp, spread: 0 });
  await fleetIdle({ stop: context.stop, fleetLoad: () => readFleetLoad(fleet) });
  return served / seconds;
}

await runAsMain(impatient);
