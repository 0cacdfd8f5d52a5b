// SPDX-License-Identifier: Apache-2.0

/** Several endpoints for each request: servers that are gone, and the alternatives that are not. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import type { Scorer } from '@fairlead/core';
import * as plugins from '@fairlead/core/plugins';
import { instanceOf } from '@fairlead/core/testing';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { openHouse } from '../kit/house.ts';

const models = ['m'];

/** The first of the configuration is the best. */
const inOrder: Scorer = {
  type: 'in-order',
  name: 'in-order',
  score: (_request, endpoints, scores) => {
    for (const [index, { name }] of endpoints.entries()) scores[index] = 1 - Number(name.at(-1)) / 10;
  },
};

/** A house that names up to three endpoints for each request, in the order of `urls`. */
function houseOf(urls: readonly string[], limit: number) {
  const picker = instanceOf(plugins.maxScorePicker, { parameters: { maxNumOfEndpoints: 3 } });
  const profiles = [{ name: 'default', filters: [], scorers: [{ scorer: inOrder, weight: 1 }], picker }];
  return openHouse({
    servers: urls.map((url) => ({ url, models })),
    limit,
    config: { scheduling: { handler: instanceOf(plugins.singleProfileHandler), profiles } },
  });
}

/** A server that says that it is healthy, as long as it is there. */
async function healthy() {
  const server = createServer((_request, response) => void response.end('{}'));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const probed = once(server, 'request');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Goes away as soon as it was asked for its health, so that nobody knows. */
    async leave(): Promise<void> {
      const [, response] = (await probed) as [IncomingMessage, ServerResponse];
      if (!response.writableFinished) await once(response, 'finish');
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** A server that answers its first request on a connection, and with the second goes away for good. */
async function fleeting(): Promise<{ url: string; close(): void }> {
  const sockets = new Set<net.Socket>();
  const close = () => {
    server.close();
    for (const socket of sockets) socket.resetAndDestroy();
  };
  let answered = 0;
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      const [method] = data.toString('latin1').split(' ');
      if (method !== 'GET' && method !== 'POST') return;
      if (method === 'POST') answered += 1;
      if (answered > 1) close();
      else socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

describe('A request with alternatives', () => {
  it('goes to the next of them when a server cannot be connected to, past those who wait for a turn', async () => {
    const server = await startModelServer({ prefillMs: 1, tokenMs: 1, models });
    const gone = [await healthy(), await healthy()];
    const house = await houseOf([...gone.map(({ url }) => url), server.url], 1);
    try {
      for (const each of gone) await each.leave();
      const ask = () => house.client().completions.create({ model: 'm', prompt: 'x', max_tokens: 2 });
      const answers = await Promise.all([ask(), ask(), ask(), ask()]);
      for (const { choices } of answers) assert.equal(choices.length, 1);
      const moved = await house.heard('failed-over');
      assert.equal(moved.at(-1)?.endpoint.name, 'server-2');
      const reports = await house.heard('report', 4);
      assert.deepEqual(
        new Set(reports.map(({ endpoint, status }) => `${endpoint} ${status}`)),
        new Set(['server-2 200']),
      );
      await house.quiet();
      house.assertEmpty();
    } finally {
      await house.close();
      await server.close();
    }
  });

  it('is tried on a second server when its first one dies, and on no third when that one dies too', async () => {
    const [first, second] = [await fleeting(), await fleeting()];
    const third = await startModelServer({ prefillMs: 1, tokenMs: 1, models });
    const house = await houseOf([first.url, second.url, third.url], 1);
    try {
      const ask = () =>
        fetch(`${house.url}/v1/completions`, {
          method: 'POST',
          body: '{"model": "m", "prompt": "x", "max_tokens": 2}',
        });
      // One each on a connection that is then kept alive.
      const greetings = await Promise.all([ask(), ask()]);
      for (const greeting of greetings) assert.deepEqual([greeting.status, await greeting.text()], [200, '{}']);
      await house.quiet();
      const answer = await ask();
      const body = (await answer.json()) as { error: { code: string; message: string } };
      assert.deepEqual([answer.status, body.error.code], [502, 'upstream_died_twice']);
      assert.match(body.error.message, /not tried on a third/);
      assert.equal(answer.headers.get('x-should-retry'), 'false');
      assert.equal(third.stats().received, 0);
      const next = await ask();
      assert.equal(next.status, 200);
      await next.text();
      await house.quiet();
      house.assertEmpty();
    } finally {
      await house.close();
      first.close();
      second.close();
      await third.close();
    }
  });
});
