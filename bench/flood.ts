// SPDX-License-Identifier: Apache-2.0

/**
 * One interactive tenant beside a batch flood, both at the same priority: what the flood does to the interactive
 * tenant's time to first token, and what protecting it costs the fleet. Servers and gateway are processes of their own;
 * this one is the client. `direct` is the fleet's ceiling: 24 loops straight at 24 slots, nobody in between.
 */

import { batchFlood, FLOOD_LOOPS, INTERACTIVE } from '../packages/fairlead/src/demo/demo-tenants.ts';
import { readFleetLoad } from '../packages/fairlead/src/demo/fleet/engine-load.ts';
import type { GatewayProcess } from '../packages/fairlead/src/demo/fleet/gateway-process.ts';
import { DEMO_MODEL, SERVER_SLOTS, startModelServers } from '../packages/fairlead/src/demo/fleet/model-servers.ts';
import type { Tenant } from '../packages/fairlead/src/demo/load/tenant.ts';
import { runFlood } from './harness/flood-run.ts';
import type { FloodFigures } from './harness/flood-run.ts';
import type { Benchmark, BenchmarkContext } from './harness/benchmark.ts';
import { runAsMain } from './harness/run-benchmark.ts';
import { startShippedGateway } from './stand/shipped-gateway.ts';

const SERVERS = 3;
const SEED = 1;

/**
 * Evenly spaced, so that what is measured is the wait for a slot and not the luck of the draw: over 60 s the slots come
 * free about every 43 ms at random, and a modelled ideal gateway has its p99 at 226 ms (199 to 266 ms between the 10th
 * and 90th of 100 seeds); with Poisson arrivals at 266 ms (222 to 341).
 */
const EVEN_INTERACTIVE: Tenant = {
  ...INTERACTIVE,
  arrivals: { kind: 'open', requestsPerS: 2, spacing: 'even' },
};

/** The right limit, typed in: what our own servers run at once. */
const CONFIGURED = `
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
  - type: concurrency-detector
    parameters: { maxConcurrency: ${SERVER_SLOTS} }
flowControl:
  saturationDetector: { pluginRef: concurrency-detector }
`;

interface GatewayScenario {
  readonly name: string;
  /** Flags of `fairlead serve` beyond the endpoints. */
  readonly words: readonly string[];
  readonly bypass: boolean;
}

const gatewayScenarios: readonly GatewayScenario[] = [
  { name: 'configured', words: ['--config-text', CONFIGURED], bypass: false },
  { name: 'no-configuration', words: [], bypass: false },
  { name: 'flow-control-off', words: [], bypass: true },
];

const flood: Benchmark = {
  name: 'flood',
  summary: `${SERVERS} servers × ${SERVER_SLOTS} slots, an interactive tenant beside a flood of ${FLOOD_LOOPS} loops`,
  seconds: 60,
  scenarios: ['direct', ...gatewayScenarios.map(({ name }) => name)],
  targets: [
    { scenario: 'configured/interactive-ttft-p99', atMost: 300 },
    { scenario: 'configured/fleet-share', atLeast: 0.97 },
    { scenario: 'no-configuration/interactive-ttft-p99', atMost: 400 },
    { scenario: 'no-configuration/fleet-share', atLeast: 0.97 },
  ],
  run,
};

async function run(context: BenchmarkContext): Promise<void> {
  const servers = await startModelServers(SERVERS, SEED);
  try {
    const urls = servers.map(({ url }) => url);
    let ceiling: number | undefined;
    if (context.wants('direct')) ceiling = await direct(context, urls);
    for (const scenario of gatewayScenarios) {
      if (context.stop.aborted || !context.wants(scenario.name)) continue;
      await throughGateway(context, scenario, { urls, ceiling });
    }
  } finally {
    await Promise.all(servers.map(({ process }) => process.kill()));
  }
}

/** As many loops at each server as it has slots. */
async function direct(context: BenchmarkContext, urls: readonly string[]): Promise<number> {
  const tenants = urls.map((baseUrl, index): Tenant => ({
    ...batchFlood(SERVER_SLOTS),
    name: `loops-${index + 1}`,
    baseUrl,
  }));
  const figures = await measure(context, { name: 'direct', urls, baseUrl: urls[0]!, tenants });
  context.report({ scenario: 'direct/fleet-rate', unit: 'tokens/s', ...figures.tokensPerS });
  return figures.tokensPerS.value;
}

async function throughGateway(
  context: BenchmarkContext,
  scenario: GatewayScenario,
  fleet: { urls: readonly string[]; ceiling: number | undefined },
): Promise<void> {
  const { name } = scenario;
  const { urls, ceiling } = fleet;
  let gateway: GatewayProcess | undefined;
  try {
    gateway = await startShippedGateway(urls, scenario.words);
    await gateway.ready(urls.length, context.stop);
    if (scenario.bypass) await gateway.setBypass(true);
    const tenants = [EVEN_INTERACTIVE, batchFlood(FLOOD_LOOPS)];
    const figures = await measure(context, { name, urls, baseUrl: gateway.url, tenants });
    context.report({ scenario: `${name}/interactive-ttft-p50`, unit: 'ms', ...figures.ttftP50Ms });
    context.report({ scenario: `${name}/interactive-ttft-p99`, unit: 'ms', ...figures.ttftP99Ms });
    context.report({ scenario: `${name}/failed`, unit: 'requests', value: figures.failed, spread: 0 });
    if (ceiling === undefined) {
      context.report({ scenario: `${name}/fleet-rate`, unit: 'tokens/s', ...figures.tokensPerS });
    } else {
      const { value, spread } = figures.tokensPerS;
      context.report({
        scenario: `${name}/fleet-share`,
        unit: 'of direct',
        value: value / ceiling,
        spread: spread / ceiling,
      });
    }
  } finally {
    await gateway?.process.stop();
  }
}

async function measure(
  context: BenchmarkContext,
  parts: { name: string; urls: readonly string[]; baseUrl: string; tenants: readonly Tenant[] },
): Promise<FloodFigures> {
  context.say(`${parts.name}: ${context.seconds} s`);
  const figures = await runFlood({
    ...parts,
    model: DEMO_MODEL,
    seed: SEED,
    seconds: context.seconds,
    stop: context.stop,
    fleetLoad: () => readFleetLoad(parts.urls),
  });
  context.say(`${parts.name}: ${figures.summary}`);
  return figures;
}

await runAsMain(flood);
