// SPDX-License-Identifier: Apache-2.0

/** Pages of every engine that is known, as the engines write them, and of one that is not. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ENGINE_METRICS, enginesFor, withOwnEngines } from './engine-metrics.ts';
import type { EngineMetricNames } from './engine-metrics.ts';
import { METRIC_SPEC, readMetricSpec } from './metric-spec.ts';
import { MetricsPage } from './metrics-page.ts';

function read(text: string, engines: readonly EngineMetricNames[] = ENGINE_METRICS): unknown {
  const page = new MetricsPage(engines);
  page.write(Buffer.from(text));
  const reading = page.end();
  if ('problem' in reading) return reading.problem;
  return { engine: reading.engine.engine, ...reading.metrics };
}

const SGLANG = `# HELP sglang:num_running_reqs The number of running requests.
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{engine_type="unified",model_name="m",tp_rank="0"} 5.0
sglang:num_running_reqs_offline_batch{model_name="m"} 9.0
sglang:num_queue_reqs{engine_type="unified",model_name="m",tp_rank="0"} 2.0
sglang:token_usage{engine_type="unified",model_name="m",tp_rank="0"} 0.28
`;

const TRTLLM = `trtllm_num_requests_running{model_name="m"} 7.0
trtllm_num_requests_waiting{model_name="m"} 1.0
trtllm_kv_cache_utilization{model_name="m"} 0.5
trtllm_kv_cache_tokens_per_block{model_name="m"} 32
trtllm_kv_cache_max_blocks{model_name="m"} 1000
`;

const TRITON_TRTLLM = `nv_inference_pending_request_count{model="ensemble",version="1"} 0
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="context",version="1"} 1
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="scheduled",version="1"} 3
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="max",version="1"} 512
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="waiting",version="1"} 4
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction",model="tensorrt_llm",version="1"} 0.4875
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="tokens_per",model="tensorrt_llm",version="1"} 64
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="used",model="tensorrt_llm",version="1"} 1
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="max",model="tensorrt_llm",version="1"} 6239
`;

const TRITON = `nv_inference_exec_count{model="a",version="1"} 123456
nv_inference_pending_request_count{model="a",version="1"} 2
nv_inference_pending_request_count{model="b",version="1"} 1
`;

describe('the engine of a page is recognised', () => {
  it('SGLang, with its cache in labels or in gauges', () => {
    const load = { engine: 'sglang', waiting: 2, running: 5, kvUsage: 0.28 };
    assert.deepEqual(read(SGLANG), load);
    const labels = `${SGLANG}sglang:cache_config_info{num_pages="59902",page_size="1"} 1.0\n`;
    assert.deepEqual(read(labels), { ...load, cache: { blockTokens: 1, blocks: 59_902 } });
    const gauges = `${SGLANG}sglang:page_size{model_name="m"} 16.0\nsglang:num_pages{model_name="m"} 62500.0\n`;
    assert.deepEqual(read(gauges), { ...load, cache: { blockTokens: 16, blocks: 62_500 } });
  });

  it('TensorRT-LLM, alone and behind Triton', () => {
    const alone = { engine: 'trtllm-serve', waiting: 1, running: 7, kvUsage: 0.5 };
    assert.deepEqual(read(TRTLLM), { ...alone, cache: { blockTokens: 32, blocks: 1000 } });
    const behind = { engine: 'triton-tensorrt-llm', waiting: 4, running: 3, kvUsage: 0.4875 };
    assert.deepEqual(read(TRITON_TRTLLM), { ...behind, cache: { blockTokens: 64, blocks: 6239 } });
  });

  it('Triton with other models, which does not tell what it runs', () => {
    assert.deepEqual(read(TRITON), { engine: 'triton', waiting: 3, running: undefined, kvUsage: undefined });
  });

  it('unless a label or the default names it: then only its names are looked for', () => {
    const named = (...names: (string | undefined)[]): string[] => enginesFor(names).map(({ engine }) => engine);
    assert.deepEqual(named('sglang', 'vllm'), ['sglang']);
    assert.deepEqual(named(undefined, 'vllm'), ['vllm']);
    assert.deepEqual(named('unheard-of', undefined, 'triton'), ['triton']);
    assert.equal(named('unheard-of', undefined).length, ENGINE_METRICS.length);
    assert.match(String(read(SGLANG, enginesFor(['triton']))), /lacks nv_inference_pending_request_count$/);
  });

  it('as one of our own, which may replace one that is built in', () => {
    const own = { engine: 'vllm', waiting: 'q{kind=a}', kvUsage: [] };
    assert.deepEqual(read('q{kind="b"} 5\nq{kind="a",x="1"} 2\nq{kind="a",x="2"} 1\nq 9\n', withOwnEngines([own])), {
      engine: 'vllm',
      waiting: 3,
      running: undefined,
      kvUsage: undefined,
    });
    assert.equal(withOwnEngines([own]).filter(({ engine }) => engine === 'vllm').length, 1);
  });

  it('with cache figures only when they are sane', () => {
    const broken = (from: string, to: string): unknown => (read(TRTLLM.replace(from, to)) as { cache?: unknown }).cache;
    for (const value of ['0', 'NaN', '-1', '1e400', '0.5']) {
      assert.equal(broken('max_blocks{model_name="m"} 1000', `max_blocks{model_name="m"} ${value}`), undefined, value);
    }
    assert.equal(broken('trtllm_kv_cache_max_blocks', 'something_else'), undefined);
  });
});

describe('a metric of a table', () => {
  it('is a name, or a name with labels', () => {
    const labels = (text: string) => (METRIC_SPEC.test(text) ? readMetricSpec(text).labels : 'refused');
    assert.deepEqual(labels('a:b_c'), []);
    assert.deepEqual(labels('a{b=c-d}'), [['b', 'c-d']]);
    assert.deepEqual(labels('a{ b = "c d" , e=f }'), [
      ['b', 'c d'],
      ['e', 'f'],
    ]);
    for (const text of ['', '1a', 'a b', 'a{}', 'a{b}', 'a{b=}', 'a{b=c', 'a{b=c}d', 'a{b="c}', 'a{b=c,}']) {
      assert.equal(labels(text), 'refused', text);
    }
  });
});
