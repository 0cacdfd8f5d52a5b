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
import { randomFor } from '../packages/fairlead/src/demo/load/draw.ts';
import { Load } from '../packages/fairlead/src/demo/load/load.ts';
import { percentiles } from '../packages/fairlead/src/demo/load/percentile.ts';
import { Tally } from '../packages/fairlead/src/demo/load/tally.ts';
import type { Tenant } from '../packages/fairlead/src/demo/load/tenant.ts';
import { rest } from '../packages/fairlead/src/demo/rest.ts';
import type { RecordLine } from '../packages/fairlead/src/observability/recorder.ts';
import { fitFleet } from '../packages/fairlead/src/simulate/fit/fit-fleet.ts';
import { fleetSection } from '../packages/fairlead/src/simulate/fit/fleet-text.ts';
import { Prober } from '../packages/fairlead/src/simulate/fit/prober.ts';
import { readScenario } from '../packages/fairlead/src/simulate/load-scenario.ts';
import { simulate } from '../packages/fairlead/src/simulate/simulate.ts';
import { workloadOf } from '../packages/fairlead/src/simulate/workload.ts';
import { hashKey } from '../packages/fairlead/src/tenancy/hash-key.ts';
import { noLlamaServer, startLlama } from '../test/kit/llama-server.ts';
import { Loopback } from '../test/kit/loopback.ts';
import type { Benchmark, BenchmarkContext } from './harness/benchmark.ts';
import { runAsMain } from './harness/run-benchmark.ts';
import { startShippedGateway } from './stand/shipped-gateway.ts';

const SERVERS = 3;
const LLAMA_SLOTS = 4;
const LLAMA_MODEL = 'random';
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

function configFor(slots: number): string {
  return `
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins: [{ type: concurrency-detector, parameters: { maxConcurrency: ${slots} } }]
flowControl:
  saturationDetector: { pluginRef: concurrency-detector }
  defaultPriorityBand: { fairnessPolicyRef: virtual-token-counter-fairness-policy }
identity:
  keys:
${TENANTS.map(({ name, apiKey = '' }) => `    - { sha256: ${hashKey(Buffer.from(apiKey))}, tenant: ${name}, weight: ${WEIGHTS[name]} }`).join('\n')}
`;
}

/** Servers for real, and what a scenario says of them. */
interface Stage {
  readonly name: string;
  readonly urls: readonly string[];
  readonly model: string;
  readonly fleet: Readonly<Record<string, number | string | boolean>>;
  readonly slots: number;
  stop(): Promise<void>;
}

/** Of the real share, and of the real wait: how far off a prediction may be. */
const ALLOWED = { 'model-servers': { share: 0.03, wait: 0.15 }, 'llama.cpp': { share: 0.05, wait: 0.25 } } as const;

/** Of one tenant. */
interface Figures {
  readonly share: number;
  readonly waitP50Ms: number;
  /** Means of its prompts, and of what the server had of them. */
  readonly promptTokens: number;
  readonly cachedTokens: number;
}

const prediction: Benchmark = {
  name: 'prediction',
  summary:
    'three tenants of unlike requests and weights, for real and simulated: model servers, and llama.cpp as it was fitted',
  seconds: 60,
  scenarios: Object.keys(ALLOWED),
  targets: Object.entries(ALLOWED).flatMap(([scenario, { share, wait }]) =>
    TENANTS.flatMap(({ name }) => [
      { scenario: `${scenario}/${name}-share`, atLeast: 1 - share, atMost: 1 + share },
      { scenario: `${scenario}/${name}-wait-p50`, atLeast: 1 - wait, atMost: 1 + wait },
    ]),
  ),
  async run(context) {
    if (context.wants('model-servers')) await compare(await modelServers(), context);
    if (!context.wants('llama.cpp')) return;
    if (noLlamaServer === false) await compare(await llamaServer(context), context);
    else context.say(noLlamaServer);
  },
};

async function compare(stage: Stage, context: BenchmarkContext): Promise<void> {
  const real = await really(stage, context);
  const simulated = await inSimulation(stage, real, context.seconds);
  for (const { name } of TENANTS) {
    const [is, said] = [real.get(name)!, simulated.get(name)!];
    context.say(
      `${stage.name}, ${name}: ${(is.share * 100).toFixed(1)} % and ${Math.round(is.waitP50Ms)} ms for real, ` +
        `${(said.share * 100).toFixed(1)} % and ${Math.round(said.waitP50Ms)} ms simulated`,
    );
    const scenario = `${stage.name}/${name}`;
    const unit = '× the real';
    context.report({ scenario: `${scenario}-share`, unit, value: said.share / is.share, spread: 0 });
    context.report({ scenario: `${scenario}-wait-p50`, unit, value: said.waitP50Ms / is.waitP50Ms, spread: 0 });
  }
}

async function modelServers(): Promise<Stage> {
  const servers = await fleet.startModelServers(SERVERS, SEED);
  return {
    name: 'model-servers',
    urls: servers.map(({ url }) => url),
    model: fleet.DEMO_MODEL,
    slots: fleet.SERVER_SLOTS,
    fleet: {
      ...{ servers: SERVERS, slots: fleet.SERVER_SLOTS },
      ...{ prefill: `${fleet.FIRST_TOKEN_MS}ms`, token: `${fleet.TOKEN_MS}ms` },
    },
    stop: () => stopChildren(servers.map((server) => server.process)),
  };
}

