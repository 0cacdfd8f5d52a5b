// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { originForm, Routes } from './routes.ts';

const routes = new Routes(['/v1/custom', '/v1/chat/completions']);

describe('the routes', () => {
  it('know the families that weigh sequences, and keep them when a path is configured once more', () => {
    assert.deepEqual(routes.find('POST', '/v1/chat/completions'), {
      kind: 'inference',
      path: '/v1/chat/completions',
      api: 'openai',
      family: 'chat',
    });
    assert.partialDeepStrictEqual(routes.find('POST', '/v1/completions'), { family: 'completions' });
    assert.partialDeepStrictEqual(routes.find('POST', '/v1/embeddings'), { family: 'embeddings' });
    assert.partialDeepStrictEqual(routes.find('POST', '/v1/custom'), { kind: 'inference', family: 'other' });
  });

  it('relay by allow-list: whatever only an operator should reach is unknown', () => {
    for (const path of ['/', '/v1/load_lora_adapter', '/sleep', '/metrics', '/v1/chat/completions/', '/V1/models']) {
      assert.deepEqual(routes.find('POST', path), { kind: 'unknown', api: 'openai' }, path);
    }
    assert.equal(routes.find('POST', '/v1/../sleep').kind, 'unknown');
    assert.equal(routes.find('POST', '/v1/chat%2fcompletions').kind, 'unknown');
  });

  it('answer in the dialect of the path', () => {
    assert.partialDeepStrictEqual(routes.find('POST', '/v1/messages?beta=true'), {
      kind: 'inference',
      api: 'anthropic',
    });
    assert.partialDeepStrictEqual(routes.find('GET', '/v1/messages'), { kind: 'wrong-method', api: 'anthropic' });
    assert.deepEqual(routes.find('POST', '/v1/messages/x'), { kind: 'unknown', api: 'anthropic' });
    for (const [path, api] of [
      ['/v1/responses', 'responses'],
      ['/inference/v1/generate', 'vllm'],
      ['/generate', 'sglang'],
    ] as const) {
      assert.partialDeepStrictEqual(routes.find('POST', path), { kind: 'inference', api });
    }
  });

  it('know what is asked for by those who think that something is stored', () => {
    for (const [path, api] of [
      ['/v1/responses/resp_1', 'openai'],
      ['/v1/responses/resp_1/cancel', 'openai'],
      ['/v1/chat/completions/chatcmpl-1', 'openai'],
      ['/v1/conversations', 'openai'],
      ['/v1/messages/batches', 'anthropic'],
    ] as const) {
      assert.deepEqual(routes.find('GET', path), { kind: 'stored', api });
    }
  });

  it('say which methods a path takes', () => {
    assert.deepEqual(routes.find('PUT', '/v1/embeddings'), {
      kind: 'wrong-method',
      api: 'openai',
      path: '/v1/embeddings',
      allow: 'POST',
    });
    assert.partialDeepStrictEqual(routes.find('DELETE', '/v1/models/x'), { kind: 'wrong-method', allow: 'GET, HEAD' });
    assert.partialDeepStrictEqual(routes.find('HEAD', '/v1/models'), { kind: 'models' });
  });

  it('find a model by its name, slashes and escapes included', () => {
    assert.partialDeepStrictEqual(routes.find('GET', '/v1/models/meta-llama/Llama-3?x=1'), {
      id: 'meta-llama/Llama-3',
    });
    assert.partialDeepStrictEqual(routes.find('GET', '/v1/models/meta-llama%2FLlama-3'), { id: 'meta-llama/Llama-3' });
    assert.equal(routes.find('GET', '/v1/models/%zz').kind, 'unknown');
    assert.equal(routes.find('GET', '/v1/models/').kind, 'unknown');
  });

  it('read targets in absolute form, as proxies send them', () => {
    assert.equal(originForm('http://example.org/v1/models?x'), '/v1/models?x');
    assert.equal(originForm('HTTPS://example.org:8443'), '/');
    assert.equal(originForm('https://example.org?x=/v1/models'), '/?x=/v1/models');
    assert.equal(originForm('/v1/models'), '/v1/models');
    assert.equal(originForm('*'), '*');
    assert.equal(routes.find('GET', 'http://example.org/v1/models').kind, 'models');
  });
});
