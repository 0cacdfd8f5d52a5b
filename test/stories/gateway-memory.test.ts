// SPDX-License-Identifier: Apache-2.0

/** What is given back to the byte budget is given back to the machine, and nobody holds more of it than his share. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openHouse } from '../kit/house.ts';
import { Loopback } from '../kit/loopback.ts';
import { RawClient } from '../kit/raw-client.ts';

const MEGABYTE = 1 << 20;
const chat = '/v1/chat/completions';

/** Bytes that something still holds, of buffers or of everything else. */
function heldBytes(of: 'arrayBuffers' | 'heapUsed' = 'arrayBuffers'): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // Buffers are freed in the collection after the one that finds their owners gone.
  collect();
  collect();
  return process.memoryUsage()[of];
}

describe('the memory of a request body', () => {
  it('is free as soon as its answer begins, however long the answer takes', async () => {
    const loopback = new Loopback();
    const url = await loopback.http((request, response) => {
      request.resume().on('end', () => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: {}\n\n');
      });
    });
    const house = await openHouse({ servers: [{ url, models: ['m'] }] });
    const before = heldBytes();
    const clients = [1, 2, 3, 4].map(() =>
      new RawClient(house.url).post(JSON.stringify({ model: 'm', stream: true, prompt: 'x'.repeat(8 * MEGABYTE) })),
    );
    await Promise.all(clients.map((client) => client.saw('data: {}')));
    assert.equal(house.gateway.budget.used, 0);
    const held = heldBytes() - before;
    assert.ok(held < 4 * MEGABYTE, `${Math.round(held / MEGABYTE)} of 32 MB are still held`);
    for (const client of clients) client.destroy();
    await house.quiet();
    house.assertEmpty();
    await house.close();
    await loopback.end();
  });

  it('is not given back while the server still reads it, though its answer has begun', async () => {
    const loopback = new Loopback();
    const begun = Promise.withResolvers<void>();
    const url = await loopback.http((request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: begun\n\n');
      const hash = createHash('sha256');
      // Read once the gateway has passed the beginning of the answer on.
      void begun.promise.then(() => {
        request.on('data', (chunk: Buffer) => hash.update(chunk));
        request.on('end', () => response.end(`data: ${hash.digest('hex')}\n\n`));
      });
    });
    const house = await openHouse({ servers: [{ url, models: ['m'] }] });
    const body = JSON.stringify({ model: 'm', stream: true, prompt: 'abcdefg'.repeat(2 * MEGABYTE) });
    const client = new RawClient(house.url).post(body);
    await client.saw('data: begun');
    begun.resolve();
    await client.saw(createHash('sha256').update(body).digest('hex'));
    client.destroy();
    await house.quiet();
    house.assertEmpty();
    await house.close();
    await loopback.end();
  });

  it('is free without the collector when its request has waited too long', async () => {
    const loopback = new Loopback();
    const url = await loopback.http((request) => void request.resume());
    const house = await openHouse({ servers: [{ url, models: ['m'] }], limit: 1 });
    const first = new RawClient(house.url).post('{"model":"m"}');
    await house.heard('dispatched');
    const body = JSON.stringify({ model: 'm', prompt: 'x'.repeat(8 * MEGABYTE) });
    const late = new RawClient(house.url).post(body, ['x-fairlead-ttl-ms: 100']);
    await house.heard('enqueued', 2);
    const { arrayBuffers: waiting } = process.memoryUsage();
    assert.equal((await late.answer()).status, 429);
    await house.heard('report');
    const { arrayBuffers: over } = process.memoryUsage();
    assert.ok(waiting - over > 6 * MEGABYTE, `${Math.round((waiting - over) / MEGABYTE)} of 8 MB were free at once`);
    for (const client of [first, late]) client.destroy();
    await house.quiet();
    house.assertEmpty();
    await house.close();
    await loopback.end();
  });

  it('is shared: a tenant whose large requests wait leaves half of it to others', async () => {
    const loopback = new Loopback();
    const url = await loopback.http((request) => void request.resume());
    const house = await openHouse({
      servers: [{ url, models: ['m'] }],
      limit: 1,
      gateway: { maxBodyBytes: 40_000, maxBufferedBytes: 200_000 },
      identity: { trustedSources: ['127.0.0.1'] },
    });
    const send = (tenant: string): RawClient =>
      new RawClient(house.url).post(JSON.stringify({ model: 'm', prompt: 'x'.repeat(20_000) }), [
        `x-llm-d-inference-fairness-id: ${tenant}`,
      ]);
    const greedy = [send('greedy'), send('greedy'), send('greedy')];
    const [refused] = await house.heard('report');
    assert.partialDeepStrictEqual(refused, { status: 429, tenant: 'greedy' });
    const modest = [send('modest'), send('modest')];
    await house.heard('enqueued', 4);
    assert.ok(house.gateway.budget.used > 80_000);
    for (const client of [...greedy, ...modest]) client.destroy();
    await house.quiet();
    house.assertEmpty();
    await house.close();
    await loopback.end();
  });

  it('is counted by address for tenants that nobody proved: a new key is no new memory', async () => {
    const house = await openHouse({
      servers: [{ url: 'http://127.0.0.1:9', models: ['m'] }],
      gateway: { maxBodyBytes: 40_000, maxBufferedBytes: 200_000 },
    });
    const announce = (key: number): RawClient =>
      new RawClient(house.url).write(
        `POST ${chat} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-length: 30000\r\nexpect: 100-continue\r\n\r\n`,
      );
    const first = announce(1);
    assert.equal((await first.answer()).status, 100);
    const second = announce(2);
    assert.equal((await second.answer()).status, 429);
    for (const client of [first, second]) client.destroy();
    await house.quiet();
    house.assertEmpty();
    await house.close();
  });
});

describe('the memory of a head', () => {
  it('is free when its request is over, however long its connection is kept', async () => {
    const house = await openHouse({ servers: [{ url: 'http://127.0.0.1:9', models: ['m'] }] });
    const clients = Array.from({ length: 256 }, () => new RawClient(house.url));
    const ask = async (value: string): Promise<void> => {
      const head = `GET /v1/models HTTP/1.1\r\nhost: x\r\nx: ${value}\r\n\r\n`;
      for (const client of clients) await client.write(head).answer();
      await house.quiet();
    };
    await ask('short');
    const before = heldBytes('heapUsed');
    await ask('x'.repeat(60_000));
    const held = heldBytes('heapUsed') - before;
    assert.ok(held < 6 * MEGABYTE, `${Math.round(held / MEGABYTE)} of 15 MB are still held`);
    for (const client of clients) client.destroy();
    await Promise.all(clients.map(({ closed }) => closed));
    await house.close();
  });
});
