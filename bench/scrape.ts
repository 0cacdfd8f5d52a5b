// SPDX-License-Identifier: Apache-2.0

/** What watching model servers costs: a hundred of them twenty times a second, and one while nobody asks for anything. */

import type { GatewayProcess } from '../packages/fairlead/src/demo/fleet/gateway-process.ts';
import { endpointsOf } from '../packages/fairlead/src/demo/fleet/gateway-process.ts';
import type { Benchmark, BenchmarkContext } from './harness/benchmark.ts';
import { measurement } from './harness/benchmark.ts';
import { runAsMain } from './harness/run-benchmark.ts';
import type { BackendOptions } from './stand/backend.ts';
import { startPart } from './stand/part.ts';
import { cpuSeconds, residentBytes } from './stand/process-figures.ts';
import { percentile } from './stand/share.ts';
import { pause } from './stand/raw-load.ts';
import { startShippedGateway } from './stand/shipped-gateway.ts';

const ENDPOINTS = 100;
const INTERVAL_MS = 50;
const PAGE_BYTES = 50_000;
const ROUNDS = 5;
/** Until the first pages are read and the code is compiled. */
const WARM_UP_MS = 3000;

const TWENTY_A_SECOND = `
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
  - type: metrics-data-source
    parameters: { interval: ${INTERVAL_MS}ms }
  - type: core-metrics-extractor
dataLayer:
  sources:
    - { pluginRef: metrics-data-source, extractors: [{ pluginRef: core-metrics-extractor }] }
`;

const scrape: Benchmark = {
  name: 'scrape',
  summary: `${ENDPOINTS} metrics pages of 50 KB, 20 times a second each; one endpoint, idle`,
  seconds: 60,
  scenarios: ['hundred', 'idle'],
  targets: [
    { scenario: 'hundred/cores', atMost: 0.3 },
    // Twice the interval: a page is read every time, not every other.
    { scenario: 'hundred/age-p50', atMost: 2 * INTERVAL_MS },
    { scenario: 'idle/cores', atMost: 0.01 },
    { scenario: 'idle/memory', atMost: 120 },
  ],
  async run(context) {
    if (context.wants('hundred')) await hundred(context);
    if (context.wants('idle') && !context.stop.aborted) await idle(context);
  },
};

async function hundred(context: BenchmarkContext): Promise<void> {
  const words = ['--config-text', TWENTY_A_SECOND];
  await watching(context, { servers: ENDPOINTS, words }, async (gateway) => {
    const cores = await coresOf(context, gateway);
    const ages = endpointsOf(await gateway.state()).map(({ scrapeAgeMs }) => scrapeAgeMs ?? Infinity);
    context.report(measurement('hundred/cores', 'cores', cores));
    context.report({ scenario: 'hundred/age-p50', unit: 'ms', value: percentile(ages, 0.5), spread: 0 });
    context.report({ scenario: 'hundred/age-p99', unit: 'ms', value: percentile(ages, 0.99), spread: 0 });
  });
}

async function idle(context: BenchmarkContext): Promise<void> {
  await watching(context, { servers: 1, words: [] }, async (gateway) => {
    context.report(measurement('idle/cores', 'cores', await coresOf(context, gateway)));
    const value = residentBytes(gateway.process.pid) / 1e6;
    context.report({ scenario: 'idle/memory', unit: 'MB', value, spread: 0 });
  });
}

async function watching(
  context: BenchmarkContext,
  { servers, words }: { servers: number; words: readonly string[] },
  look: (gateway: GatewayProcess) => Promise<void>,
): Promise<void> {
  const options: BackendOptions = { servers, answer: 'json', metricsBytes: PAGE_BYTES };
  const backend = await startPart('backend', options);
  const urls = backend.ports.map((port) => `http://127.0.0.1:${port}`);
  let gateway: GatewayProcess | undefined;
  try {
    gateway = await startShippedGateway(urls, words);
    await gateway.ready(servers, context.stop);
    await pause(WARM_UP_MS);
    await look(gateway);
  } finally {
    await gateway?.process.stop();
    await backend.stop();
  }
}

async function coresOf(context: BenchmarkContext, { process: { pid } }: GatewayProcess): Promise<number[]> {
  const cores: number[] = [];
  for (let round = 0; round < ROUNDS && !context.stop.aborted; round += 1) {
    const [startMs, startS] = [performance.now(), cpuSeconds(pid)];
    await pause((context.seconds * 1000) / ROUNDS / 2);
    cores.push((cpuSeconds(pid) - startS) / ((performance.now() - startMs) / 1000));
  }
  return cores;
}

await runAsMain(scrape);
