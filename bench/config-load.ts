// SPDX-License-Identifier: Apache-2.0

/**
 * How long a configuration takes from its text to its instances: one that somebody writes by hand, and one that a
 * program wrote for a large installation. While it loads the gateway answers nobody, so this is a stall.
 */

import { loadConfig } from '../packages/fairlead/src/config/load.ts';
import type { Benchmark, BenchmarkContext } from './harness/benchmark.ts';
import { measurement } from './harness/benchmark.ts';
import { runAsMain } from './harness/run-benchmark.ts';

interface Installation {
  readonly name: string;
  readonly endpoints: number;
  readonly bands: number;
  readonly keys: number;
}

const INSTALLATIONS: readonly Installation[] = [
  { name: 'small', endpoints: 3, bands: 3, keys: 10 },
  { name: 'large', endpoints: 500, bands: 50, keys: 2000 },
];
const MOST_ROUNDS = 200;

const configLoad: Benchmark = {
  name: 'config-load',
  summary: INSTALLATIONS.map(
    ({ name, endpoints, bands, keys }) => `${name}: ${endpoints} endpoints, ${bands} bands, ${keys} keys`,
  ).join('; '),
  seconds: 20,
  scenarios: INSTALLATIONS.map(({ name }) => name),
  // Our own: the first is not felt by a stream, the second is rather less than the first token of a long prompt.
  targets: [
    { scenario: 'small/load', atMost: 20 },
    { scenario: 'large/load', atMost: 500 },
  ],
  async run(context) {
    for (const installation of INSTALLATIONS) {
      if (context.wants(installation.name)) await measure(context, installation);
    }
  },
};

async function measure(context: BenchmarkContext, installation: Installation): Promise<void> {
  const text = textOf(installation);
  const times: number[] = [];
  const untilMs = performance.now() + (context.seconds * 1000) / INSTALLATIONS.length;
  for (let round = 0; round <= MOST_ROUNDS && !context.stop.aborted; round += 1) {
    const startMs = performance.now();
    const { ok, problems } = await loadConfig({ text, endpointUrls: [], defaults: 'serve', allowExperimental: false });
    const tookMs = performance.now() - startMs;
    if (ok === undefined) throw new Error(problems.map(({ message }) => message).join('; '));
    // In the first, code is compiled.
    if (round > 0) times.push(tookMs);
    if (round > 1 && performance.now() > untilMs) break;
  }
  context.say(`${installation.name}: ${Math.round(text.length / 1024)} KiB, ${times.length} times`);
  context.report(measurement(`${installation.name}/load`, 'ms', times));
}

function textOf({ endpoints, bands, keys }: Installation): string {
  const lines = (count: number, line: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => line(index)).join('\n');
  return `
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
flowControl:
  maxBytes: 1Gi
  priorityBands:
${lines(bands, (index) => `    - { priority: ${index}, maxRequests: 1000, maxBytes: 100M }`)}
identity:
  keys:
${lines(keys, (index) => `    - { sha256: '${index.toString(16).padStart(64, '0')}', tenant: tenant-${index}, priority: ${index % bands} }`)}
endpoints:
${lines(endpoints, (index) => `  - { name: server-${index}, url: 'http://10.0.${index >> 8}.${index & 255}:8000' }`)}
`;
}

await runAsMain(configLoad);
