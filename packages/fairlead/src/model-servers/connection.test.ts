// SPDX-License-Identifier: Apache-2.0

/** What a connection does while nobody uses it; the rest is in the tests of the upstream client. */

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, test } from 'node:test';
import { Loopback } from '../../../../test/kit/loopback.ts';
import { NO_HEADERS } from '../sockets/header-block.ts';
import { Upstream } from './upstream.ts';

const loopback = new Loopback();

afterEach(() => loopback.end());

function request(url: string) {
  const timeouts = { firstByteTimeoutMs: 5000, idleTimeoutMs: 5000 };
  return {
    endpoint: { url },
    method: 'GET',
    path: '/',
    headers: NO_HEADERS,
    body: [],
    ...timeouts,
    freshConnection: false,
  };
}

test('a connection on which something comes that nobody asked for is dropped', async () => {
  const opened = Promise.withResolvers<Socket>();
  const url = await loopback.raw((socket) => {
    opened.resolve(socket);
    socket.on('data', () => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
  });
  const client = new Upstream({ connectTimeoutMs: 2000 });
  loopback.atEnd(() => client.destroy());
  await new Promise<void>((resolve, reject) => {
    client.send(request(url), {
      onHeaders: () => undefined,
      onData: () => true,
      onEnd: resolve,
      onError: ({ message }) => reject(new Error(message)),
    });
  });
  const socket = await opened.promise;
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison');
  await closed;
  assert.deepEqual(client.connections(url), { open: 0, idle: 0 });
});
