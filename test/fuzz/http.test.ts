// SPDX-License-Identifier: Apache-2.0

/** Bytes at random on the gateway's port and from a model server: nobody else notices, and nothing is held. */

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, describe, it } from 'node:test';
import { openHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';
import { fuzz } from '../kit/fuzz.ts';
import { Loopback } from '../kit/loopback.ts';
import { RawClient } from '../kit/raw-client.ts';

const loopback = new Loopback();
const good = '{"model":"m"}';

after(() => loopback.end());

async function houseAt(urls: readonly string[]): Promise<House> {
  const house = await openHouse({
    servers: urls.map((url, index) => ({ url, models: [index === 0 ? 'm' : `m${index}`] })),
  });
  loopback.atEnd(() => house.close());
  return house;
}

async function answers(house: House): Promise<void> {
  const client = new RawClient(house.url).post(good);
  assert.equal((await client.answer()).status, 200);
  client.destroy();
}

const post = (body: string, head = `content-length: ${body.length}\r\n`) =>
  `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n${head}\r\n${body}`;

describe('bytes at random over HTTP', () => {
  it('from a client are answered or cut off, and leave nothing behind', async (context) => {
    const url = await loopback.http((request, response) => {
      request.resume().on('end', () => void response.end('{}'));
    });
    const house = await houseAt([url]);
    const samples = [
      post(good),
      post(`d\r\n${good}\r\n0\r\n\r\n`, 'transfer-encoding: chunked\r\n'),
      post(good, `content-length: ${good.length}\r\nexpect: 100-continue\r\nauthorization: Bearer x\r\n`),
      post(
        good,
        `content-length: ${good.length}\r\nx-stainless-timeout: 5\r\nforwarded: for=1.2.3.4\r\nconnection: close\r\n`,
      ),
      'GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n',
      'GET /v1/models/m?x=1 HTTP/1.0\r\n\r\n',
    ];
    const words = [
      '\r\n',
      '\n',
      '\r',
      ' ',
      '\t',
      ':',
      '\0',
      '\xff',
      '%00',
      '\r\n\r\n',
      'HTTP/1.1',
      'content-length: 5\r\n',
      '0\r\n\r\n',
      'transfer-encoding: chunked\r\n',
      'upgrade: h2c\r\n',
      'ffffffff',
      '-1',
      ';',
      '{',
      '"',
    ];
    let count = 0;
    await fuzz(context, async (chance) => {
      const client = new RawClient(house.url);
      for (const piece of chance.cut(chance.damaged(samples, words))) client.write(piece);
      client.socket.end();
      await client.closed;
      count += 1;
      if (count % 50 === 0) await answers(house);
    });
    await answers(house);
    await house.quiet();
    house.assertEmpty();
  });

  it('from a model server are passed on or a 502, and harm no other', async (context) => {
    const samples = [
      'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
      'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\na\r\ndata: {}\n\n\r\n0\r\n\r\n',
      'HTTP/1.1 503 Busy\r\nretry-after: 1\r\nconnection: close\r\n\r\nbusy',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
    ];
    const words = [
      '\r\n',
      '\n',
      ' ',
      ':',
      '\0',
      '\xff',
      '\r\n\r\n',
      'HTTP/1.1 200 OK\r\n',
      'content-length: 5\r\n',
      'transfer-encoding: chunked\r\n',
      'upgrade: h2c\r\n',
      '101',
      '-1',
      'fffffffff',
      '{',
      'location: http://x/\r\n',
    ];
    let next = Buffer.alloc(0) as Buffer;
    const evil = await loopback.raw((socket: Socket) => {
      socket.on('data', (chunk: Buffer) => {
        if (chunk.toString('latin1').startsWith('POST')) socket.end(next);
        else socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      });
    });
    const fine = await loopback.http((request, response) => {
      request.resume().on('end', () => void response.end('{}'));
    });
    const house = await houseAt([fine, evil]);
    await fuzz(context, async (chance) => {
      next = chance.damaged(samples, words);
      const reports = house.count('report');
      const client = new RawClient(house.url).post('{"model":"m1"}', ['connection: close', 'x-fairlead-ttl-ms: 20']);
      await client.closed;
      assert.match(client.text, /^HTTP\/1\.1 [1-5]\d\d |^$/);
      await house.heard('report', reports + 1);
      await answers(house);
    });
    await house.quiet();
    house.assertEmpty();
  });
});
