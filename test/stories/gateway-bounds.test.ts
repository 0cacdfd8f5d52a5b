// SPDX-License-Identifier: Apache-2.0

/** Bad input over bare sockets: a clear error, nothing lost, nothing held. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { REQUEST_BYTES } from '../../packages/fairlead/src/gateway/receive-body.ts';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { openHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';
import { RawClient } from '../kit/raw-client.ts';
import type { RawAnswer } from '../kit/raw-client.ts';

const good = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 1 });
const chat = '/v1/chat/completions';

function errorOf(answer: RawAnswer): { message: string; type: string; code: string; param: string | null } {
  return (JSON.parse(answer.body) as { error: ReturnType<typeof errorOf> }).error;
}

let server: ModelServer;
let house: House;
const clients = new Set<RawClient>();

before(async () => {
  server = await startModelServer({ prefillMs: 1, tokenMs: 1, models: ['m'] });
  house = await openHouse({
    servers: [{ url: server.url, models: ['m'] }],
    gateway: { maxBodyBytes: 100_000, maxBufferedBytes: 150_000, bodyIdleTimeoutMs: 50, maxHeaderBytes: 4096 },
  });
});
afterEach(async () => {
  for (const each of clients) each.destroy();
  clients.clear();
  await house.quiet();
  house.assertEmpty();
});
after(async () => {
  await house.close();
  await server.destroy();
});

function client(): RawClient {
  const made = new RawClient(house.url);
  clients.add(made);
  return made;
}

/** Everything that every answer carries. */
function assertMarked(answer: RawAnswer): void {
  assert.ok(answer.headers['x-request-id'], 'x-request-id');
  assert.match(answer.headers['x-fairlead-queue-ms'] ?? '', /^\d+$/);
  if (answer.status === 429 || answer.status === 503) {
    const seconds = Number(answer.headers['retry-after']);
    assert.ok(seconds >= 1 && seconds <= 60, `retry-after ${seconds}`);
  }
}

