// SPDX-License-Identifier: Apache-2.0

/** `engineConfigs` of `core-metrics-extractor`: the reference's way to name the metrics of engines, into our table. */

import type { HalfCheckedOf, ParameterSpecs } from '@fairlead/core';
import { withOwnEngines } from '../model-servers/engine-metrics.ts';
import type { EngineMetricNames } from '../model-servers/engine-metrics.ts';
import { METRIC_SPEC } from '../model-servers/metric-spec.ts';

/** Recognises the engine from its page. */
export const AUTO_ENGINE = 'auto';

/** Names that no engine may have: ours for recognition, the reference's for the default. */
const RESERVED = new Set([AUTO_ENGINE, 'default']);

const spec = {
  type: 'string',
  pattern: { test: METRIC_SPEC, allowed: 'the name of a metric, or `name{label=value}`' },
} as const;

const label = { type: 'string', pattern: { test: /^[A-Za-z_]\w*$/, allowed: 'the name of a label' } } as const;

export const engineConfigFields = {
  name: { type: 'string', required: true, doc: 'The engine, as labels of endpoints name it; unique.' },
  queuedRequestsSpec: { ...spec, required: true, doc: "Requests in the engine's own queue." },
  runningRequestsSpec: {
    ...spec,
    defaultDoc: 'what was sent there less what it has waiting',
    doc: 'Requests the engine is running.',
  },
  kvUsageSpec: { ...spec, doc: 'Share of the KV cache in use, 0 to 1.' },
  loraSpec: {
    ...spec,
    doc: 'The metric whose labels `running_lora_adapters`, `waiting_lora_adapters` and `max_lora` tell of adapters.',
  },
  cacheInfoSpec: { ...spec, doc: 'The metric whose labels describe the KV cache.' },
  cacheBlockSizeLabelName: { ...label, default: 'block_size', doc: 'Its label with the tokens of a block.' },
  cacheNumBlocksLabelName: { ...label, default: 'num_gpu_blocks', doc: 'Its label with the number of blocks.' },
  cacheBlockSizeSpec: { ...spec, doc: 'Tokens of a block, as the value of a metric; with `cacheNumBlocksSpec`.' },
  cacheNumBlocksSpec: { ...spec, doc: 'Number of blocks, as the value of a metric.' },
} as const satisfies ParameterSpecs;

type Given = HalfCheckedOf<typeof engineConfigFields>;

/** The engines of a configuration, in its order. */
export function enginesOf(given: readonly (Given | undefined)[]): readonly EngineMetricNames[] {
  return given.flatMap((each) => {
    if (each?.name === undefined || each.queuedRequestsSpec === undefined) return [];
    const { cacheInfoSpec, loraSpec, cacheBlockSizeSpec, cacheNumBlocksSpec, runningRequestsSpec } = each;
    const hasGauges = cacheBlockSizeSpec !== undefined && cacheNumBlocksSpec !== undefined;
    return {
      engine: each.name,
      waiting: each.queuedRequestsSpec,
      ...(runningRequestsSpec !== undefined && { running: runningRequestsSpec }),
      kvUsage: each.kvUsageSpec === undefined ? [] : [each.kvUsageSpec],
      ...(cacheInfoSpec !== undefined && {
        cacheInfo: {
          name: cacheInfoSpec,
          blockTokens: each.cacheBlockSizeLabelName,
          blocks: each.cacheNumBlocksLabelName,
        },
      }),
      ...(hasGauges && { cacheGauges: { blockTokens: cacheBlockSizeSpec, blocks: cacheNumBlocksSpec } }),
      ...(loraSpec !== undefined && {
        loraInfo: {
          name: loraSpec,
          running: 'running_lora_adapters',
          waiting: 'waiting_lora_adapters',
          max: 'max_lora',
        },
      }),
    };
  });
}

/** What is wrong with engines and the default among them, in words. */
export function engineProblem(
  given: readonly (Given | undefined)[],
  defaultEngine: string | undefined,
): string | undefined {
  const names = given.map((each) => each?.name);
  const reserved = names.find((name) => name !== undefined && RESERVED.has(name));
  if (reserved !== undefined) return `engine config name cannot be "${reserved}" (reserved)`;
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) return `engineConfigs has "${twice}" twice`;
  for (const { name = '', cacheInfoSpec, loraSpec, ...each } of given.filter((one) => one !== undefined)) {
    const labelled = [cacheInfoSpec, loraSpec].find((text) => text?.includes('{') === true);
    if (labelled !== undefined) return `engine "${name}": "${labelled}" must be a name: its labels are what is read`;
    if ((each.cacheBlockSizeSpec === undefined) !== (each.cacheNumBlocksSpec === undefined))
      return `engine "${name}": cacheBlockSizeSpec and cacheNumBlocksSpec need each other`;
  }
  const known = [AUTO_ENGINE, ...withOwnEngines(enginesOf(given)).map(({ engine }) => engine)];
  if (defaultEngine === undefined || known.includes(defaultEngine)) return undefined;
  return `defaultEngine "${defaultEngine}" not found in engineConfigs; allowed: ${known.map((name) => `"${name}"`).join(', ')}`;
}
