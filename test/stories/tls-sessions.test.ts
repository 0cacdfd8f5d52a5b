// SPDX-License-Identifier: Apache-2.0

/** TLS sessions of connections to model servers: what is resumed, and what must not be. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, it } from 'node:test';
import tls from 'node:tls';
import type { UpstreamHandler } from '../../packages/fairlead/src/director/ports.ts';
import { Upstream } from '../../packages/fairlead/src/model-servers/upstream.ts';
import { NO_HEADERS } from '../../packages/fairlead/src/sockets/header-block.ts';
import { Authority } from '../kit/certificates.ts';
import { Loopback } from '../kit/loopback.ts';

const loopback = new Loopback();

afterEach(() => loopback.end());

const authority = new Authority('Test authority');

it('a session is offered to the server it was made with, and to nobody once the authorities are others', async () => {
  const resumed: boolean[] = [];
  const listener = tls.createServer(authority.certify({ name: 'server', hosts: ['127.0.0.1'] }), (socket) => {
    resumed.push(socket.isSessionReused());
    socket.on('error', () => undefined);
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'));
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const trusted = { secureContext: tls.createSecureContext({ ca: authority.cert }) };
  const upstream = new Upstream({ connectTimeoutMs: 5000, tls: trusted });
  loopback.atEnd(async () => {
    await upstream.destroy();
    await new Promise((resolve) => listener.close(resolve));
  });
  const url = `https://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  const ask = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const handler: UpstreamHandler = {
        onHeaders: () => undefined,
        onData: () => true,
        onEnd: resolve,
        onError: ({ message }) => reject(new Error(message)),
      };
      const request = { method: 'GET', path: '/', headers: NO_HEADERS, requestId: undefined, body: [] };
      const timeouts = { firstByteTimeoutMs: 5000, idleTimeoutMs: 5000, freshConnection: true };
      upstream.send({ endpoint: { url }, ...request, ...timeouts }, handler);
    });
  const late = ask();
  // Its session comes when connections are to be made in another way already.
  upstream.setTls(url, { ...trusted });
  await late;
  await ask();
  await ask();
  assert.deepEqual(resumed, [false, false, true]);
});
