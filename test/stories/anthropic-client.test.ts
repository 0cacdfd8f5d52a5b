// SPDX-License-Identifier: Apache-2.0

/** What the official `@anthropic-ai/sdk` client sees through the gateway. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { hashKey } from '../../packages/fairlead/src/tenancy/hash-key.ts';
import type { ModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { openHouse, smallHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';

const messages = [{ role: 'user' as const, content: 'Tell me a story.' }];
const asked = { model: 'm', messages, max_tokens: 6 };

const tools: Anthropic.Tool[] = [
  {
    name: 'tide',
    description: 'When the tide comes',
    input_schema: { type: 'object', properties: { port: { type: 'string' }, days: { type: 'integer', minimum: 2 } } },
  },
];

/** The official client, as a tenant who shows `key`. */
function client(house: House, key = 'a key'): Anthropic {
  return new Anthropic({ baseURL: house.url, apiKey: key, maxRetries: 0 });
}

describe('Anthropic’s client', () => {
  let house: House;
  let server: ModelServer;
  before(async () => {
    [house, server] = await smallHouse();
  });
  after(async () => {
    await house.close();
    await server.destroy();
  });

  it('gets a message, the request id where it looks for it, and is a tenant by its key', async () => {
    const headers = { 'anthropic-beta': 'some-beta-2026-01-01', 'x-request-id': 'mine' };
    const message = await client(house, 'the-secret').messages.create(asked, { headers });
    assert.partialDeepStrictEqual(message, {
      role: 'assistant',
      stop_reason: 'max_tokens',
      content: [{ type: 'text' }],
    });
    assert.equal(message._request_id, 'mine');
    await house.quiet();
    const report = (await house.heard('report')).find(({ id }) => id === 'mine');
    assert.partialDeepStrictEqual(report, {
      status: 200,
      tenant: `key-${hashKey('the-secret').slice(0, 12)}`,
      usage: { promptTokens: message.usage.input_tokens, completionTokens: 6 },
    });
    const received = server.requests.at(-1);
    assert.match(String(received?.headers['anthropic-version']), /^\d{4}-\d\d-\d\d$/);
    assert.equal(received?.headers['anthropic-beta'], 'some-beta-2026-01-01');
    assert.doesNotMatch(JSON.stringify(received), /the-secret/);
  });

  it('gets a stream to its end, which says the same, and its usage is put together in passing', async () => {
    const whole = await client(house).messages.create(asked);
    const stream = client(house, 'streams').messages.stream(asked);
    const streamed = await stream.finalMessage();
    assert.deepEqual(streamed.content, whole.content);
    assert.equal(streamed.stop_reason, 'max_tokens');
    assert.deepEqual([streamed.usage.input_tokens, streamed.usage.output_tokens], [whole.usage.input_tokens, 6]);
    await house.quiet();
    const report = (await house.heard('report')).findLast(({ streamed: isStream }) => isStream === true);
    const usage = { promptTokens: whole.usage.input_tokens, completionTokens: 6 };
    assert.partialDeepStrictEqual(report, { ending: 'succeeded', usage });
  });

  it('has tools called, streamed or not, and goes on with what they say', async () => {
    const question = { ...asked, max_tokens: 100, tools, tool_choice: { type: 'any' as const } };
    const whole = await client(house).messages.create(question);
    const [call] = whole.content;
    assert.ok(call?.type === 'tool_use');
    assert.equal(whole.stop_reason, 'tool_use');
    assert.partialDeepStrictEqual(call, { name: 'tide', input: { days: 2 } });
    const streamed = await client(house).messages.stream(question).finalMessage();
    assert.partialDeepStrictEqual(streamed.content[0], { type: 'tool_use', name: 'tide', input: call.input as object });
    const result = [{ type: 'tool_result' as const, tool_use_id: call.id, content: 'at noon' }];
    const next = await client(house).messages.create({
      ...{ model: 'm', max_tokens: 6, tools },
      messages: [...messages, { role: 'assistant', content: whole.content }, { role: 'user', content: result }],
    });
    assert.equal(next.content[0]?.type, 'text');
  });

  it('counts tokens', async () => {
    const { input_tokens: counted } = await client(house).messages.countTokens({ model: 'm', messages });
    assert.equal(counted, (await client(house).messages.create(asked)).usage.input_tokens);
  });

  it('lists the models in its own form', async () => {
    const listed: Anthropic.ModelInfo[] = [];
    for await (const model of client(house).models.list({ limit: 1 })) listed.push(model);
    assert.partialDeepStrictEqual(listed, [{ type: 'model', id: 'm', display_name: 'm' }]);
    assert.ok(!Number.isNaN(Date.parse(listed[0]!.created_at)));
    assert.equal((await client(house).models.retrieve('m')).id, 'm');
    await assert.rejects(client(house).models.retrieve('x'), Anthropic.NotFoundError);
  });

  it('gets an error of its own class for everything that is wrong, with type, words and request id', async () => {
    await assert.rejects(client(house).messages.create({ ...asked, model: 'x' }), (error) => {
      assert.ok(error instanceof Anthropic.NotFoundError);
      assert.equal(error.type, 'not_found_error');
      assert.match(error.message, /`x` does not exist; served here: m\./);
      assert.ok(error.requestID);
      assert.equal((error.error as { request_id?: string }).request_id, error.requestID);
      return true;
    });
    await assert.rejects(client(house).messages.create({ ...asked, model: '' }), Anthropic.BadRequestError);
    await assert.rejects(client(house).messages.batches.list().then(), (error) => {
      assert.ok(error instanceof Anthropic.NotFoundError);
      assert.match(error.message, /keeps no responses, conversations, batches or files/);
      return true;
    });
    // A mistake only the model server can see is its answer, passed on.
    await assert.rejects(
      client(house).messages.create({ model: 'm', max_tokens: 1 } as never),
      Anthropic.BadRequestError,
    );
  });
});

