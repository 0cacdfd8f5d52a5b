// SPDX-License-Identifier: Apache-2.0

/** What a metrics page says in labels: the cache, and the adapters in use. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ENGINE_METRICS } from './engine-metrics.ts';
import { MAX_LINE_BYTES, MetricsPage } from './metrics-page.ts';
import type { PageMetrics } from './metrics-page.ts';

const LOAD = 'vllm:num_requests_waiting 0\nvllm:num_requests_running 0\n';

function metricsOf(lines: string): PageMetrics {
  const page = new MetricsPage(ENGINE_METRICS);
  page.write(Buffer.from(LOAD + lines));
  const reading = page.end();
  assert.ok('metrics' in reading, JSON.stringify(reading));
  return reading.metrics;
}

const lora = (running: string, waiting: string, max: string): string =>
  `vllm:lora_requests_info{max_lora="${max}",running_lora_adapters="${running}",waiting_lora_adapters="${waiting}"}`;

describe('the labels of a metrics page', () => {
  it('tell the blocks of the cache', () => {
    const labels = 'block_size="16",cache_dtype="auto",num_gpu_blocks="27000",sliding_window="None"';
    assert.deepEqual(metricsOf(`vllm:cache_config_info{${labels}} 1.0\n`).cache, { blockTokens: 16, blocks: 27_000 });
  });

  it('tell the adapters in use, and of several series the one written last', () => {
    const page = `${lora('a', '', '4')} 100.5\n${lora('b,c', ' d ', '4')} 102.25\n${lora('', '', '4')} 101.0\n`;
    assert.deepEqual(metricsOf(page).lora, { running: new Set(['b', 'c']), waiting: new Set(['d']), max: 4 });
  });

  it('are read with escapes and braces in them, and in any order', () => {
    const page = 'vllm:lora_requests_info{ waiting_lora_adapters="a}\\"\\\\b", x="\\n" , max_lora="2"} 1';
    assert.deepEqual(metricsOf(page).lora, { running: new Set(), waiting: new Set(['a}"\\b']), max: 2 });
  });

  it('that make no sense are as good as none', () => {
    const nonsense = [
      'vllm:cache_config_info{block_size="16",num_gpu_blocks="None"} 1',
      'vllm:cache_config_info{block_size="0",num_gpu_blocks="10"} 1',
      'vllm:cache_config_info{block_size="16",num_gpu_blocks="1e99"} 1',
      'vllm:cache_config_info{block_size="16",num_gpu_blocks="10"} NaN',
      'vllm:cache_config_info{block_size="16",num_gpu_blocks="10"',
      'vllm:cache_config_info 1',
      lora('a', 'b', 'many'),
      `${lora('a,'.repeat(MAX_LINE_BYTES), '', '4')} 1`,
    ];
    for (const line of nonsense) {
      assert.deepEqual(metricsOf(`${line}\n`), { waiting: 0, running: 0, kvUsage: undefined }, line.slice(0, 80));
    }
  });
});
