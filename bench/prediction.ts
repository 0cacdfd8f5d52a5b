// SPDX-License-Identifier: Apache-2.0

/**
 * Does a simulation predict what happens? The same tenants and the same configuration, over sockets (model servers,
 * gateway and clients, each for real) and in `fairlead simulate`: shares of tenants and medians of waits are compared.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { CostModel } from '@fairlead/core';
import { loadConfig } from '../packages/fairlead/src/config/load.ts';
import { stopChildren } from '../packages/fairlead/src/demo/fleet/child.ts';
import * as fleet from '../packages/fairlead/src/demo/fleet/model-servers.ts';
import { Load } from '../packages/fairlead/src/demo/load/load.ts';
import { percentiles } from '../packages/fairlead/src/demo/load/percentile.ts';
import { Tally } from '../packages/fairlead/src/demo/load/tally.ts';
import type { Tenant } from '../packages/fairlead/src/demo/load/tenant.ts';
import { rest } from '../packages/fairlead/src/demo/rest.ts';
import type { RecordLine } from '../packages/fairlead/src/observability/recorder.ts';
import { readScenario } from '../packages/fairlead/src/simulate/load-scenario.ts';
import { simulate } from '../packages/fairlead/src/simulate/simulate.ts';
import { workloadOf } from '../packages/fairlead/src/simulate/workload.ts';
import { hashKey } from '../packages/fairlead/src/tenancy/hash-key.ts';
import type { Benchmark, BenchmarkContext } from './harness/benchmark.ts';
import { runAsMain } from './harness/run-benchmark.ts';
import { startShippedGateway } from './stand/shipped-gateway.ts';

const SERVERS = 3;
const SEED = 1;
/** Until queues are as long as they get. */
const WARM_UP_S = 5;
const WEIGHTS: Readonly<Record<string, number>> = { short: 1, long: 1, double: 2 };
const TENANTS: readonly Tenant[] = [
  {
    name: 'short',
    apiKey: 'k-short',
    arrivals: { kind: 'closed', loops: 30, thinkMs: 0 },
    outputTokens: { min: 20, max: 20 },
  },
  {
    name: 'long',
    apiKey: 'k-long',
    arrivals: { kind: 'closed', loops: 30, thinkMs: 0 },
    outputTokens: { min: 100, max: 200 },
  },
  {
    name: 'double',
    apiKey: 'k-double',
    arrivals: { kind: 'closed', loops: 30, thinkMs: 0 },
    outputTokens: { min: 20, max: 100 },
  },
];

const CONFIG = `
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins: [{ type: concurrency-detector, parameters: { maxConcurrency: ${fleet.SERVER_SLOTS} } }]
flowControl:
  saturationDetector: { pluginRef: concurrency-detector }
  defaultPriorityBand: { fairnessPolicyRef: virtual-token-counter-fairness-policy }
identity:
  keys:
${TENANTS.map(({ name, apiKey = '' }) => `    - { sha256: ${hashKey(Buffer.from(apiKey))}, tenant: ${name}, weight: ${WEIGHTS[name]} }`).join('\n')}
`;

/** Of one tenant. */
interface Figures {
  readonly share: number;
  readonly waitP50Ms: number;
}

const prediction: Benchmark = {
  name: 'prediction',
  summary: `${SERVERS} servers × ${fleet.SERVER_SLOTS} slots, three tenants of unlike requests and weights: for real, and simulated`,
  seconds: 60,
  scenarios: ['model-servers'],
  targets: TENANTS.flatMap(({ name }) => [
    // Of the real share and the real wait.
    { scenario: `model-servers/${name}-share`, atLeast: 0.97, atMost: 1.03 },
    { scenario: `model-servers/${name}-wait-p50`, atLeast: 0.85, atMost: 1.15 },
  ]),
  async run(context) {
    const real = await really(context);
    const simulated = await inSimulation(context.seconds);
    for (const { name } of TENANTS) {
      const [is, said] = [real.get(name)!, simulated.get(name)!];
      context.say(
        `${name}: ${(is.share * 100).toFixed(1)} % and ${Math.round(is.waitP50Ms)} ms for real, ` +
          `${(said.share * 100).toFixed(1)} % and ${Math.round(said.waitP50Ms)} ms simulated`,
      );
      const scenario = `model-servers/${name}`;
      context.report({ scenario: `${scenario}-share`, unit: '× the real', value: said.share / is.share, spread: 0 });
      context.report({
        scenario: `${scenario}-wait-p50`,
        unit: '× the real',
        value: said.waitP50Ms / is.waitP50Ms,
        spread: 0,
      });
    }
  },
};