describe('Anthropic’s client, refused', () => {
  it('for want of room learns that it is a rate limit; for want of servers, that they are overloaded', async () => {
    const [house, server] = await smallHouse({ limit: 1, maxRequests: 1 });
    server.set({ stallAfter: 0 });
    const stop = new AbortController();
    const waiting = [1, 2].map(() => client(house, 'other').messages.create(asked, { signal: stop.signal }));
    await house.heard('enqueued', 2);
    await assert.rejects(client(house).messages.create(asked), (error) => {
      assert.ok(error instanceof Anthropic.RateLimitError);
      assert.equal(error.type, 'rate_limit_error');
      assert.match(error.headers.get('retry-after-ms') ?? '', /^\d+$/);
      return true;
    });
    stop.abort();
    await Promise.allSettled(waiting);
    await house.close();
    const closed = await openHouse({ servers: [{ url: server.url, models: ['m'] }], ttlMs: 20 });
    await server.destroy();
    await assert.rejects(client(closed).messages.create(asked), (error) => {
      assert.ok(error instanceof Anthropic.APIError);
      assert.equal(error.status, 503);
      assert.equal(error.type, 'overloaded_error');
      return true;
    });
    await closed.close();
  });

  it('for its key learns that, and no more', async () => {
    const keys = [{ sha256: hashKey('right'), tenant: 'acme', priority: 0, weight: 1 }];
    const [house, server] = await smallHouse({ identity: { keys } });
    await assert.rejects(client(house, 'wrong').messages.create(asked), Anthropic.AuthenticationError);
    await client(house, 'right').messages.create(asked);
    assert.partialDeepStrictEqual((await house.heard('report', 2))[1], { tenant: 'acme', verified: true });
    await house.close();
    await server.destroy();
  });
});

describe('Anthropic’s client, leaving', () => {
  it('while it waits frees its place at once', async () => {
    const [house, server] = await smallHouse({ limit: 1 });
    server.set({ stallAfter: 0 });
    const stop = new AbortController();
    const held = client(house, 'a').messages.create(asked, { signal: stop.signal });
    await house.heard('dispatched');
    const leaver = new AbortController();
    const left = client(house, 'b').messages.create(asked, { signal: leaver.signal });
    await house.heard('enqueued', 2);
    leaver.abort();
    await assert.rejects(left, Anthropic.APIUserAbortError);
    assert.equal((await house.heard('evicted'))[0]?.cause, 'cancelled');
    assert.equal(server.stats().received, 1, 'it never reached the model server');
    stop.abort();
    await assert.rejects(held);
    await house.quiet();
    house.assertEmpty();
    await house.close();
    await server.destroy();
  });

  it('in the middle of a stream frees the model server at once', async () => {
    const [house, server] = await smallHouse();
    const stream = client(house).messages.stream({ ...asked, max_tokens: 8000 });
    for await (const event of stream) if (event.type === 'content_block_delta') break;
    assert.equal((await house.heard('ended'))[0]?.ending, 'cancelled');
    await client(house).messages.create(asked);
    assert.equal(server.stats().aborted, 1);
    await house.quiet();
    house.assertEmpty();
    await house.close();
    await server.destroy();
  });
});

describe('Anthropic’s client, when the model server dies in the middle of a stream', () => {
  it('raises an error after what came before', async () => {
    const [house, server] = await smallHouse();
    server.set({ stallAfter: 3 });
    const events = await client(house).messages.create({ ...asked, stream: true });
    let words = 0;
    const read = async (): Promise<void> => {
      for await (const event of events) {
        if (event.type === 'content_block_delta' && (words += 1) === 3) await server.destroy();
      }
    };
    await assert.rejects(read(), (error) => {
      assert.ok(error instanceof Anthropic.APIError);
      assert.match(error.message, /stopped in the middle of its answer/);
      assert.equal(error.type, 'api_error');
      return true;
    });
    assert.equal(words, 3);
    await house.quiet();
    house.assertEmpty();
    await house.close();
  });
});
