// SPDX-License-Identifier: Apache-2.0

/** What one client may have at once, and how long the whole of a request may take. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import { LoopbackHouses } from '../kit/loopback-houses.ts';
import type { RawClient } from '../kit/raw-client.ts';

const loopback = new LoopbackHouses();
const body = '{"model":"m"}';

afterEach(() => loopback.end());

/** A model server that takes requests and says nothing. */
const silent = () => loopback.http((request) => void request.resume());
const quick = () =>
  loopback.http((request, response) => {
    request.resume().on('end', () => void response.end('{}'));
  });

describe('one client', () => {
  it('that has as many connections as it may is sent away with the next, and let in again when one is closed', async () => {
    const house = await loopback.house(await quick(), { gateway: { maxConnectionsPerClient: 1 } });
    const first = loopback.connect(house).post(body);
    assert.equal((await first.answer()).status, 200);
    await loopback.connect(house).closed;
    const reports = await house.heard('report', 2);
    assert.partialDeepStrictEqual(reports[1], { status: 503, reason: 'too_many_connections' });
    assert.equal((await first.post(body).answer()).status, 200);
    first.socket.end();
    await first.closed;
    assert.equal((await loopback.connect(house).post(body).answer()).status, 200);
  });

  it('that is a trusted proxy may have as many connections as it likes', async () => {
    const house = await loopback.house(await quick(), {
      gateway: { maxConnectionsPerClient: 1 },
      identity: { trustedProxies: ['127.0.0.1'] },
    });
    for (let count = 0; count < 3; count += 1)
      assert.equal((await loopback.connect(house).post(body).answer()).status, 200);
  });

  it('that has as many requests under way as it may is told so, and others are not', async () => {
    const house = await loopback.house(await silent(), {
      gateway: { maxRequestsPerClient: 2 },
      identity: { trustedProxies: ['127.0.0.1'] },
    });
    const from = (address: string): RawClient => loopback.connect(house).post(body, [`x-forwarded-for: ${address}`]);
    const held = from('192.0.2.1');
    from('192.0.2.1');
    await house.heard('dispatched', 2);
    const answer = await from('192.0.2.1').answer();
    assert.equal(answer.status, 429);
    assert.match(answer.body, /More than 2 requests of this client are under way/);
    assert.equal(answer.headers['x-llm-d-request-dropped-reason'], 'rejected-saturated');
    from('192.0.2.2');
    await house.heard('dispatched', 3);
    held.destroy();
    await house.heard('report', 2);
    from('192.0.2.1');
    await house.heard('dispatched', 4);
  });

  it('cannot get around that with one connection', async () => {
    const house = await loopback.house(await quick(), { gateway: { maxRequestsPerClient: 3 } });
    const client = loopback
      .connect(house)
      .write(`POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`.repeat(10));
    const statuses: number[] = [];
    while (statuses.length < 10) statuses.push((await client.answer()).status);
    assert.deepEqual(statuses, [...Array<number>(3).fill(200), ...Array<number>(7).fill(429)]);
    await house.quiet();
    house.assertEmpty();
  });
});

