// SPDX-License-Identifier: Apache-2.0

/**
 * A crowd leaves at once: 100 000 waiting requests cancelled in the core in one turn, and 10 000 connections cut in
 * front of the gateway, beside a bare `node:http` server that loses as many.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { FlowController } from '@fairlead/core';
import type { WaitingHandle } from '@fairlead/core';
import { roundRobinFairnessPolicy } from '@fairlead/core/plugins';
import { FlowControlKit, flowControlConfig, instanceOf } from '@fairlead/core/testing';
import { systemClock } from '../packages/fairlead/src/serve/system-clock.ts';
import type { Benchmark, BenchmarkContext } from './harness/benchmark.ts';
import { measurement } from './harness/benchmark.ts';
import { runAsMain } from './harness/run-benchmark.ts';
import { startPart } from './stand/part.ts';
import { longestSilence } from './stand/probe.ts';
import { startShippedGateway } from './stand/shipped-gateway.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const WAITING = 100_000;
const TENANTS = 1000;
const CONNECTIONS = 10_000;
/** Shorter runs only show that it runs. */
const FULL_SECONDS = 60;

const ROOM = `
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
  - type: concurrency-detector
    parameters: { maxConcurrency: 1 }
flowControl:
  saturationDetector: { pluginRef: concurrency-detector }
  defaultRequestTTL: 10m
  maxFlowShare: 1
  priorityBands:
    - { priority: 0, maxRequests: ${2 * CONNECTIONS} }
gateway: { maxConnectionsPerClient: ${2 * CONNECTIONS}, maxRequestsPerClient: ${2 * CONNECTIONS} }
`;

const cancel: Benchmark = {
  name: 'cancel',
  summary: `${WAITING} waiting requests cancelled in one turn; ${CONNECTIONS} connections cut at once`,
  seconds: FULL_SECONDS,
  scenarios: ['core', 'connections'],
  targets: [
    { scenario: 'core/stall', atMost: 50 },
    { scenario: 'core/left-waiting', atMost: 0 },
    { scenario: 'connections/stall-to-bare', atMost: 1.2 },
  ],
  async run(context) {
    const scale = Math.min(1, context.seconds / FULL_SECONDS);
    const rounds = context.seconds < FULL_SECONDS ? 1 : 5;
    if (context.wants('core')) core(context, Math.ceil(WAITING * scale));
    if (context.wants('connections')) await connections(context, Math.ceil(CONNECTIONS * scale), rounds);
  },
};

/** The turn in which all of them are cancelled is the stall; what is left in the books is read in that turn. */
function core(context: BenchmarkContext, count: number): void {
  const stalls: number[] = [];
  // What others take of a shared machine is in the first, and not in this.
  const busy: number[] = [];
  let left = 0;
  for (let round = 0; round < 6; round += 1) {
    const kit = new FlowControlKit({ limit: 1 });
    const band = { fairness: instanceOf(roundRobinFairnessPolicy), maxRequests: 10_000_000 };
    const config = flowControlConfig({ band, config: { knownPriorities: [0] } });
    const controller = new FlowController({ config, placement: kit.placement, clock: systemClock });
    const handles: WaitingHandle[] = [];
    for (let index = 0; index < count; index += 1) handles.push(controller.enqueue(request(index), () => undefined));
    // What building the backlog left behind is not the cancellations' to pay.
    collectGarbage();
    const startMs = performance.now();
    const before = process.cpuUsage();
    for (const handle of handles) handle.cancel();
    const { user, system } = process.cpuUsage(before);
    const stallMs = performance.now() - startMs;
    left += controller.snapshot().bands.reduce((sum, each) => sum + each.waiting + each.bytes, 0);
    // In the first, code is compiled.
    if (round > 0) {
      stalls.push(stallMs);
      busy.push((user + system) / 1000);
    }
    controller.destroy();
  }
  context.report(measurement('core/stall', 'ms', stalls));
  context.report(measurement('core/stall-cpu', 'ms', busy));
  context.report({ scenario: 'core/left-waiting', unit: 'requests and bytes', value: left, spread: 0 });
}

function request(index: number): Parameters<FlowController['enqueue']>[0] {
  const fairnessId = `tenant-${index % TENANTS}`;
  const model = { model: 'm', targetModel: 'm' };
  return { id: 'r', fairnessId, priority: 0, ...model, sizeBytes: 1000, sequences: 1, receivedMs: 0 };
}

async function connections(context: BenchmarkContext, count: number, rounds: number): Promise<void> {
  const backend = await startPart('backend', { servers: 1, answer: 'none' });
  const bare = await startPart('bare-http', {});
  const gateway = await startShippedGateway([`http://127.0.0.1:${backend.ports[0]}`], ['--config-text', ROOM]);
  try {
    await gateway.ready(1, context.stop);
    const ways = { bare: bare.ports[0] as number, gateway: Number(new URL(gateway.url).port) };
    const stalls: Record<keyof typeof ways, number[]> = { bare: [], gateway: [] };
    for (let round = 0; round <= rounds && !context.stop.aborted; round += 1) {
      for (const way of ['bare', 'gateway'] as const) {
        const crowd = await startPart('crowd', { port: ways[way], count });
        const silence = await longestSilence(ways[way], { path: '/v1/models', during: () => crowd.stop() });
        if (round > 0) stalls[way].push(silence);
      }
    }
    context.report(measurement('connections/bare-stall', 'ms', stalls.bare));
    context.report(measurement('connections/gateway-stall', 'ms', stalls.gateway));
    const ratios = stalls.gateway.map((stall, round) => stall / (stalls.bare[round] as number));
    context.report(measurement('connections/stall-to-bare', "× bare node:http's", ratios));
  } finally {
    await Promise.all([gateway.process.stop(), bare.stop(), backend.stop()]);
  }
}

await runAsMain(cancel);
