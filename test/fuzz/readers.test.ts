// SPDX-License-Identifier: Apache-2.0

/** Everything that reads untrusted bytes without a socket: it never throws, and what it says can be true. */

import assert from 'node:assert/strict';
import { saneUsage } from '@fairlead/core';
import { describe, it } from 'node:test';
import { loadConfig } from '../../packages/fairlead/src/config/load.ts';
import { scanBody } from '../../packages/fairlead/src/gateway/protocol/body-scan.ts';
import type { BodyFacts } from '../../packages/fairlead/src/gateway/protocol/body-facts.ts';
import { createUsageReader } from '../../packages/fairlead/src/gateway/protocol/usage-reader.ts';
import { ENGINE_METRICS } from '../../packages/fairlead/src/model-servers/engine-metrics.ts';
import { MetricsPage } from '../../packages/fairlead/src/model-servers/metrics-page.ts';
import { fuzz } from '../kit/fuzz.ts';

/** How deep the bytes may be nested without its being our limit that refuses them. */
const MAX_DEPTH = 512;

describe('bytes at random', () => {
  it('as a JSON body are judged and read as JSON.parse does, however they are cut', async (context) => {
    const samples = [
      '{"model":"m","messages":[{"role":"user","content":"hi \\u00e9\\ud83d\\ude00"}],"stream":true,"n":2,"max_tokens":7}',
      '{"prompt":[[1,2],[3]],"model":"a","\\u006dodel":"b","stream_options":{"include_usage":true},"x":-1.5e-3}',
      ' {"input" : ["a", "b"] , "model":null, "deep":[[[[{"model":"evil"}]]]]}\n',
    ];
    const words = [
      '"',
      '\\',
      '\\u',
      '\\ud800',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '0',
      '-',
      'e+',
      'null',
      'tru',
      '"model":',
      '\xff',
      '\xc3\xa9',
      '\0',
      '\ufeff',
    ];
    await fuzz(context, (chance) => {
      const bytes = chance.damaged(samples, words);
      const family = chance.oneOf(['chat', 'completions', 'embeddings', 'other'] as const);
      const whole = scanBody([bytes], family);
      assert.deepEqual(scanBody(chance.cut(bytes), family), whole, 'the same however it is cut');
      const parsed = parsedObject(bytes);
      const isWellFormed = !('message' in whole) || whole.param !== undefined;
      if (parsed === undefined) assert.ok(!isWellFormed, 'JSON.parse refuses it');
      else if (!isWellFormed) assert.ok(depthOf(bytes) > MAX_DEPTH, `JSON.parse takes it: ${JSON.stringify(whole)}`);
      if (parsed === undefined || 'message' in whole) return;
      const read: BodyFacts = whole;
      assert.equal(read.model, parsed['model'] ?? undefined);
      assert.equal(read.stream, parsed['stream'] === true);
      assert.ok(Number.isSafeInteger(read.sequences) && read.sequences >= 1);
    });
  });

  it('as an answer tell of tokens what can be true, and the same however they are cut', async (context) => {
    const samples = [
      'data: {"id":"x","choices":[{"delta":{"content":"hi"}}]}\n\ndata: {"usage":{"prompt_tokens":5,"completion_tokens":7}}\n\ndata: [DONE]\n\n',
      'event: message_start\r\ndata: {"type":"message_start","message":{"usage":{"input_tokens":25,"output_tokens":1}}}\r\n\r\n',
      '{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":3}}}',
      '{"text":"x","meta_info":{"prompt_tokens":3,"completion_tokens":4}}',
    ];
    const words = [
      '"usage":',
      '{',
      '}',
      '"',
      '\\',
      '\n',
      '\n\n',
      '\r',
      'data: ',
      '-1',
      '1e99',
      'null',
      '"5"',
      '[',
      '\xff',
      '9'.repeat(30),
    ];
    await fuzz(context, (chance) => {
      const bytes = chance.damaged(samples, words);
      const type = chance.oneOf(['text/event-stream', 'application/json', undefined, 'text/plain']);
      const api = chance.oneOf(['openai', 'anthropic', 'sglang'] as const);
      const read = (chunks: readonly Uint8Array[]) => {
        const reader = createUsageReader(type, api);
        for (const chunk of chunks) reader.push(chunk);
        return reader.end();
      };
      const whole = read([bytes]);
      const pieces = read(chance.cut(bytes));
      // Of nonsense nothing true can be said, only nothing that cannot be.
      if (isAnswer(bytes.toString('latin1'))) assert.deepEqual(pieces, whole, 'the same however it is cut');
      for (const tokens of [whole, pieces].flatMap((usage): unknown[] => Object.values(saneUsage(usage) ?? {}))) {
        assert.ok(
          tokens === undefined || (Number.isSafeInteger(tokens) && Number(tokens) >= 0),
          `${String(tokens)} tokens`,
        );
      }
    });
  });

  it('as a metrics page tell what can be true, and the same however they are cut', async (context) => {
    const samples = [
      '# HELP x\nvllm:num_requests_running{model_name="m"} 3.0\nvllm:num_requests_waiting{model_name="m"} 2\nvllm:kv_cache_usage_perc{a="b"} 0.25\n',
      'llamacpp:requests_processing 1\nllamacpp:requests_deferred 0\nllamacpp:kv_cache_usage_ratio 0.5\n',
      'sglang:num_running_reqs{engine="a}\\""} 1 1700000000\nsglang:num_queue_reqs 2\r\nsglang:token_usage 0.1\n',
      'vllm:cache_config_info{block_size="16",num_gpu_blocks="4096"} 1\nvllm:lora_requests_info{running_lora_adapters="a,b",waiting_lora_adapters="",max_lora="2"} 1\n',
    ];
    const words = [
      'NaN',
      '+Inf',
      '-1',
      '1e400',
      '{',
      '}',
      '"',
      '\\"',
      ',',
      '=',
      '\n',
      '#',
      ' ',
      '\t',
      '\xff',
      '\0',
      'vllm:',
      '_total',
    ];
    await fuzz(context, (chance) => {
      const bytes = chance.damaged(samples, words);
      const read = (chunks: readonly Uint8Array[]) => {
        const page = new MetricsPage(ENGINE_METRICS);
        for (const chunk of chunks) if (!page.write(chunk)) break;
        return page.end();
      };
      const whole = read([bytes]);
      assert.deepEqual(read(chance.cut(bytes)), whole, 'the same however it is cut');
      if ('problem' in whole) return;
      const { running = 0, waiting, kvUsage = 0 } = whole.metrics;
      for (const count of [running, waiting]) assert.ok(Number.isFinite(count) && count >= 0, `a count of ${count}`);
      assert.ok(kvUsage >= 0 && kvUsage <= 1, `a use of ${kvUsage}`);
    });
  });

  it('as a configuration are a configuration or problems with a place', async (context) => {
    const samples = [
      'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nplugins:\n  - type: round-robin-fairness-policy\n    name: rr\nflowControl:\n  maxBytes: 5Gi\n  priorityBands:\n    - { priority: 1, fairnessPolicyRef: rr }\n',
      'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nendpoints:\n  - url: http://127.0.0.1:8000\ngateway: { maxBodyBytes: 1Mi, requestTimeout: 5m }\nidentity:\n  keys:\n    - { sha256: "' +
        'a'.repeat(64) +
        '", tenant: t, priority: 3 }\n',
    ];
    const words = [
      '&a',
      '*a',
      '<<: *a',
      '!!js/x ',
      '|\n',
      '>\n',
      '? ',
      '- ',
      ': ',
      '{',
      '}',
      '[',
      ']',
      "'",
      '"',
      '\t',
      '\n---\n',
      '__proto__: ',
      '%YAML 9\n',
      '1e999',
      '~',
      '\xff',
      '\0',
    ];
    await fuzz(context, async (chance) => {
      const text = chance.damaged(samples, words).toString('latin1');
      const { problems } = await loadConfig({ text, defaults: 'serve' });
      for (const { message, line, column } of problems ?? []) {
        assert.ok(message.length > 0 && !/undefined|\[object/.test(message), message);
        assert.ok((line ?? 1) >= 1 && (column ?? 1) >= 1, `${line}:${column}`);
      }
    });
  });
});

/** One JSON object, or events that each have one. */
function isAnswer(text: string): boolean {
  const events = text.split(/\r?\n\r?\n/).filter((event) => event.trim() !== '');
  const data = events.map((event) => /^(?:event: \w+\r?\n)?data: (.*)$/.exec(event)?.[1]);
  if (data.every((each) => each !== undefined)) return data.every((each) => each === '[DONE]' || isObject(each));
  return isObject(text);
}

function isObject(text: string): boolean {
  return parsedObject(Buffer.from(text, 'latin1')) !== undefined;
}

function parsedObject(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(bytes.toString()) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** At least as deep as the bytes are nested. */
function depthOf(bytes: Buffer): number {
  return bytes.filter((byte) => byte === 0x7b || byte === 0x5b).length;
}