describe('a bad request', () => {
  const cases: { title: string; send(raw: RawClient): RawClient; status: number; says: RegExp; code?: string }[] = [
    {
      title: 'with malformed JSON is told where it breaks',
      send: (raw) => raw.post('{"model":"m",\n  "messages": [}'),
      status: 400,
      says: /line 2 column 16/,
    },
    { title: 'without a body is told so', send: (raw) => raw.post(''), status: 400, says: /body is empty/ },
    {
      title: 'with a negative TTL is told header, value and what is allowed',
      send: (raw) => raw.post(good, ['x-fairlead-ttl-ms: -5']),
      status: 400,
      says: /x-fairlead-ttl-ms: '-5' is not an integer of milliseconds from 1 to 3600000/,
    },
    {
      title: 'on an unknown path is a 404',
      send: (raw) => raw.post(good, [], '/v2/x'),
      status: 404,
      says: /Unknown request URL/,
    },
    {
      title: 'larger than the limit is refused before a byte of it is read',
      send: (raw) => raw.write(`POST ${chat} HTTP/1.1\r\nhost: x\r\ncontent-length: 100001\r\n\r\n`),
      status: 413,
      says: /larger than 100000 bytes/,
    },
    {
      title: 'that grows beyond the limit without having said so is refused when it does',
      send: (raw) =>
        raw
          .write(`POST ${chat} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`)
          .write(`2710\r\n${'x'.repeat(10_000)}\r\n`.repeat(11)),
      status: 413,
      says: /larger than 100000 bytes/,
    },
    {
      title: 'whose body stops coming is given up',
      send: (raw) => raw.write(`POST ${chat} HTTP/1.1\r\nhost: x\r\ncontent-length: 90000\r\n\r\n{"model"`),
      status: 408,
      says: /No byte of the request body arrived for 0\.05 s/,
    },
    {
      title: 'with control bytes in a header is no HTTP',
      send: (raw) => raw.post(good, ['x-fairlead-ttl-ms: 5\u0001']),
      status: 400,
      says: /not well-formed HTTP/,
    },
    {
      title: 'with both a length and an encoding is no HTTP',
      send: (raw) => raw.post(good, ['transfer-encoding: chunked']),
      status: 400,
      says: /not well-formed HTTP/,
    },
    {
      title: 'with a head beyond the limit is a 431',
      send: (raw) => raw.post(good, [`x-long: ${'x'.repeat(5000)}`]),
      status: 431,
      says: /head is too large/,
    },
    {
      title: 'with more headers than anybody needs is a 431, wherever its length stands',
      send: (raw) =>
        raw.write(`POST ${chat} HTTP/1.1\r\nhost: x\r\n${'a: b\r\n'.repeat(300)}content-length: 2\r\n\r\n{}`),
      status: 431,
      says: /more than 200 headers|head is too large/,
    },
    {
      title: 'that does not say which host it means is no HTTP/1.1',
      send: (raw) => raw.write(`POST ${chat} HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}`),
      status: 400,
      says: /must have a Host header/,
    },
    {
      title: 'with chunks that are none is no HTTP',
      send: (raw) => raw.write(`POST ${chat} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`),
      status: 400,
      says: /not well-formed HTTP/,
    },
    {
      title: 'whose chunk extensions have no end is refused',
      send: (raw) =>
        raw.write(`POST ${chat} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1;${'x'.repeat(2000)}`),
      status: 413,
      says: /chunk extensions or trailers/,
    },
    {
      title: 'that expects what nobody knows is a 417',
      send: (raw) => raw.post(good, ['expect: the-inquisition']),
      status: 417,
      says: /100-continue/,
    },
    {
      title: 'to CONNECT is refused',
      send: (raw) => raw.write('CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n'),
      status: 405,
      says: /CONNECT/,
    },
  ];
  for (const { title, send, status, says } of cases) {
    it(title, async () => {
      const before = house.count('report');
      const raw = client();
      const answer = await send(raw).answer();
      raw.destroy();
      assert.equal(answer.status, status);
      assert.match(errorOf(answer).message, says);
      assertMarked(answer);
      const report = (await house.heard('report', before + 1)).at(-1);
      assert.equal(report?.status, status);
      assert.equal(report.id, answer.headers['x-request-id']);
    });
  }

  it('with the wrong method is told the right one', async () => {
    const answer = await client().write(`GET ${chat} HTTP/1.1\r\nhost: x\r\n\r\n`).answer();
    assert.equal(answer.status, 405);
    assert.equal(answer.headers.allow, 'POST');
    const models = await client().write('DELETE /v1/models HTTP/1.1\r\nhost: x\r\n\r\n').answer();
    assert.equal(models.headers.allow, 'GET, HEAD');
  });

  it('on an Anthropic path is answered as Anthropic would', async () => {
    const answer = await client().post('{"model":"x"}', [], '/v1/messages').answer();
    assert.equal(answer.status, 404);
    assert.partialDeepStrictEqual(JSON.parse(answer.body), { type: 'error', error: { type: 'not_found_error' } });
  });

  it('small enough to be read leaves its connection open for the next one', async () => {
    const raw = client();
    assert.equal((await raw.post('{', []).answer()).status, 400);
    assert.equal((await raw.post(good, ['x-fairlead-ttl-ms: x']).answer()).status, 400);
    assert.equal((await raw.post(good, [], '/nope').answer()).status, 404);
    assert.equal((await raw.post(good).answer()).status, 200);
  });

  it('is answered in full although its long body is still being sent', async () => {
    const raw = client().write(`POST ${chat} HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\n\r\n`);
    for (let index = 0; index < 64; index += 1) raw.write(Buffer.alloc(65_536));
    const answer = await raw.answer();
    assert.equal(answer.status, 413);
    assert.equal(answer.headers.connection, 'close');
  });

  it('has its body waited for when its connection is to be closed, so that its system does not throw the answer away', async () => {
    for (const [version, header] of [
      ['1.1', 'connection: close\r\n'],
      ['1.0', ''],
    ] as const) {
      const raw = client().write(
        `POST /nowhere HTTP/${version}\r\nhost: x\r\n${header}content-length: 20000\r\n\r\n${'x'.repeat(10_000)}`,
      );
      const answer = await raw.answer();
      assert.deepEqual([answer.status, answer.headers.connection], [404, 'close']);
      for (let turns = 0; turns < 50; turns += 1) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(raw.socket.readableEnded, false);
      raw.write('x'.repeat(10_000));
      await once(raw.socket, 'end');
    }
  });
});

