// SPDX-License-Identifier: Apache-2.0

/**
 * What a client sees on the wire: the routes, the exact shape of streamed and whole answers, and the error bodies, over
 * real sockets.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { ModelServer } from './model-server.ts';
import { startModelServer } from './model-server.ts';

let server: ModelServer;

before(async () => {
  server = await startModelServer({
    models: ['big', 'alias'],
    adapters: ['ada'],
    prefillMs: 1,
    tokenMs: 0.1,
    maxModelLen: 100,
    maxBodyBytes: 10_000,
  });
});
after(() => server.destroy());

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return fetch(server.url + path, { method: 'POST', body: text, headers });
}

async function postJson(path: string, body: unknown): Promise<unknown> {
  const response = await post(path, body);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'application/json');
  return response.json();
}

/** The data of each event; the framing between them must be exact. */
async function events(response: Response): Promise<string[]> {
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  const text = await response.text();
  assert(text.startsWith('data: ') && text.endsWith('\n\n'), text);
  return text.slice('data: '.length, -2).split('\n\ndata: ');
}

const CHAT = { model: 'big', messages: [{ role: 'user', content: 'hello there' }] };
const USAGE = { prompt_tokens: 3, total_tokens: 5, completion_tokens: 2, prompt_tokens_details: null };

describe('streamed answers', () => {
  test('a chat begins with the role, ends with a finish reason, then usage when asked, then [DONE]', async () => {
    const asked = { ...CHAT, stream: true, max_tokens: 2, stream_options: { include_usage: true } };
    const data = await events(await post('/v1/chat/completions', asked, { 'x-request-id': 'r1' }));
    assert.equal(data.pop(), '[DONE]');
    const chunks = data.map((text) => JSON.parse(text) as { created: number });
    const head = { id: 'chatcmpl-r1', object: 'chat.completion.chunk', created: chunks[0]?.created, model: 'big' };
    const choice = (delta: unknown, ending: Record<string, unknown> = { finish_reason: null }): unknown => ({
      ...head,
      choices: [{ index: 0, delta, logprobs: null, ...ending }],
    });
    assert.deepEqual(chunks, [
      choice({ role: 'assistant', content: '' }),
      choice({ content: 'come' }),
      choice({ content: ' on' }, { finish_reason: 'length', stop_reason: null }),
      { ...head, choices: [], usage: USAGE },
    ]);
  });

  test('a completion streams text, and no usage unless asked', async () => {
    const data = await events(await post('/v1/completions', { prompt: 'hello there', stream: true, max_tokens: 2 }));
    assert.equal(data.pop(), '[DONE]');
    const chunks = data.map((text) => JSON.parse(text) as { object: string; choices: unknown[] });
    assert.deepEqual(
      chunks.map((chunk) => [chunk.object, ...chunk.choices]),
      [
        ['text_completion', { index: 0, text: 'come', logprobs: null, finish_reason: null }],
        ['text_completion', { index: 0, text: ' on', logprobs: null, finish_reason: 'length', stop_reason: null }],
      ],
    );
  });

  test('several prompts with several samples each are choices of one stream', async () => {
    const asked = { prompt: ['one', 'another'], n: 2, stream: true, max_tokens: 3 };
    const data = await events(await post('/v1/completions', asked));
    assert.equal(data.pop(), '[DONE]');
    const counts = [0, 0, 0, 0];
    for (const text of data) {
      const [choice] = (JSON.parse(text) as { choices: { index: number }[] }).choices;
      const index = choice?.index ?? -1;
      counts[index] = (counts[index] ?? 0) + 1;
    }
    assert.deepEqual(counts, [3, 3, 3, 3]);
  });
});