describe('a request that as a whole takes too long', () => {
  it('is answered 504 when no answer has begun, and its server freed', async () => {
    const house = await loopback.house(await silent(), { gateway: { requestTimeoutMs: 50 } });
    const answer = await loopback.connect(house).post(body).answer();
    assert.equal(answer.status, 504);
    assert.match(answer.body, /was not over within 0\.05 s/);
    const [report] = await house.heard('report');
    assert.partialDeepStrictEqual(report, { status: 504, reason: 'request_timeout', ending: 'cancelled' });
    await house.quiet();
    house.assertEmpty();
  });

  it('is answered 408 when its body never came', async () => {
    const house = await loopback.house(await silent(), { gateway: { requestTimeoutMs: 50 } });
    const client = loopback
      .connect(house)
      .write('POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 13\r\n\r\n{');
    const answer = await client.answer();
    assert.equal(answer.status, 408);
    await house.quiet();
    house.assertEmpty();
  });

  it('is not cut for it when it has been refused, and what it still sends is waited for', async () => {
    const house = await loopback.house(await silent(), { gateway: { requestTimeoutMs: 50 } });
    const refused = loopback
      .connect(house)
      .write('POST /nowhere HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
    assert.equal((await refused.answer()).status, 404);
    // Its time is over before that of one that came after it.
    assert.equal((await loopback.connect(house).post(body).answer()).status, 504);
    assert.equal(refused.socket.readableEnded, false);
    await refused.write('0\r\n\r\n').closed;
    const reports = await house.heard('report', 2);
    assert.deepEqual(reports.map(({ reason }) => reason).sort(), ['request_timeout', 'unknown_url']);
    house.assertEmpty();
  });

  it('ends its stream with an error event and without its proper end', async () => {
    const url = await loopback.http((request, response) => {
      request.resume();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {}\n\n');
    });
    const house = await loopback.house(url, { gateway: { requestTimeoutMs: 50 } });
    const client = loopback.connect(house).post(body);
    await client.closed;
    assert.match(client.text, /data: \{\}[^]*"code":"request_timeout"/);
    assert.ok(!client.text.endsWith('0\r\n\r\n'));
    await house.quiet();
    house.assertEmpty();
  });
});

describe('a client that reads a little now and then', () => {
  it('is cut when it has held up its model server for long enough in all', async () => {
    const url = await loopback.http((request, response) => {
      request.resume();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const fill = (): void => {
        while (response.write(Buffer.alloc(65_536, '\n')));
      };
      response.on('drain', fill);
      fill();
    });
    const house = await loopback.house(url, { gateway: { clientStallTimeoutMs: 300 } });
    const client = loopback.connect(house).post(body);
    let reads = 0;
    client.socket.on('data', () => {
      reads += 1;
      client.socket.pause();
      setTimeout(() => client.socket.resume(), 5);
    });
    const [ended] = await house.heard('ended');
    assert.equal(ended?.ending, 'cancelled');
    const [report] = await house.heard('report');
    assert.partialDeepStrictEqual(report, { status: 200, reason: 'client_stuck' });
    assert.ok(reads > 3, `it had read ${reads} times`);
    house.assertEmpty();
  });
});

describe('a model server', () => {
  for (const [title, gateway, code] of [
    ['that says nothing in time is given up', { firstByteTimeoutMs: 50 }, 'upstream_timeout'],
    ['that stops in the middle is given up', { upstreamIdleTimeoutMs: 50 }, 'upstream_stalled'],
  ] as const) {
    it(title, async () => {
      const url = await loopback.http((request, response) => {
        request.resume();
        if ('firstByteTimeoutMs' in gateway) return;
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: {}\n\n');
      });
      const house = await loopback.house(url, { gateway });
      const client = loopback.connect(house).post(body);
      const [report] = await house.heard('report');
      assert.partialDeepStrictEqual(report, { reason: code, ending: 'failed' });
      client.destroy();
      await house.quiet();
      house.assertEmpty();
    });
  }
});

describe('a connection', () => {
  it('on which no whole head arrives is told so and closed', async () => {
    const house = await loopback.house(await quick(), { gateway: { headersTimeoutMs: 50 } });
    const client = loopback.connect(house).write('POST /v1/completions HTTP/1.1\r\nhost:');
    const answer = await client.answer();
    assert.equal(answer.status, 408);
    assert.match(answer.body, /head did not arrive in time/);
    await client.closed;
  });

  it('on which nothing happens for the keep-alive time is closed', async () => {
    const house = await loopback.house(await quick(), { gateway: { keepAliveTimeoutMs: 50 } });
    const client = loopback.connect(house).post(body);
    assert.equal((await client.answer()).status, 200);
    await once(client.socket, 'end');
  });
});
