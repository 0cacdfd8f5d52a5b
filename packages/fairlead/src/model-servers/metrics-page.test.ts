// SPDX-License-Identifier: Apache-2.0

/** Reading metrics pages: real ones, hostile ones, and the same one cut anywhere. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ENGINE_METRICS, enginesFor } from './engine-metrics.ts';
import { MAX_LINE_BYTES, MAX_PAGE_BYTES, MetricsPage } from './metrics-page.ts';
import type { PageMetrics, PageReading } from './metrics-page.ts';

type Read = { readonly engine: string; readonly metrics: PageMetrics } | { readonly problem: string };

function read(...chunks: (string | Uint8Array)[]): Read {
  const page = new MetricsPage(ENGINE_METRICS);
  for (const chunk of chunks) {
    if (!page.write(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)) break;
  }
  const reading = page.end();
  return 'problem' in reading ? reading : { engine: reading.engine.engine, metrics: reading.metrics };
}

function problemOf(reading: Read | PageReading): string {
  assert.ok('problem' in reading, JSON.stringify(reading));
  return reading.problem;
}

const VLLM = `# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running_total{engine="0",model_name="m"} 99.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 50.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
`;

describe('a metrics page', () => {
  it('of vLLM tells waiting, running and KV cache usage', () => {
    assert.deepEqual(read(VLLM), { engine: 'vllm', metrics: { waiting: 2, running: 3, kvUsage: 0.25 } });
  });

  it('of an older vLLM tells the KV cache usage under its older name, and the newer name wins', () => {
    const older = VLLM.replace('kv_cache_usage', 'gpu_cache_usage');
    assert.deepEqual(read(older), { engine: 'vllm', metrics: { waiting: 2, running: 3, kvUsage: 0.25 } });
    const both = `vllm:gpu_cache_usage_perc 0.75\n${VLLM}`;
    assert.deepEqual(read(both), { engine: 'vllm', metrics: { waiting: 2, running: 3, kvUsage: 0.25 } });
  });

  it('of llama.cpp is recognised, with or without KV cache usage', () => {
    const page = 'llamacpp:requests_processing 4\nllamacpp:requests_deferred 7';
    assert.deepEqual(read(page), { engine: 'llama.cpp', metrics: { waiting: 7, running: 4, kvUsage: undefined } });
    const told = read(`${page}\nllamacpp:kv_cache_usage_ratio 0.5\n`);
    assert.deepEqual(told, { engine: 'llama.cpp', metrics: { waiting: 7, running: 4, kvUsage: 0.5 } });
  });

  it('is read by the names of the labelled engine only, not of any other', () => {
    const page = new MetricsPage(enginesFor(['llama.cpp']));
    page.write(Buffer.from(VLLM));
    assert.match(problemOf(page.end()), /lacks llamacpp:requests_deferred/);
  });

  it('sums counts and averages ratios over several series', () => {
    const reading = read(
      'vllm:num_requests_running{engine="0"} 3\nvllm:num_requests_running{engine="1"} 5\n',
      'vllm:num_requests_waiting{engine="0"} 1\nvllm:num_requests_waiting{engine="1"} 0\n',
      'vllm:kv_cache_usage_perc{engine="0"} 0.25\nvllm:kv_cache_usage_perc{engine="1"} 0.75\n',
    );
    assert.deepEqual(reading, { engine: 'vllm', metrics: { waiting: 1, running: 8, kvUsage: 0.5 } });
  });

  it('may hold braces, quotes and blanks in labels, time stamps, exemplars and carriage returns', () => {
    const reading = read(
      String.raw`vllm:num_requests_running{model_name="a}b\"} 9 {"}  3 1700000000000` + '\r\n',
      'vllm:num_requests_waiting\t2 # {trace_id="x"} 1\n',
    );
    assert.deepEqual(reading, { engine: 'vllm', metrics: { waiting: 2, running: 3, kvUsage: undefined } });
  });

  for (const value of ['NaN', '+Inf', '-1', '0x1p-3', '1e999', 'over 9000', '""', '1_000', '１']) {
    it(`is refused when a count is ${value}`, () => {
      const problem = problemOf(read(VLLM.replace('3.0', value)));
      assert.match(problem, /^vllm:num_requests_running on its metrics page is ".*", not a number from 0$/);
    });
  }

  it('is refused when a count has no value, or its labels do not end', () => {
    assert.match(problemOf(read('vllm:num_requests_running \n')), /unfinished line/);
    assert.match(problemOf(read('vllm:num_requests_waiting{model_name="x\n')), /unfinished line/);
  });

  it('is read without the KV cache usage when that is no number', () => {
    const reading = read(VLLM.replace('0.25', 'NaN'));
    assert.deepEqual(reading, { engine: 'vllm', metrics: { waiting: 2, running: 3, kvUsage: undefined } });
  });

  it('is refused when it has none of the names, naming them', () => {
    assert.match(problemOf(read('<html></html>')), /lacks vllm:num_requests_waiting and .*, or sglang:/);
    assert.match(problemOf(read('')), /lacks/);
    assert.match(problemOf(read('vllm:num_requests_running 1\n')), /lacks/);
  });
});

describe('a hostile metrics page', () => {
  it('without end is refused at its limit', () => {
    const page = new MetricsPage(ENGINE_METRICS);
    const chunk = Buffer.from(VLLM.repeat(200));
    let bytes = 0;
    while (page.write(chunk)) bytes += chunk.byteLength;
    assert.ok(bytes <= MAX_PAGE_BYTES);
    assert.match(problemOf(page.end()), /larger than 16777216 bytes/);
  });

  it('of one endless line is refused at its limit', () => {
    const page = new MetricsPage(ENGINE_METRICS);
    const chunk = new Uint8Array(1024 * 1024).fill(97);
    while (page.write(chunk));
    assert.match(problemOf(page.end()), /larger than/);
  });

  it('with a wanted sample of a monstrous line is refused, other lines may be monstrous', () => {
    const labels = `{x="${'a'.repeat(MAX_LINE_BYTES)}"}`;
    assert.match(problemOf(read(`vllm:num_requests_running${labels} 1\n`)), /longer than 8192 bytes/);
    assert.ok('metrics' in read(`other${labels} 1\n${VLLM}`));
  });
});

describe('a metrics page cut anywhere', () => {
  const value = fc.constantFrom('0', '1', '2.5', '1e2', 'NaN', '-1', '', '7 1700000000');
  const labels = fc.constantFrom(
    '',
    '{}',
    '{a="b"}',
    '{request_type="waiting"}',
    '{a="}\\""}',
    '{a="',
    `{a="${'x'.repeat(9000)}"}`,
    ' ',
    '_total',
  );
  const name = fc.constantFrom(
    'vllm:num_requests_running',
    'vllm:num_requests_waiting',
    'vllm:kv_cache_usage_perc',
    'llamacpp:requests_deferred',
    'nv_trt_llm_request_metrics',
    'sglang:page_size',
    '# TYPE vllm:num_requests_waiting',
    'y'.repeat(8190),
    '\u0000',
  );
  const line = fc
    .tuple(name, labels, value, fc.constantFrom('\n', '\r\n', '\n\n'))
    .map(([a, b, c, d]) => `${a}${b} ${c}${d}`);
  const page = fc.array(fc.oneof({ weight: 3, arbitrary: line }, { weight: 1, arbitrary: fc.string() }), {
    maxLength: 12,
  });

  it('reads as the same page in one piece', () => {
    fc.assert(
      fc.property(page, fc.array(fc.nat(9000), { maxLength: 20 }), (lines, sizes) => {
        const bytes = Buffer.from(lines.join(''));
        const chunks: Uint8Array[] = [];
        let at = 0;
        for (const size of sizes) chunks.push(bytes.subarray(at, (at += size)));
        chunks.push(bytes.subarray(at));
        assert.deepEqual(read(...chunks), read(bytes));
      }),
      { numRuns: 300 },
    );
  });

  it('reads as the same page byte by byte', () => {
    const bytes = Buffer.from(`junk{\n${VLLM}`);
    assert.deepEqual(read(...Array.from(bytes, (byte) => Uint8Array.of(byte))), read(bytes));
  });

  it('never throws on arbitrary bytes', () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (chunks) => void read(...chunks)));
  });
});
