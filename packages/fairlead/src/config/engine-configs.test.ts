// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { problemLine } from './config-problem.ts';
import { loadConfig } from './load.ts';

const head = 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n';

async function load(parameters: string) {
  const text = `${head}plugins: [{type: core-metrics-extractor, parameters: {${parameters}}}]\n`;
  return loadConfig({ text, defaults: 'serve', textName: 'f' });
}

async function problem(parameters: string): Promise<string> {
  return ((await load(parameters)).problems ?? []).map(problemLine).join('\n');
}

describe('engineConfigs', () => {
  it('name the metrics of engines of our own, in the notation of the reference', async () => {
    const { ok } = await load(
      `defaultEngine: mine, engineConfigs: [{name: mine, queuedRequestsSpec: 'q{a=b}', kvUsageSpec: kv, cacheInfoSpec: info,
       cacheNumBlocksLabelName: pages, cacheBlockSizeSpec: size, cacheNumBlocksSpec: count, loraSpec: lora}]`,
    );
    assert.equal(ok?.metricsSource?.defaultEngine, 'mine');
    assert.deepEqual(ok?.metricsSource?.engines, [
      {
        engine: 'mine',
        waiting: 'q{a=b}',
        kvUsage: ['kv'],
        cacheInfo: { name: 'info', blockTokens: 'block_size', blocks: 'pages' },
        cacheGauges: { blockTokens: 'size', blocks: 'count' },
        loraInfo: {
          name: 'lora',
          running: 'running_lora_adapters',
          waiting: 'waiting_lora_adapters',
          max: 'max_lora',
        },
      },
    ]);
  });

  it('are refused with what is wrong', async () => {
    assert.match(await problem('defaultEngine: vlm'), /defaultEngine "vlm" not found.*allowed: "auto", "vllm"/);
    const one = (rest: string): Promise<string> => problem(`engineConfigs: [{name: a, queuedRequestsSpec: q${rest}}]`);
    assert.equal(await one(''), '');
    assert.match(await one('}, {name: a, queuedRequestsSpec: q'), /engineConfigs has "a" twice/);
    assert.match(await one('}, {name: default, queuedRequestsSpec: q'), /cannot be "default" \(reserved\)/);
    assert.match(await one('}, {name: b'), /queuedRequestsSpec: is missing/);
    assert.match(await one(', kvUsageSpec: "a b"'), /kvUsageSpec: .*`name\{label=value\}`/);
    assert.match(await one(', cacheInfoSpec: "a{b=c}"'), /"a\{b=c\}" must be a name/);
    assert.match(await one(', cacheBlockSizeSpec: s'), /need each other/);
    assert.match(await one(', custom: s'), /unknown field|custom/);
  });
});