describe('the byte budget', () => {
  const head = (length: number, more = '') =>
    `POST ${chat} HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n${more}\r\n`;

  it('is reserved from the announced length, refused with a time to come back, and given back with the client', async () => {
    const before = house.count('report');
    const holder = client().write(head(99_000, 'expect: 100-continue\r\n'));
    assert.equal((await holder.answer()).status, 100);
    assert.equal(house.gateway.budget.used, 99_000 + REQUEST_BYTES);
    const answer = await client().write(head(60_000)).answer();
    assert.equal(answer.status, 429);
    assert.equal(answer.headers['x-llm-d-request-dropped-reason'], 'rejected-saturated');
    assertMarked(answer);
    const held = holder.answer();
    held.catch(() => undefined);
    holder.destroy();
    await house.heard('report', before + 2);
  });

  it('counts a long head beside the body: it is held for as long', async () => {
    const long = head(50_000, `x: ${'y'.repeat(3500)}\r\nexpect: 100-continue\r\n`);
    const holder = client().write(long);
    assert.equal((await holder.answer()).status, 100);
    assert.equal(house.gateway.budget.used, 50_000 + REQUEST_BYTES + long.length - '\r\n\r\n'.length - 2048);
    const before = house.count('report');
    holder.destroy();
    await house.heard('report', before + 1);
    assert.equal(house.gateway.budget.used, 0);
  });

  it('is not asked for by a client that may not send: 100 Continue comes after the reservation', async () => {
    const answer = await client().write(head(200_000, 'expect: 100-continue\r\n')).answer();
    assert.equal(answer.status, 413);
    assert.equal(answer.headers.connection, 'close');
  });

  it('grows with a body of unknown length, byte by byte', async () => {
    const before = house.count('report');
    const raw = client().write(`POST ${chat} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`);
    for (const letter of good) raw.write(`1\r\n${letter}\r\n`);
    const answer = await raw.write('0\r\n\r\n').answer();
    assert.equal(answer.status, 200);
    const report = (await house.heard('report', before + 1)).at(-1);
    assert.equal(report?.requestBytes, good.length);
    house.assertEmpty();
  });
});

describe('a connection', () => {
  it('may carry requests one behind the other', async () => {
    const raw = client();
    raw.post(good).post('{').post(good);
    assert.deepEqual(
      [(await raw.answer()).status, (await raw.answer()).status, (await raw.answer()).status],
      [200, 400, 200],
    );
  });

  it('that is half-closed counts as gone', async () => {
    server.set({ stallAfter: 1 });
    const before = house.count('report');
    const dispatched = house.count('dispatched');
    const raw = client().post(good.replace('"max_tokens":1', '"max_tokens":9'));
    await house.heard('dispatched', dispatched + 1);
    raw.socket.end();
    const report = (await house.heard('report', before + 1)).at(-1);
    assert.partialDeepStrictEqual(report, { status: 499, ending: 'cancelled' });
    await raw.closed;
    house.assertEmpty();
    server.set({ stallAfter: null });
  });

  it('that ends in the middle of a body is told so and holds nothing', async () => {
    const before = house.count('report');
    const raw = client().write(`POST ${chat} HTTP/1.1\r\nhost: x\r\ncontent-length: 90000\r\n\r\n{"model"`);
    raw.socket.end();
    assert.equal((await raw.answer()).status, 400);
    const report = (await house.heard('report', before + 1)).at(-1);
    assert.equal(report?.status, 400);
    house.assertEmpty();
  });

  it('that asks for an upgrade is served as if it had not', async () => {
    const answer = await client().post(good, ['connection: upgrade, http2-settings', 'upgrade: h2c']).answer();
    assert.equal(answer.status, 200);
  });

  it('that asks to be closed is closed behind its answer', async () => {
    const raw = client().post(good, ['connection: close']);
    const ended = once(raw.socket, 'end');
    assert.equal((await raw.answer()).headers.connection, 'close');
    await ended;
  });

  it('that reads nothing for too long is cut, and its model server freed', async () => {
    const endless = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const fill = (): void => {
        while (response.write(Buffer.alloc(65_536, '\n')));
      };
      response.on('drain', fill);
      fill();
    }).listen(0, '127.0.0.1');
    await once(endless, 'listening');
    const url = `http://127.0.0.1:${(endless.address() as AddressInfo).port}`;
    const stubborn = await openHouse({ servers: [{ url, models: ['m'] }], gateway: { clientWriteTimeoutMs: 50 } });
    const raw = new RawClient(stubborn.url);
    raw.socket.pause();
    raw.post(good);
    const [ended] = await stubborn.heard('ended');
    assert.equal(ended?.ending, 'cancelled');
    await stubborn.heard('report');
    stubborn.assertEmpty();
    raw.destroy();
    endless.close();
    await stubborn.close();
  });
});
