// SPDX-License-Identifier: Apache-2.0

/** What the official `openai` client sees through the gateway. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import OpenAI from 'openai';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { openHouse, smallHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';

const messages = [{ role: 'user' as const, content: 'Tell me a story.' }];

describe('the official client', () => {
  let house: House;
  let server: ModelServer;
  before(async () => {
    [house, server] = await smallHouse();
  });
  after(async () => {
    await house.close();
    await server.destroy();
  });

  it('gets a plain answer, with the request id and the time in the queue', async () => {
    const { data, response } = await house
      .client()
      .chat.completions.create({ model: 'm', messages, max_tokens: 5 }, { headers: { 'x-request-id': 'my id' } })
      .withResponse();
    assert.equal(data.choices.length, 1);
    assert.equal(data.usage?.completion_tokens, 5);
    assert.equal(response.headers.get('x-request-id'), 'my id');
    assert.match(response.headers.get('x-fairlead-queue-ms') ?? '', /^\d+$/);
    const reports = await house.heard('report');
    assert.partialDeepStrictEqual(
      reports.find(({ id }) => id === 'my id'),
      {
        status: 200,
        ending: 'succeeded',
        model: 'm',
        endpoint: 'server-0',
        usage: { completionTokens: 5 },
      },
    );
    assert.partialDeepStrictEqual(server.requests.at(-1)?.headers, { 'x-request-id': 'my id' });
  });

  it('gets a stream to its last event, and its usage is read in passing', async () => {
    const stream = await house.client('streams').chat.completions.create({
      model: 'm',
      messages,
      max_tokens: 7,
      stream: true,
      stream_options: { include_usage: true },
    });
    let words = 0;
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) words += 1;
      usage = chunk.usage ?? usage;
    }
    assert.equal(words, 7);
    assert.equal(usage?.completion_tokens, 7);
    const report = (await house.heard('report')).findLast(({ streamed }) => streamed === true);
    assert.partialDeepStrictEqual(report, { ending: 'succeeded', usage: { completionTokens: 7 } });
  });

  it('gets completions, embeddings and the models', async () => {
    const client = house.client();
    const completion = await client.completions.create({ model: 'm', prompt: ['a', 'b'], n: 2, max_tokens: 2 });
    assert.equal(completion.choices.length, 4);
    const dispatched = (await house.heard('dispatched')).at(-1);
    assert.equal(dispatched?.request.sequences, 4, 'n × prompts');
    const embeddings = await client.embeddings.create({ model: 'm', input: ['a', 'b'] });
    assert.equal(embeddings.data.length, 2);
    assert.deepEqual(
      (await client.models.list()).data.map(({ id }) => id),
      ['m'],
    );
    assert.equal((await client.models.retrieve('m')).id, 'm');
    await assert.rejects(client.models.retrieve('x'), OpenAI.NotFoundError);
  });

  it('gets an error of its own class for everything that is wrong', async () => {
    const client = house.client();
    await assert.rejects(client.chat.completions.create({ model: 'gpt', messages }), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.equal(error.code, 'model_not_found');
      assert.match(error.message, /`gpt` does not exist; served here: m\./);
      assert.ok(error.requestID);
      return true;
    });
    await assert.rejects(client.chat.completions.create({ model: 'm', messages, n: 0 }), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.equal(error.param, 'n');
      return true;
    });
    await assert.rejects(client.post('/chat/complétions', { body: {} }), OpenAI.NotFoundError);
    // A mistake only the model server can see is its answer, passed on.
    await assert.rejects(client.chat.completions.create({ model: 'm' } as never), OpenAI.BadRequestError);
  });

  it('is served without naming a model while there is one pool', async () => {
    const answer = await house.client().completions.create({ prompt: 'a', max_tokens: 1 } as never);
    assert.equal((answer as OpenAI.Completion).choices.length, 1);
  });

  it('never has its credentials, nor anything that steers, handed to a model server', async () => {
    const headers = {
      cookie: 'session=canary',
      'x-api-key': 'canary',
      'x-gateway-destination-endpoint': 'canary:1',
      'x-fairlead-ttl-ms': '5000',
      'x-llm-d-inference-objective': 'canary',
      'x-client-header': 'kept',
    };
    await house.client('canary').chat.completions.create({ model: 'm', messages, max_tokens: 1 }, { headers });
    assert.equal(server.requests.at(-1)?.headers['x-client-header'], 'kept');
    assert.equal(server.requests.at(-1)?.headers['x-fairlead-ttl-ms'], undefined);
    assert.doesNotMatch(JSON.stringify(server.requests.map((request) => request.headers)), /canary/);
  });
});

describe('a client that leaves', () => {
  it('while it waits frees its place at once', async () => {
    const [house, server] = await smallHouse({ limit: 1 });
    server.set({ stallAfter: 1 });
    const holder = new AbortController();
    const held = house.client('a').chat.completions.create({ model: 'm', messages }, { signal: holder.signal });
    await house.heard('dispatched');
    const leaver = new AbortController();
    const left = house.client('b').chat.completions.create({ model: 'm', messages }, { signal: leaver.signal });
    await house.heard('enqueued', 2);
    leaver.abort();
    await assert.rejects(left, OpenAI.APIUserAbortError);
    const [evicted] = await house.heard('evicted');
    assert.equal(evicted?.cause, 'cancelled');
    assert.equal(server.stats().received, 1, 'it never reached the model server');
    const [report] = await house.heard('report');
    assert.partialDeepStrictEqual(report, { status: 499, outcome: 'EvictedContextCancelled' });
    holder.abort();
    await assert.rejects(held);
    await house.heard('report', 2);
    house.assertEmpty();
    await house.close();
    await server.destroy();
  });

  it('while it is being answered frees the model server at once', async () => {
    const [house, server] = await smallHouse();
    const stream = await house
      .client()
      .chat.completions.create({ model: 'm', messages, max_tokens: 8000, stream: true });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    const [ended] = await house.heard('ended');
    assert.equal(ended?.ending, 'cancelled');
    const [report] = await house.heard('report');
    assert.partialDeepStrictEqual(report, { status: 200, ending: 'cancelled', streamed: true });
    house.assertEmpty();
    // The server runs one at a time, and the story it was telling would have taken 8 s.
    await house.client().chat.completions.create({ model: 'm', messages, max_tokens: 1 });
    assert.equal(server.stats().aborted, 1);
    await house.close();
    await server.destroy();
  });
});

describe('two models in two pools', () => {
  it('do not gate each other, and are listed together', async () => {
    const slow = await startModelServer({ models: ['slow'], stallAfter: 1 });
    const quick = await startModelServer({ models: ['quick'], prefillMs: 1, tokenMs: 1 });
    const servers = [slow, quick].map(({ url, models }) => ({ url, models }));
    const house = await openHouse({ servers, limit: 1 });
    const client = house.client();
    const stop = new AbortController();
    const waiting = [1, 2, 3].map(() =>
      client.chat.completions.create({ model: 'slow', messages }, { signal: stop.signal }),
    );
    await house.heard('enqueued', 3);
    const answer = await client.chat.completions.create({ model: 'quick', messages, max_tokens: 2 });
    assert.equal(answer.model, 'quick');
    assert.deepEqual(
      (await client.models.list()).data.map(({ id }) => id),
      ['slow', 'quick'],
    );
    await assert.rejects(client.completions.create({ prompt: 'x' } as never), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.match(error.message, /must name a `model`; served here: slow, quick\./);
      return true;
    });
    stop.abort();
    await Promise.allSettled(waiting);
    await house.heard('report', 6);
    house.assertEmpty();
    await house.close();
    await Promise.all([slow.destroy(), quick.destroy()]);
  });
});

describe('who is asking', () => {
  it('has to show a configured key when there are any, and is not told more', async () => {
    const { hashKey } = await import('../../packages/fairlead/src/tenancy/hash-key.ts');
    const keys = [{ sha256: hashKey('right'), tenant: 'acme', priority: 0, weight: 1 }];
    const [house, server] = await smallHouse({ identity: { keys } });
    await assert.rejects(house.client('wrong').chat.completions.create({ model: 'm', messages }), (error) => {
      assert.ok(error instanceof OpenAI.AuthenticationError);
      assert.equal(error.code, 'invalid_api_key');
      return true;
    });
    await house.client('right').chat.completions.create({ model: 'm', messages, max_tokens: 1 });
    const [refused, served] = await house.heard('report', 2);
    assert.partialDeepStrictEqual(refused, { status: 401, reason: 'invalid_api_key' });
    assert.partialDeepStrictEqual(served, { status: 200, tenant: 'acme', verified: true });
    await house.close();
    await server.destroy();
  });

  it('and may have one request at once only, holds nobody else up', async () => {
    const { hashKey } = await import('../../packages/fairlead/src/tenancy/hash-key.ts');
    const key = (name: string) => ({ sha256: hashKey(name), tenant: name, priority: 0, weight: 1 });
    const keys = [{ ...key('capped'), maxInFlight: 1 }, key('other')];
    const [house, server] = await smallHouse({ identity: { keys } });
    server.set({ stallAfter: 1 });
    const stop = new AbortController();
    const capped = [1, 2].map(() =>
      house.client('capped').chat.completions.create({ model: 'm', messages }, { signal: stop.signal }),
    );
    await house.heard('enqueued', 2);
    await house.heard('dispatched');
    server.set({ maxNumSeqs: 2, stallAfter: null, tokenMs: 1000 });
    await house.client('other').chat.completions.create({ model: 'm', messages, max_tokens: 1 });
    const dispatched = await house.heard('dispatched');
    assert.deepEqual(
      dispatched.map(({ request }) => request.fairnessId),
      ['capped', 'other'],
    );
    stop.abort();
    await Promise.allSettled(capped);
    await house.quiet();
    house.assertEmpty();
    await house.close();
    await server.destroy();
  });

  it('does not matter while everything is let through', async () => {
    const [house, server] = await smallHouse({ limit: 1 });
    server.set({ stallAfter: 1 });
    const stop = new AbortController();
    const waiting = [1, 2, 3].map(() =>
      house.client().chat.completions.create({ model: 'm', messages }, { signal: stop.signal }),
    );
    await house.heard('enqueued', 3);
    assert.equal(house.count('dispatched'), 1);
    house.director.setBypass(true);
    await house.heard('dispatched', 3);
    assert.equal(house.director.bypass, true);
    stop.abort();
    await Promise.allSettled(waiting);
    await house.quiet();
    house.assertEmpty();
    await house.close();
    await server.destroy();
  });

  it('is believed about tenant and objective from trusted sources only', async () => {
    const headers = { 'x-gateway-inference-fairness-id': 'acme', 'x-llm-d-inference-objective': 'urgent' };
    for (const trustedSources of [[], ['127.0.0.0/8']]) {
      const [house, server] = await smallHouse({ identity: { trustedSources } });
      await house.client().chat.completions.create({ model: 'm', messages, max_tokens: 1 }, { headers });
      const [{ request } = assert.fail()] = await house.heard('dispatched');
      assert.equal(request.fairnessId === 'acme' && request.priority === 10, trustedSources.length > 0);
      assert.deepEqual(
        Object.keys(server.requests[0]?.headers ?? {}).filter((name) => /^x-(gateway|llm-d)/.test(name)),
        [],
      );
      await house.close();
      await server.destroy();
    }
  });

  it('is known by the address that a trusted proxy gives, and by its own connection otherwise', async () => {
    const headers = { 'x-forwarded-for': '6.6.6.6, 192.0.2.7' };
    for (const trustedProxies of [[], ['127.0.0.0/8']]) {
      const [house, server] = await smallHouse({ identity: { trustedProxies } });
      const isTrusted = trustedProxies.length > 0;
      const body = JSON.stringify({ model: 'm', messages, max_tokens: 1 });
      const answer = await fetch(`${house.url}/v1/chat/completions`, { method: 'POST', headers, body });
      await answer.text();
      const [{ request } = assert.fail()] = await house.heard('dispatched');
      assert.equal(request.fairnessId, isTrusted ? 'addr-192.0.2.7' : 'addr-127.0.0.1');
      assert.equal(server.requests[0]?.headers['x-forwarded-for'], isTrusted ? '6.6.6.6, 192.0.2.7' : undefined);
      await house.close();
      await server.destroy();
    }
  });
});