/** One real engine, asked for what it is like before anybody else asks it. */
async function llamaServer({ say, stop }: BenchmarkContext): Promise<Stage> {
  const loopback = new Loopback();
  try {
    const { url, slots } = await startLlama(loopback, LLAMA_SLOTS);
    while ((await fetch(`${url}/health`).catch(() => undefined))?.status !== 200) await rest(100, stop);
    const random = randomFor(SEED);
    const prober = new Prober({ baseUrl: url, model: LLAMA_MODEL }, random, stop);
    const fitted = await fitFleet({ prober, random, onStep: (what) => say(`llama.cpp: ${what}`) });
    await prober.close();
    const section = fleetSection(fitted);
    say(`llama.cpp: ${JSON.stringify(section)}`);
    return {
      name: 'llama.cpp',
      urls: [url],
      model: LLAMA_MODEL,
      slots,
      fleet: { ...section, prefixCacheTokens: LLAMA_SLOTS * 4096 },
      stop: () => loopback.end(),
    };
  } catch (error) {
    await loopback.end();
    throw error;
  }
}

/** Over sockets; what happened stands in the gateway's own recording. */
async function really(stage: Stage, { seconds, stop }: BenchmarkContext): Promise<Map<string, Figures>> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-'));
  const record = path.join(folder, 'requests.jsonl');
  try {
    const words = ['--config-text', configFor(stage.slots), '--record', record];
    const gateway = await startShippedGateway(stage.urls, words);
    try {
      await gateway.ready(stage.urls.length, stop);
      const { model } = stage;
      const load = new Load({ baseUrl: gateway.url, model, tenants: TENANTS, seed: SEED, tally: new Tally() });
      load.start();
      await rest((WARM_UP_S + seconds) * 1000, stop);
      await load.stop();
    } finally {
      await gateway.process.stop();
    }
    return figuresOf(await readFile(record, 'utf8'), seconds);
  } finally {
    await stage.stop();
    await rm(folder, { recursive: true });
  }
}

/** Of what was dispatched after the warm-up. */
function figuresOf(recording: string, seconds: number): Map<string, Figures> {
  const { inputToken, cachedInputToken, outputToken } = new CostModel().weights;
  const [, ...lines] = recording
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as RecordLine);
  const dispatched = lines.filter(({ atMs, waitMs = 0, status }) => {
    const sinceMs = atMs + waitMs - lines[0]!.atMs - WARM_UP_S * 1000;
    return status === 200 && sinceMs >= 0 && sinceMs < seconds * 1000;
  });
  const costOf = ({ promptTokens = 0, cachedTokens = 0, outputTokens = 0 }: RecordLine): number =>
    (promptTokens - cachedTokens) * inputToken + cachedTokens * cachedInputToken + outputTokens * outputToken;
  const total = dispatched.reduce((sum, line) => sum + costOf(line), 0);
  return new Map(
    TENANTS.map(({ name }) => {
      const own = dispatched.filter(({ tenant }) => tenant === name);
      const share = own.reduce((sum, line) => sum + costOf(line), 0) / total;
      const mean = (of: (line: RecordLine) => number | undefined): number =>
        own.reduce((sum, line) => sum + (of(line) ?? 0), 0) / own.length;
      const waitP50Ms = percentiles(own.map(({ waitMs = 0 }) => waitMs)).p50 ?? NaN;
      const promptTokens = mean((line) => line.promptTokens);
      return [name, { share, promptTokens, cachedTokens: mean((line) => line.cachedTokens), waitP50Ms }];
    }),
  );
}

/** Prompts are as long as they really were: what a server counts of them is its own business. */
async function inSimulation(
  stage: Stage,
  real: ReadonlyMap<string, Figures>,
  seconds: number,
): Promise<Map<string, Pick<Figures, 'share' | 'waitP50Ms'>>> {
  const tenants = TENANTS.map(({ name, arrivals, outputTokens: { min, max } }) => ({
    name,
    arrivals: { kind: 'closed-loop', loops: 'loops' in arrivals ? arrivals.loops : 1 },
    promptTokens: { tokens: real.get(name)!.promptTokens },
    sharedPromptTokens: real.get(name)!.cachedTokens,
    outputTokens: { kind: 'uniform', min, max },
  }));
  const times = { duration: `${WARM_UP_S + seconds}s`, warmUp: `${WARM_UP_S}s` };
  const { scenario, problems } = readScenario(JSON.stringify({ ...times, fleet: stage.fleet, tenants }), 'scenario');
  const { ok: config } = await loadConfig({ text: configFor(stage.slots), defaults: 'serve' });
  if (scenario === undefined || config === undefined) throw new Error(JSON.stringify(problems));
  const result = await simulate({ workload: workloadOf(scenario), config });
  return new Map(result.tenants.map(({ name, share, waitMs }) => [name, { share, waitP50Ms: waitMs.p50 ?? NaN }]));
}

await runAsMain(prediction);