describe('whole answers', () => {
  test('a chat has a message and the usage', async () => {
    const body = (await postJson('/v1/chat/completions', { ...CHAT, max_completion_tokens: 2 })) as {
      choices: unknown[];
      usage: unknown;
    };
    const message = { role: 'assistant', content: 'come on', refusal: null, tool_calls: [] };
    assert.deepEqual(body.choices, [{ index: 0, message, logprobs: null, finish_reason: 'length', stop_reason: null }]);
    assert.deepEqual(body.usage, USAGE);
  });

  test('without a maximum the model ends by itself after 64 tokens, and the context caps any maximum', async () => {
    const ending = async (asked: Record<string, unknown>): Promise<unknown> => {
      const body = (await postJson('/v1/completions', { prompt: [1, 2, 3], ...asked })) as {
        choices: { finish_reason: string }[];
        usage: { completion_tokens: number; prompt_tokens: number };
      };
      return [body.choices[0]?.finish_reason, body.usage.prompt_tokens, body.usage.completion_tokens];
    };
    assert.deepEqual(await ending({}), ['stop', 3, 64]);
    assert.deepEqual(await ending({ max_tokens: 5000, ignore_eos: true }), ['length', 3, 97]);
  });

  test('token arrays are prompts of their own, and usage adds up over prompts and samples', async () => {
    const body = (await postJson('/v1/completions', { prompt: [[1, 2], [3]], n: 2, max_tokens: 4 })) as {
      choices: unknown[];
      usage: { total_tokens: number };
    };
    assert.equal(body.choices.length, 4);
    assert.equal(body.usage.total_tokens, 3 + 16);
  });

  test('embeddings come as floats or as base64 of the same numbers', async () => {
    const ask = async (encoding: string): Promise<unknown> => {
      const asked = { model: 'big', input: ['a', 'b'], dimensions: 4, encoding_format: encoding };
      return ((await postJson('/v1/embeddings', asked)) as { data: { embedding: unknown }[] }).data[1]?.embedding;
    };
    const floats = (await ask('float')) as number[];
    const bytes = Buffer.from((await ask('base64')) as string, 'base64');
    assert.deepEqual(
      floats.map((_, index) => bytes.readFloatLE(index * 4)),
      floats,
    );
  });
});

describe('other routes', () => {
  test('/v1/models lists every name, and adapters with their parent', async () => {
    const list = (await (await fetch(`${server.url}/v1/models`)).json()) as { data: { id: string; parent: unknown }[] };
    assert.deepEqual(
      list.data.map(({ id, parent }) => [id, parent]),
      [
        ['big', null],
        ['alias', null],
        ['ada', 'big'],
      ],
    );
  });

  test('/health is empty and 200, /version names a version', async () => {
    const health = await fetch(`${server.url}/health`);
    assert.deepEqual([health.status, await health.text()], [200, '']);
    assert.match(await (await fetch(`${server.url}/version`)).text(), /^\{"version":"[^"]+"\}$/);
  });

  test('/metrics has the load, the adapters at work and the latencies under their vLLM names', async () => {
    const slow = await startModelServer({ models: ['m"x'], adapters: ['ada', 'bob'], maxNumSeqs: 1, prefillMs: 1e6 });
    try {
      const asks = ['ada', 'bob'].map((model) =>
        fetch(`${slow.url}/v1/completions`, {
          method: 'POST',
          body: JSON.stringify({ model, prompt: 'x', stream: true }),
        }),
      );
      await Promise.all(asks);
      const page = await (await fetch(`${slow.url}/metrics`)).text();
      for (const line of [
        'vllm:num_requests_running{engine="0",model_name="m\\"x"} 1.0',
        'vllm:num_requests_waiting{engine="0",model_name="m\\"x"} 1.0',
        'vllm:time_to_first_token_seconds_bucket{engine="0",model_name="m\\"x",le="+Inf"} 0.0',
        'vllm:cache_config_info{block_size="16",cache_dtype="auto",engine="0",num_gpu_blocks="4096"} 1.0',
      ]) {
        assert(page.includes(`\n${line}\n`), `${line} in\n${page}`);
      }
      assert.match(page, /vllm:kv_cache_usage_perc\{[^}]+\} 0\.00\d+\n/);
      assert.match(
        page,
        /lora_requests_info\{max_lora="2",running_lora_adapters="(ada|bob)",waiting_lora_adapters="(?!\1)(ada|bob)"\} \d/,
      );
    } finally {
      await slow.destroy();
    }
  });

  test('the log holds what was asked, headers and body', async () => {
    await post('/v1/completions?x=1', { prompt: 'logged', max_tokens: 1 }, { 'x-request-id': 'seen', 'x-mark': 'yes' });
    const entry = server.requests.find(({ id }) => id === 'seen');
    assert.equal(entry?.url, '/v1/completions?x=1');
    assert.equal(entry.headers['x-mark'], 'yes');
    assert.equal(entry.body, '{"prompt":"logged","max_tokens":1}');
  });
});