/** Over sockets; what happened stands in the gateway's own recording. */
async function really({ seconds, stop }: BenchmarkContext): Promise<Map<string, Figures>> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-'));
  const record = path.join(folder, 'requests.jsonl');
  const servers = await fleet.startModelServers(SERVERS, SEED);
  try {
    const urls = servers.map(({ url }) => url);
    const gateway = await startShippedGateway(urls, ['--config-text', CONFIG, '--record', record]);
    try {
      await gateway.ready(SERVERS, stop);
      const load = new Load({
        baseUrl: gateway.url,
        model: fleet.DEMO_MODEL,
        tenants: TENANTS,
        seed: SEED,
        tally: new Tally(),
      });
      load.start();
      await rest((WARM_UP_S + seconds) * 1000, stop);
      await load.stop();
    } finally {
      await gateway.process.stop();
    }
    return figuresOf(await readFile(record, 'utf8'), seconds);
  } finally {
    await stopChildren(servers.map((server) => server.process));
    await rm(folder, { recursive: true });
  }
}

/** Of what was dispatched after the warm-up. */
function figuresOf(recording: string, seconds: number): Map<string, Figures> {
  const { inputToken, outputToken } = new CostModel().weights;
  const [, ...lines] = recording
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as RecordLine);
  const dispatched = lines.filter(({ atMs, waitMs = 0, status }) => {
    const sinceMs = atMs + waitMs - lines[0]!.atMs - WARM_UP_S * 1000;
    return status === 200 && sinceMs >= 0 && sinceMs < seconds * 1000;
  });
  const costOf = ({ promptTokens = 0, outputTokens = 0 }: RecordLine): number =>
    promptTokens * inputToken + outputTokens * outputToken;
  const total = dispatched.reduce((sum, line) => sum + costOf(line), 0);
  return new Map(
    TENANTS.map(({ name }) => {
      const own = dispatched.filter(({ tenant }) => tenant === name);
      const share = own.reduce((sum, line) => sum + costOf(line), 0) / total;
      return [name, { share, waitP50Ms: percentiles(own.map(({ waitMs = 0 }) => waitMs)).p50 ?? NaN }];
    }),
  );
}

async function inSimulation(seconds: number): Promise<Map<string, Figures>> {
  const tenants = TENANTS.map(({ name, arrivals, outputTokens: { min, max } }) => ({
    name,
    arrivals: { kind: 'closed-loop', loops: 'loops' in arrivals ? arrivals.loops : 1 },
    // That of the clients' one prompt.
    promptTokens: { tokens: 5 },
    outputTokens: { kind: 'uniform', min, max },
  }));
  const model = {
    servers: SERVERS,
    slots: fleet.SERVER_SLOTS,
    prefill: `${fleet.FIRST_TOKEN_MS}ms`,
    token: `${fleet.TOKEN_MS}ms`,
  };
  const text = JSON.stringify({ duration: `${WARM_UP_S + seconds}s`, warmUp: `${WARM_UP_S}s`, fleet: model, tenants });
  const { scenario, problems } = readScenario(text, 'scenario');
  const { ok: config } = await loadConfig({ text: CONFIG, defaults: 'serve' });
  if (scenario === undefined || config === undefined) throw new Error(JSON.stringify(problems));
  const result = await simulate({ workload: workloadOf(scenario), config });
  return new Map(result.tenants.map(({ name, share, waitMs }) => [name, { share, waitP50Ms: waitMs.p50 ?? NaN }]));
}

await runAsMain(prediction);
