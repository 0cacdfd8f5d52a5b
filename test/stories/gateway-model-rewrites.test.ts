// SPDX-License-Identifier: Apache-2.0

/** Names that stand for models: what the server is asked for, and what the client is told. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { openHouse } from '../kit/house.ts';

const messages = [{ role: 'user' as const, content: 'hi' }];
const modelRewrites = [{ name: 'public', models: ['chat-latest'], targets: [{ modelRewrite: 'llama' }] }];

describe('A name that stands for a model', () => {
  it('is what clients ask for, list and read in whole answers and streams, while the server knows its own only', async () => {
    const server = await startModelServer({ prefillMs: 1, tokenMs: 1, models: ['llama'] });
    const house = await openHouse({ servers: [{ url: server.url, models: ['llama'] }], config: { modelRewrites } });
    try {
      const client = house.client();
      const whole = await client.chat.completions.create({ model: 'chat-latest', messages, max_tokens: 3 });
      assert.equal(whole.model, 'chat-latest');
      const stream = await client.chat.completions.create({
        model: 'chat-latest',
        messages,
        max_tokens: 3,
        stream: true,
      });
      let chunks = 0;
      for await (const { model } of stream) {
        assert.equal(model, 'chat-latest');
        chunks += 1;
      }
      assert.ok(chunks >= 3);
      const direct = await client.chat.completions.create({ model: 'llama', messages, max_tokens: 3 });
      assert.equal(direct.model, 'llama');
      const ids: string[] = [];
      for await (const { id } of client.models.list()) ids.push(id);
      assert.deepEqual(ids, ['llama', 'chat-latest']);
      const reports = (await house.heard('report', 3)).filter(({ route }) => route === '/v1/chat/completions');
      assert.deepEqual(
        reports.map(({ model, targetModel, modelRewrite, status }) => [model, targetModel, modelRewrite, status]),
        [
          ['chat-latest', 'llama', 'public', 200],
          ['chat-latest', 'llama', 'public', 200],
          ['llama', 'llama', undefined, 200],
        ],
      );
      await house.quiet();
      house.assertEmpty();
    } finally {
      await house.close();
      await server.close();
    }
  });

  it('may be given in a header, by a trusted source alone', async () => {
    const server = await startModelServer({ prefillMs: 1, tokenMs: 1, models: ['llama'] });
    for (const [trustedSources, status] of [
      [['127.0.0.0/8'], 200],
      [[], 404],
    ] as const) {
      const house = await openHouse({
        servers: [{ url: server.url, models: ['llama'] }],
        identity: { trustedSources },
      });
      try {
        const answer = await fetch(`${house.url}/v1/completions`, {
          method: 'POST',
          headers: { 'x-llm-d-model-name-rewrite': 'llama' },
          body: JSON.stringify({ model: 'alias', prompt: 'x', max_tokens: 2 }),
        });
        assert.equal(answer.status, status);
        const body = (await answer.json()) as { model?: string };
        assert.equal(body.model, status === 200 ? 'alias' : undefined);
        await house.quiet();
        house.assertEmpty();
      } finally {
        await house.close();
      }
    }
    await server.close();
  });
});