describe('bad requests', () => {
  const refusals: readonly [title: string, path: string, body: unknown, status: number, message: RegExp][] = [
    ['JSON cut short', '/v1/completions', '{"prompt": "x', 400, /json_invalid.*position 13/],
    ['a body that is no object', '/v1/completions', '[]', 400, /must be a JSON object/],
    ['no messages', '/v1/chat/completions', {}, 400, /'body', 'messages'.*Field required/],
    ['empty messages', '/v1/chat/completions', { messages: [] }, 400, /at least one message/],
    ['no prompt', '/v1/completions', {}, 400, /'body', 'prompt'.*Field required/],
    ['a mixed prompt list', '/v1/completions', { prompt: ['a', 1] }, 400, /prompt must be a string, an array/],
    ['no input', '/v1/embeddings', {}, 400, /'body', 'input'.*Field required/],
    ['an unknown model', '/v1/completions', { model: 'no', prompt: 'x' }, 404, /The model `no` does not exist/],
    ['max_tokens of 0', '/v1/completions', { prompt: 'x', max_tokens: 0 }, 400, /max_tokens must be an integer from 1/],
    ['too many sequences', '/v1/completions', { prompt: ['x', 'y'], n: 1000 }, 400, /may start 1024 sequences/],
    ['too many inputs', '/v1/embeddings', { input: Array(1025).fill('x') }, 400, /may hold 1024 prompts, got 1025/],
    [
      'a prompt beyond the context',
      '/v1/completions',
      { prompt: 'x'.repeat(400) },
      400,
      /maximum context length is 100/,
    ],
    [
      'a stream that is no boolean',
      '/v1/completions',
      { prompt: 'x', stream: 'yes' },
      400,
      /stream must be true or false/,
    ],
    ['a body over the limit', '/v1/completions', { prompt: 'x'.repeat(20_000) }, 413, /may have 10000 bytes/],
    ['an unknown path', '/v1/nothing', {}, 404, /Not Found/],
    ['control that is not on', '/control', {}, 404, /Not Found/],
    ['a wrong method', '/v1/models', {}, 405, /Method Not Allowed/],
  ];
  for (const [title, path, body, status, message] of refusals) {
    test(`${title} gets ${status} in vLLM's error shape`, async () => {
      const response = await post(path, body);
      const { error } = (await response.json()) as { error: { message: string; type: string; code: number } };
      assert.equal(response.status, status);
      assert.match(error.message, message);
      assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code']);
      assert.equal(error.code, status);
    });
  }

  test('a chunked body over the limit gets 413 while it is still being sent', async () => {
    const request = httpRequest(`${server.url}/v1/completions`, { method: 'POST' });
    request.on('error', () => undefined);
    request.write('x'.repeat(10_001));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    assert.equal(response.statusCode, 413);
    const closed = new Promise((resolve) => response.once('close', resolve));
    response.on('error', () => undefined).resume();
    await closed;
    request.destroy();
  });

  test('bytes that are no request at all get 400 and the connection is closed', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write('\u0000 nonsense\r\n\r\n');
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    assert.match(Buffer.concat(chunks).toString(), /^HTTP\/1\.1 400 /);
  });
});
