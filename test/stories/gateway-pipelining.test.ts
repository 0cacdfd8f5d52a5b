// SPDX-License-Identifier: Apache-2.0

/** Requests that come behind one another on one connection, without waiting for answers. */

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, it } from 'node:test';
import { openHouse } from '../kit/house.ts';
import type { House, HouseOptions } from '../kit/house.ts';
import { Loopback } from '../kit/loopback.ts';
import { RawClient } from '../kit/raw-client.ts';

const loopback = new Loopback();
const body = '{"model":"m"}';
const HEAD = 'POST /v1/completions HTTP/1.1\r\nhost:';

afterEach(() => loopback.end());

function connect(house: House): RawClient {
  const client = new RawClient(house.url);
  loopback.atEnd(() => client.destroy());
  return client;
}

/** A house whose model server answers when `answer` is called, a request each time. */
async function heldHouse(
  options: Partial<HouseOptions> = {},
): Promise<{ house: House; answer: (how?: (response: ServerResponse) => void) => Promise<void> }> {
  const held: ServerResponse[] = [];
  let onHeld = (): void => undefined;
  const url = await loopback.http((request, response) => {
    if (request.method === 'GET') return void response.end();
    request.resume();
    held.push(response);
    onHeld();
  });
  const house = await openHouse({ servers: [{ url, models: ['m'] }], ...options });
  loopback.atEnd(() => house.close());
  return {
    house,
    async answer(how = (response) => void response.end('{}')) {
      while (held.length === 0) await new Promise<void>((resolve) => (onHeld = resolve));
      how(held.shift() as ServerResponse);
    },
  };
}

describe('a request behind another of its connection', () => {
  it('holds no place at a model server before that is over', async () => {
    const { house, answer } = await heldHouse();
    const client = connect(house).post(body).post(body).post(body);
    const events: ServerResponse[] = [];
    await answer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {}\n\n');
      events.push(response);
    });
    await client.saw('data: {}');
    // By the time another connection has been served, the others of this one could have been as well.
    const other = connect(house).post(body);
    await answer();
    assert.equal((await other.answer()).status, 200);
    assert.equal(house.count('dispatched'), 2);
    assert.equal(house.gateway.underway, 3);
    events[0]?.end();
    await answer();
    await answer();
    assert.equal((await house.heard('report', 4)).filter(({ status }) => status === 200).length, 4);
    house.assertEmpty();
  });

  it('is never sent when its client leaves before', async () => {
    const { house, answer } = await heldHouse();
    const client = connect(house).post(body).post(body);
    await house.heard('dispatched');
    await answer(() => client.destroy());
    const reports = await house.heard('report', 2);
    assert.deepEqual(
      reports.map(({ status, outcome }) => [status, outcome]),
      [
        [499, 'Dispatched'],
        [499, undefined],
      ],
    );
    assert.equal(house.count('dispatched'), 1);
    house.assertEmpty();
  });

  it('is answered too when the gateway stops: the last answer says that it is the last', async () => {
    const { house, answer } = await heldHouse();
    const client = connect(house).post(body).post('{').post(body);
    await house.heard('dispatched');
    while (house.gateway.underway < 3) await new Promise((resolve) => setImmediate(resolve));
    const closed = house.gateway.close();
    await answer();
    await answer();
    const answers = [await client.answer(), await client.answer(), await client.answer()];
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers.connection]),
      [
        [200, 'keep-alive'],
        [400, 'keep-alive'],
        [200, 'close'],
      ],
    );
    await closed;
    house.assertEmpty();
  });

  it('is not taken any more when the gateway stops: who always sends one more does not hold that up', async () => {
    const { house, answer } = await heldHouse();
    const client = connect(house).post(body).post(body);
    await house.heard('dispatched');
    while (house.gateway.underway < 2) await new Promise((resolve) => setImmediate(resolve));
    const closed = house.gateway.close();
    for (let count = 0; count < 2; count += 1) {
      client.post(body);
      // Time enough for it to be read.
      for (let turns = 0; turns < 50; turns += 1) await new Promise((resolve) => setImmediate(resolve));
      await answer();
    }
    await closed;
    assert.equal(house.count('dispatched'), 2);
    house.assertEmpty();
  });

  it('is one of sixteen at most: what comes beyond is not looked at, and the connection ends with the sixteenth', async () => {
    const { house, answer } = await heldHouse();
    const client = connect(house);
    for (let count = 0; count < 40; count += 1) client.post(body);
    for (let count = 0; count < 16; count += 1) await answer();
    const ends: (string | undefined)[] = [];
    for (let count = 0; count < 16; count += 1) ends.push((await client.answer()).headers.connection);
    assert.deepEqual(ends, [...Array<string>(15).fill('keep-alive'), 'close']);
    await client.closed;
    assert.equal(client.text, '');
    assert.equal(house.count('dispatched'), 16);
    house.assertEmpty();
  });
});

describe('a connection', () => {
  it('that brings requests without end is cut, and holds nothing', async () => {
    const { house } = await heldHouse();
    const client = connect(house);
    client.write(`${HEAD} x\r\ncontent-length: ${body.length}\r\n\r\n${body}`.repeat(100));
    await client.closed;
    await house.quiet();
    assert.equal((await house.heard('report', 16)).length, 16);
    house.assertEmpty();
  });
});

describe('a request that is refused before its body is there', () => {
  const refused = 'POST /nowhere HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n';

  it('is told so, although what comes of the body is none', async () => {
    const { house } = await heldHouse();
    const client = connect(house).write(`${refused}zz\r\n`);
    const answer = await client.answer();
    assert.deepEqual([answer.status, answer.headers.connection], [404, 'close']);
    await client.closed;
    assert.equal(client.text, '');
    house.assertEmpty();
  });

  it('is told so in its turn, behind others', async () => {
    const { house, answer } = await heldHouse();
    const client = connect(house).post(body).write(`GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n${refused}zz\r\n`);
    await answer();
    const answers = [await client.answer(), await client.answer(), await client.answer()];
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers.connection]),
      [
        [200, 'keep-alive'],
        [404, 'keep-alive'],
        [404, 'close'],
      ],
    );
    await client.closed;
    house.assertEmpty();
  });
});

describe('a request that is under way', () => {
  for (const [title, behind, status, options] of [
    ['a head that is never finished', `${HEAD}`, 408, { gateway: { headersTimeoutMs: 50 } }],
    ['what is no HTTP', 'GARBAGE\r\n\r\n', 400, {}],
    ['what asks for a tunnel', 'CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\nGARBAGE\r\n\r\n', 405, {}],
    ['a body that is none', `${HEAD} x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`, 400, {}],
  ] as const) {
    it(`is answered although ${title} comes behind it, and then that is answered and the connection closed`, async () => {
      const { house, answer } = await heldHouse(options);
      const client = connect(house).post(body).write(behind);
      await house.heard('dispatched');
      // What is wrong with the connection is told before the request is over.
      const [spoilt] = await house.heard('report');
      assert.equal(spoilt?.status, status);
      await answer();
      const [first, second] = [await client.answer(), await client.answer()];
      assert.deepEqual([first.status, second.status], [200, status]);
      assert.equal(second.headers.connection, 'close');
      await client.closed;
      const reports = await house.heard('report', 2);
      assert.deepEqual([reports[1]?.status, reports[1]?.ending], [200, 'succeeded']);
      house.assertEmpty();
    });
  }
});
