// SPDX-License-Identifier: Apache-2.0

/** Model servers that refuse, reset, die, fall silent or talk nonsense, and what a client sees of it. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import OpenAI from 'openai';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { openHouse } from '../kit/house.ts';
import type { HouseOptions } from '../kit/house.ts';
import { RawClient } from '../kit/raw-client.ts';

const messages = [{ role: 'user' as const, content: 'hi' }];
const models = ['m'];

/** A server that is healthy and answers inference as `answer` does. */
async function scripted(answer: (response: ServerResponse, count: number) => void): Promise<[Server, string]> {
  let count = 0;
  const server = createServer((request, response) => {
    if (request.method === 'GET') response.end('{}');
    else request.resume().on('end', () => answer(response, (count += 1)));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return [server, urlOf(server)];
}

function urlOf(server: net.Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A URL where nothing listens. */
async function deserted(): Promise<string> {
  const server = net.createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = urlOf(server);
  server.close();
  await once(server, 'close');
  return url;
}

/** Runs a story against one scripted server. */
async function withScript(
  answer: (response: ServerResponse, count: number) => void,
  options: Partial<HouseOptions>,
  story: (house: Awaited<ReturnType<typeof openHouse>>) => Promise<void>,
): Promise<void> {
  const [server, url] = await scripted(answer);
  const house = await openHouse({ servers: [{ url, models }], ...options });
  try {
    await story(house);
    await house.quiet();
    house.assertEmpty();
  } finally {
    await house.close();
    server.closeAllConnections();
    server.close();
  }
}

function statusOf(status: number, says: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof OpenAI.APIError, String(error));
    assert.equal(error.status, status);
    assert.match(error.message, says);
    return true;
  };
}

describe('an endpoint that refuses connections', () => {
  it('is taken out, and its request goes elsewhere without the client noticing', async () => {
    const server = await startModelServer({ prefillMs: 1, tokenMs: 1, models });
    const house = await openHouse({
      servers: [
        { url: await deserted(), models },
        { url: server.url, models },
      ],
    });
    const client = house.client();
    for (let index = 0; index < 4; index += 1) {
      await client.chat.completions.create({ model: 'm', messages, max_tokens: 1 });
    }
    const reports = await house.heard('report', 4);
    assert.deepEqual(
      reports.map(({ status, endpoint }) => [status, endpoint]),
      reports.map(() => [200, 'server-1']),
    );
    const [down] = house.fleet.endpoints;
    assert.equal(down?.up, false);
    assert.match(down.problem ?? '', /cannot be connected to/);
    house.assertEmpty();
    await house.close();
    await server.destroy();
  });

  it('alone makes requests wait for it with their own deadline, and then says that nothing is there', async () => {
    const house = await openHouse({ servers: [{ url: await deserted(), models }], ttlMs: 60 });
    const client = house.client();
    await assert.rejects(client.chat.completions.create({ model: 'm', messages }), (error) => {
      statusOf(503, /no endpoints are available/)(error);
      const { headers } = error as InstanceType<typeof OpenAI.APIError>;
      assert.equal(headers?.get('x-llm-d-request-dropped-reason'), 'rejected-no-endpoints');
      assert.ok(Number(headers?.get('retry-after')) >= 1);
      assert.ok(Number(headers?.get('x-fairlead-queue-ms')) >= 60);
      return true;
    });
    house.assertEmpty();
    await house.close();
  });

  it('comes back when it answers again, and the request that waited is served', async () => {
    const url = await deserted();
    const house = await openHouse({ servers: [{ url, models }] });
    const answer = house.client().chat.completions.create({ model: 'm', messages, max_tokens: 1 });
    await house.heard('enqueued');
    const server = await startModelServer({ prefillMs: 1, tokenMs: 1, models, port: Number(new URL(url).port) });
    assert.equal((await answer).choices.length, 1);
    assert.equal(server.stats().received, 1);
    await house.close();
    await server.destroy();
  });
});

describe('a kept-alive connection that is reset', () => {
  it('costs the client nothing: the request is sent once more on a fresh one', async () => {
    const server = await startModelServer({ prefillMs: 1, tokenMs: 1, models });
    const house = await openHouse({ servers: [{ url: server.url, models }] });
    const client = house.client();
    await client.chat.completions.create({ model: 'm', messages, max_tokens: 1 });
    server.set({ resetIdle: true });
    await client.chat.completions.create({ model: 'm', messages, max_tokens: 1 });
    const [first, second] = await house.heard('report', 2);
    assert.deepEqual([first?.retries, second?.retries], [[], ['reset-idle']]);
    assert.equal((await house.heard('dispatched', 2)).length, 2, 'under one permit');
    house.assertEmpty();
    await house.close();
    await server.destroy();
  });
});

describe('a model server that has the request and fails', () => {
  it('is not asked again: a fresh connection reset is a 502', async () => {
    let asked = 0;
    await withScript(
      (response) => {
        asked += 1;
        response.socket?.resetAndDestroy();
      },
      {},
      async (house) => {
        const answer = house.client().chat.completions.create({ model: 'm', messages });
        await assert.rejects(answer, statusOf(502, /may have received the request/));
        assert.equal(asked, 1);
      },
    );
  });

  it('in the middle of a stream ends it with an error event that the client raises', async () => {
    await withScript(
      (response, count) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const event = 'data: {"choices":[{"index":0,"delta":{"content":"so far"}}]}\n\n';
        response.write(count === 1 ? event : `${event}data: {"choi`, () => response.destroy());
      },
      {},
      async (house) => {
        const stream = await house.client().chat.completions.create({ model: 'm', messages, stream: true });
        const words: unknown[] = [];
        await assert.rejects(async () => {
          for await (const chunk of stream) words.push(chunk.choices[0]?.delta.content);
        }, /stopped in the middle of its answer/);
        assert.deepEqual(words, ['so far']);
        const raw = new RawClient(house.url).post('{"model":"m"}', [], '/v1/messages');
        await raw.saw('event: error\ndata: {"type":"error","error":{"type":"api_error"');
        await raw.saw('stopped in the middle');
        await raw.closed;
        assert.doesNotMatch(raw.text, /0\r\n\r\n$/, 'the stream must not look complete');
        for (const { ending, reason } of await house.heard('report', 2)) {
          assert.deepEqual([ending, reason], ['failed', 'upstream_died']);
        }
      },
    );
  });

  it('in the middle of a JSON answer breaks the connection, so that no half is taken for all', async () => {
    await withScript(
      (response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 });
        response.write('{"id":', () => response.destroy());
      },
      {},
      async (house) => {
        await assert.rejects(house.client().chat.completions.create({ model: 'm', messages }), /terminated/);
      },
    );
  });

  it('after the head of a JSON answer and before its body is a 502, or a 504, in the client’s own format', async () => {
    await withScript(
      (response, count) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100, 'x-mine': 'yes' });
        response.flushHeaders();
        if (count === 1) response.socket?.end();
        if (count === 2) response.socket?.resetAndDestroy();
      },
      { gateway: { upstreamIdleTimeoutMs: 100 } },
      async (house) => {
        const answers = [];
        for (const path of ['/v1/chat/completions', '/v1/messages', '/v1/chat/completions']) {
          const client = new RawClient(house.url).post('{"model":"m"}', [], path);
          answers.push(await client.answer());
          client.destroy();
        }
        for (const { headers } of answers) {
          assert.equal(headers['x-should-retry'], 'false');
          assert.equal(headers['x-mine'], undefined, 'nothing of the answer that never came');
        }
        assert.deepEqual(
          answers.map(({ status }) => status),
          [502, 502, 504],
        );
        assert.match(answers[0]?.body ?? '', /"code":"upstream_died"/);
        assert.match(answers[1]?.body ?? '', /^\{"type":"error"/);
        assert.match(answers[2]?.body ?? '', /"code":"upstream_stalled"/);
        assert.deepEqual(
          (await house.heard('report', 3)).map(({ status, ending, reason }) => [status, ending, reason]),
          [
            [502, 'failed', 'upstream_died'],
            [502, 'failed', 'upstream_died'],
            [504, 'failed', 'upstream_stalled'],
          ],
        );
      },
    );
  });

  it('that never begins to answer is a 504 in time', async () => {
    await withScript(
      () => undefined,
      { gateway: { firstByteTimeoutMs: 100 } },
      async (house) => {
        const answer = house.client().chat.completions.create({ model: 'm', messages });
        await assert.rejects(answer, statusOf(504, /did not begin to answer in time/));
      },
    );
  });

  it('with an error of its own has it passed on as it is, and is told when to come back for', async () => {
    await withScript(
      (response) => {
        response.writeHead(503, { 'content-type': 'text/plain', 'x-mine': 'yes', 'x-request-id': 'theirs' });
        response.end('loading');
      },
      {},
      async (house) => {
        const response = await fetch(`${house.url}/v1/completions`, { method: 'POST', body: '{"model":"m"}' });
        assert.equal(response.status, 503);
        assert.equal(await response.text(), 'loading');
        assert.equal(response.headers.get('x-mine'), 'yes');
        assert.notEqual(response.headers.get('x-request-id'), 'theirs');
        assert.ok(Number(response.headers.get('retry-after')) >= 1);
      },
    );
  });

  it('by talking nonsense is taken out and explained, and the client gets a 502', async () => {
    const nonsense = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => socket.end('SSH-2.0-OpenSSH_9.7\r\n'));
    });
    await once(nonsense.listen(0, '127.0.0.1'), 'listening');
    const house = await openHouse({ servers: [{ url: urlOf(nonsense), models }], ttlMs: 100 });
    const answer = house.client().chat.completions.create({ model: 'm', messages });
    await assert.rejects(
      answer,
      (error: InstanceType<typeof OpenAI.APIError>) => error.status === 502 || error.status === 503,
    );
    assert.equal(house.fleet.endpoints[0]?.up, false);
    assert.match(house.fleet.endpoints[0].problem ?? '', /HTTP/);
    house.assertEmpty();
    await house.close();
    nonsense.close();
  });
});
