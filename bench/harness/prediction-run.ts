// SPDX-License-Identifier: Apache-2.0

/** The same tenants and the same configuration over sockets, and in the simulation. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { CostModel } from '@fairlead/core';
import { loadConfig } from '../../packages/fairlead/src/config/load.ts';
import { Load } from '../../packages/fairlead/src/demo/load/load.ts';
import { percentiles } from '../../packages/fairlead/src/demo/load/percentile.ts';
import { Tally } from '../../packages/fairlead/src/demo/load/tally.ts';
import type { Tenant } from '../../packages/fairlead/src/demo/load/tenant.ts';
import { rest } from '../../packages/fairlead/src/demo/rest.ts';
import { sum } from '../../packages/fairlead/src/demo/sum.ts';
import type { RecordLine } from '../../packages/fairlead/src/observability/recorder.ts';
import { readScenario } from '../../packages/fairlead/src/simulate/load-scenario.ts';
import { simulate } from '../../packages/fairlead/src/simulate/simulate.ts';
import { workloadOf } from '../../packages/fairlead/src/simulate/workload.ts';
import { hashKey } from '../../packages/fairlead/src/tenancy/hash-key.ts';
import { startShippedGateway } from '../stand/shipped-gateway.ts';
import type { Stage } from './predicted-stage.ts';

const LOOPS = 30;
/** Until queues are as long as they get, which is for longer than the longest wait. */
const WARM_UP_S = 10;
const REHEARSAL_S = 5;
/** As long as the longest answer takes: what was dispatched at the end has to be known whole. */
const LAST_ANSWERS_S = 4;
const WEIGHTS = { short: 1, long: 1, double: 2 } as const;
export const TENANTS: readonly (Tenant & { readonly name: keyof typeof WEIGHTS })[] = [
  { ...tenant('short'), outputTokens: { min: 20, max: 20 } },
  { ...tenant('long'), outputTokens: { min: 100, max: 200 } },
  { ...tenant('double'), outputTokens: { min: 20, max: 100 } },
];

function tenant<T extends keyof typeof WEIGHTS>(name: T): Pick<Tenant, 'apiKey' | 'arrivals'> & { name: T } {
  return { name, apiKey: `k-${name}`, arrivals: { kind: 'closed', loops: LOOPS, thinkMs: 0 } };
}

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

/** By tenant. */
export type Figures = ReadonlyMap<string, { readonly share: number; readonly waitP50Ms: number }>;

/** By tenant: what a server counts of a prompt, and of that what it had, on average. */
export type PromptSizes = ReadonlyMap<string, { readonly promptTokens: number; readonly cachedTokens: number }>;

/** How long tenants' prompts are for these servers, from a short run of its own. */
export async function rehearsed(stage: Stage, seed: number, stop: AbortSignal): Promise<PromptSizes> {
  const { lines } = await recorded(stage, { seed, seconds: REHEARSAL_S, stop });
  return new Map(
    TENANTS.map(({ name }) => {
      const own = lines.filter(({ tenant: of, promptTokens }) => of === name && promptTokens !== undefined);
      const mean = (of: (line: RecordLine) => number | undefined): number =>
        sum(own, (line) => of(line) ?? 0) / own.length;
      return [
        name,
        { promptTokens: mean((line) => line.promptTokens), cachedTokens: mean((line) => line.cachedTokens) },
      ];
    }),
  );
}

/** What happens over sockets, and how many processors others took meanwhile. */
export async function really(
  stage: Stage,
  run: { readonly seed: number; readonly seconds: number; readonly stop: AbortSignal },
): Promise<{ readonly figures: Figures; readonly foreign: number }> {
  const { lines, foreign } = await recorded(stage, { ...run, seconds: WARM_UP_S + run.seconds + LAST_ANSWERS_S });
  return { figures: figuresOf(lines, run.seconds), foreign };
}

/** All that came to an end within so many seconds, as the gateway's own recording has it. */
async function recorded(
  stage: Stage,
  { seed, seconds, stop }: { readonly seed: number; readonly seconds: number; readonly stop: AbortSignal },
): Promise<{ readonly lines: readonly RecordLine[]; readonly foreign: number }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-'));
  const record = path.join(folder, 'requests.jsonl');
  try {
    const { urls, model, slots } = stage;
    const gateway = await startShippedGateway(urls, ['--config-text', configFor(slots), '--record', record]);
    let foreign = NaN;
    try {
      await gateway.ready(urls.length, stop);
      const load = new Load({ baseUrl: gateway.url, model, tenants: TENANTS, seed, tally: new Tally() });
      const others = stage.others(gateway.process.pid);
      load.start();
      await rest(seconds * 1000, stop);
      foreign = others.processors;
      await load.stop();
    } finally {
      await gateway.process.stop();
    }
    const [, ...lines] = (await readFile(record, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as RecordLine);
    return { lines, foreign };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * Counted as the simulation counts: shares of what was dispatched after the warm-up, waits of what was asked after it and
 * answered before the end.
 */
function figuresOf(lines: readonly RecordLine[], seconds: number): Figures {
  const { inputToken, cachedInputToken, outputToken } = new CostModel().weights;
  const startMs = Math.min(...lines.map(({ atMs }) => atMs)) + WARM_UP_S * 1000;
  const answered = lines.filter(({ status }) => status === 200);
  const dispatched = answered.filter(({ atMs, waitMs = 0 }) => {
    const sinceMs = atMs + waitMs - startMs;
    return sinceMs >= 0 && sinceMs < seconds * 1000;
  });
  const costOf = ({ promptTokens = 0, cachedTokens = 0, outputTokens = 0 }: RecordLine): number =>
    (promptTokens - cachedTokens) * inputToken + cachedTokens * cachedInputToken + outputTokens * outputToken;
  const total = sum(dispatched, costOf);
  return new Map(
    TENANTS.map(({ name }) => {
      const share = sum(
        dispatched.filter((line) => line.tenant === name),
        costOf,
      );
      const asked = answered.filter(
        ({ tenant: of, atMs, durationMs }) =>
          of === name && atMs >= startMs && atMs + durationMs < startMs + seconds * 1000,
      );
      return [name, { share: share / total, waitP50Ms: percentiles(asked.map(({ waitMs = 0 }) => waitMs)).p50 ?? NaN }];
    }),
  );
}

/** What the simulation says of it. */
export async function simulated(
  { fleet, slots }: Stage,
  { sizes, seconds, seed }: { readonly sizes: PromptSizes; readonly seconds: number; readonly seed: number },
): Promise<Figures> {
  const tenants = TENANTS.map(({ name, outputTokens: { min, max } }) => ({
    name,
    arrivals: { kind: 'closed-loop', loops: LOOPS },
    promptTokens: { tokens: sizes.get(name)!.promptTokens },
    sharedPromptTokens: sizes.get(name)!.cachedTokens,
    outputTokens: { kind: 'uniform', min, max },
    saysMaxTokens: true,
  }));
  const times = { seed, duration: `${WARM_UP_S + seconds}s`, warmUp: `${WARM_UP_S}s` };
  const { scenario, problems } = readScenario(JSON.stringify({ ...times, fleet, tenants }), 'scenario');
  const { ok: config } = await loadConfig({ text: configFor(slots), defaults: 'serve' });
  if (scenario === undefined || config === undefined) throw new Error(JSON.stringify(problems));
  const result = await simulate({ workload: workloadOf(scenario), config });
  return new Map(result.tenants.map(({ name, share, waitMs }) => [name, { share, waitP50Ms: waitMs.p50 ?? NaN }]));
}
