// SPDX-License-Identifier: Apache-2.0

/**
 * The official `openai` client, used as its documentation shows, against a model server.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI, { APIError, NotFoundError } from 'openai';
import type { ModelServer } from './model-server.ts';
import { startModelServer } from './model-server.ts';

let server: ModelServer;
let client: OpenAI;
const messages = [{ role: 'user' as const, content: 'Say something about ships.' }];

before(async () => {
  server = await startModelServer({ prefillMs: 1, tokenMs: 0.1 });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
});
after(() => server.destroy());

test('a chat, streamed, says the same as the chat in one piece', async () => {
  const whole = await client.chat.completions.create({ model: 'demo-model', messages, max_tokens: 20 });
  const stream = await client.chat.completions.create({
    model: 'demo-model',
    messages,
    max_tokens: 20,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = '';
  let usage;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0]?.message.content);
  assert.equal(text.split(' ').length, 20);
  assert.equal(usage?.completion_tokens, 20);
  assert.deepEqual(usage, whole.usage);
});

test('completions, embeddings and the list of models parse', async () => {
  const completion = await client.completions.create({ model: 'demo-model', prompt: ['a', 'b'], max_tokens: 2 });
  assert.equal(completion.choices.length, 2);
  const embeddings = await client.embeddings.create({ model: 'demo-model', input: 'ship', dimensions: 8 });
  assert.equal(embeddings.data[0]?.embedding.length, 8);
  const models = await client.models.list();
  assert.deepEqual(
    models.data.map(({ id }) => id),
    ['demo-model'],
  );
});

test('errors arrive as the client knows them, with message and type', async () => {
  await assert.rejects(client.chat.completions.create({ model: 'other', messages }), (error: unknown) => {
    assert(error instanceof NotFoundError);
    assert.match(error.message, /The model `other` does not exist/);
    assert.equal(error.type, 'NotFoundError');
    return true;
  });
  server.set({ failRate: 1 });
  await assert.rejects(client.chat.completions.create({ model: 'demo-model', messages }), (error: unknown) => {
    assert(error instanceof APIError);
    assert.equal(error.status, 500);
    return true;
  });
  server.set({ failRate: 0 });
});

test('aborting a stream frees its slot', async () => {
  server.set({ tokenMs: 1e6 });
  const stream = await client.chat.completions.create({ model: 'demo-model', messages, stream: true });
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
  while (server.stats().running > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(server.stats().aborted, 1);
  server.set({ tokenMs: 0.1 });
});
