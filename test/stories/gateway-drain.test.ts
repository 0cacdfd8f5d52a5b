// SPDX-License-Identifier: Apache-2.0

/** Stopping: what was accepted is answered, what was not is not, and nothing is left open. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, it } from 'node:test';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { openHouse } from '../kit/house.ts';
import { RawClient } from '../kit/raw-client.ts';

const messages = [{ role: 'user' as const, content: 'hi' }];

async function slowHouse() {
  const server = await startModelServer({ prefillMs: 1, tokenMs: 1, maxNumSeqs: 2, models: ['m'] });
  return { server, house: await openHouse({ servers: [{ url: server.url, models: ['m'] }], limit: 2 }) };
}

describe('a drain', () => {
  it('answers every request that was accepted, streaming, running and waiting alike', async () => {
    const { server, house } = await slowHouse();
    const client = house.client();
    const plain = Array.from({ length: 10 }, () =>
      client.chat.completions.create({ model: 'm', messages, max_tokens: 20 }),
    );
    const streams = Array.from({ length: 10 }, async () => {
      let words = 0;
      const stream = await client.chat.completions.create({ model: 'm', messages, max_tokens: 20, stream: true });
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content) words += 1;
      return words;
    });
    await house.heard('enqueued', 20);
    const closed = house.gateway.close();
    const answers = await Promise.all(plain);
    assert.deepEqual(
      answers.map(({ usage }) => usage?.completion_tokens),
      answers.map(() => 20),
    );
    assert.deepEqual(await Promise.all(streams), Array(10).fill(20));
    await closed;
    await house.director.close();
    house.assertEmpty();
    await house.close();
    await server.destroy();
  });

  it('takes no new connection, closes idle ones, and ends those in use with their answer', async () => {
    const { server, house } = await slowHouse();
    server.set({ stallAfter: 1 });
    const idle = new RawClient(house.url).write('GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n');
    assert.equal((await idle.answer()).status, 200);
    const silent = new RawClient(house.url);
    await once(silent.socket, 'connect');
    const busy = new RawClient(house.url).post(JSON.stringify({ model: 'm', messages, max_tokens: 3 }));
    await house.heard('dispatched');
    const closed = house.gateway.close();
    assert.equal(house.gateway.close(), closed, 'twice is once');
    for (const each of [idle, silent]) {
      await once(each.socket, 'end');
      each.destroy();
    }
    const late = net.connect(Number(new URL(house.url).port), '127.0.0.1');
    await assert.rejects(once(late, 'connect'), { code: 'ECONNREFUSED' });
    server.set({ stallAfter: null });
    const answer = await busy.answer();
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.connection, 'close');
    busy.destroy();
    await closed;
    await house.close();
    await server.destroy();
  });

  it('that is cut short leaves nothing behind', async () => {
    const { server, house } = await slowHouse();
    server.set({ stallAfter: 1 });
    const clients = Array.from({ length: 5 }, () =>
      new RawClient(house.url).post(JSON.stringify({ model: 'm', messages, max_tokens: 3 })),
    );
    await house.heard('enqueued', 5);
    const closed = house.gateway.close();
    house.gateway.destroy();
    await closed;
    await house.heard('report', 5);
    house.assertEmpty();
    for (const each of clients) each.destroy();
    await house.close();
    await server.destroy();
  });
});
