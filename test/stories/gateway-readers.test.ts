// SPDX-License-Identifier: Apache-2.0

/** Clients that read slowly, not at all, or by the rules of HTTP/1.0, and more of them than there is room for. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import type { House } from '../kit/house.ts';
import { LoopbackHouses } from '../kit/loopback-houses.ts';
import type { RawClient } from '../kit/raw-client.ts';

const loopback = new LoopbackHouses();
const ANSWER = Buffer.alloc(40_000, 'a');

afterEach(() => loopback.end());

/** A client that reads nothing, and of whose answers the system takes no more; the number of requests it has made. */
async function stuffed(house: House): Promise<{ client: RawClient; requests: number }> {
  const client = loopback.connect(house);
  client.socket.pause();
  for (let requests = 1; ; requests += 1) {
    client.post('{"model":"m"}');
    // The answer is whole and short: once its model server is through, only the client can hold it up.
    await house.heard('ended', requests);
    const settled = house.count('report');
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    if (house.count('report') === settled && settled < requests) return { client, requests };
  }
}

describe('an answer that its client has not read', () => {
  it('is still delivered to its last byte when the gateway is stopped meanwhile', async () => {
    const url = await loopback.http((request, response) => {
      request.resume().on('end', () => void response.end(ANSWER));
    });
    const house = await loopback.house(url);
    const { client, requests } = await stuffed(house);
    const closed = house.gateway.close();
    client.socket.resume();
    await once(client.socket, 'end');
    await closed;
    assert.equal(client.text.split(ANSWER.toString()).length - 1, requests);
    house.assertEmpty();
  });

  it('is not taken for read when a request behind it breaks: that and those between are answered as well', async () => {
    const url = await loopback.http((request, response) => {
      request.resume().on('end', () => void response.end(ANSWER));
    });
    const house = await loopback.house(url);
    const { client, requests } = await stuffed(house);
    client.write('GET /between HTTP/1.1\r\nhost: x\r\n\r\n');
    client.write('POST /broken HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
    while (house.gateway.underway < 3) await new Promise((resolve) => setImmediate(resolve));
    client.write('zz\r\n').socket.resume();
    await client.closed;
    assert.equal(client.text.split(ANSWER.toString()).length - 1, requests);
    assert.match(
      client.text,
      /HTTP\/1\.1 404 [^]*connection: keep-alive[^]*HTTP\/1\.1 404 [^]*connection: close[^]*\}$/,
    );
    await house.quiet();
    house.assertEmpty();
  });

  it('is given up after the time for writing, whether it came from a model server or was made here', async () => {
    const models = Array.from({ length: 500 }, (_, index) => `${'m'.repeat(200)}-${index}`);
    const url = await loopback.http((_request, response) => void response.end('{}'));
    const house = await loopback.house(url, { servers: [{ url, models }], gateway: { clientWriteTimeoutMs: 50 } });
    const client = loopback.connect(house);
    client.socket.pause();
    const closed = once(client.socket, 'close');
    client.write('GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(300));
    await house.heard('report');
    await house.quiet();
    client.socket.resume();
    await closed.catch(() => undefined);
    house.assertEmpty();
  });
});

describe('a client of HTTP/1.0', () => {
  it('sees a reset when its answer broke off, because to it any other end looks like the right one', async () => {
    const url = await loopback.http((request, response) => {
      request.resume().on('end', () => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write('{"half":', () => response.destroy());
      });
    });
    const house = await loopback.house(url);
    const client = loopback.connect(house);
    const failed = once(client.socket, 'error');
    client.write('POST /v1/completions HTTP/1.0\r\ncontent-length: 13\r\n\r\n{"model":"m"}');
    const [error] = (await failed) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNRESET');
    const [report] = await house.heard('report');
    assert.partialDeepStrictEqual(report, { ending: 'failed', reason: 'upstream_died' });
  });

  it('has its answer ended by the end of the connection', async () => {
    const url = await loopback.http((request, response) => {
      request.resume().on('end', () => {
        response.write('whole ');
        response.end('answer');
      });
    });
    const house = await loopback.house(url);
    const client = loopback.connect(house);
    client.write('POST /v1/completions HTTP/1.0\r\ncontent-length: 13\r\n\r\n{"model":"m"}');
    await once(client.socket, 'end');
    assert.match(client.text, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nwhole answer$/);
  });
});

describe('a connection beyond the most that are taken', () => {
  it('is closed at once and counted, and those there are go on', async () => {
    const url = await loopback.http((request, response) => {
      request.resume().on('end', () => void response.end('{}'));
    });
    const house = await loopback.house(url, { gateway: { maxConnections: 1 } });
    const first = loopback.connect(house).post('{"model":"m"}');
    assert.equal((await first.answer()).status, 200);
    const second = loopback.connect(house);
    await second.closed.catch(() => undefined);
    const reports = await house.heard('report', 2);
    assert.partialDeepStrictEqual(reports[1], { status: 503, reason: 'too_many_connections' });
    assert.equal((await first.post('{"model":"m"}').answer()).status, 200);
  });
});
