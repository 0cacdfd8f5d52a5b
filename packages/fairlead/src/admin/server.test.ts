// SPDX-License-Identifier: Apache-2.0

/** The admin port over real sockets: its pages, and who may switch bypass. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { startAdmin } from './server.ts';
import type { AdminOptions, AdminServer } from './server.ts';
import type { StateDocument } from './state.ts';
import { unreloaded } from '../../../../test/kit/config-status.ts';

const emptyState: StateDocument = {
  schema: 1,
  version: '1.2.3',
  uptimeS: 1,
  draining: false,
  bypass: false,
  buffered: { bytes: 0, limitBytes: null },
  config: unreloaded,
  pools: [],
  unassigned: [],
};

interface Stand extends AdminServer {
  readonly switched: boolean[];
  readonly faults: unknown[];
}

async function withAdmin(options: Partial<AdminOptions>, use: (stand: Stand) => Promise<void>): Promise<void> {
  const switched: boolean[] = [];
  const faults: unknown[] = [];
  const admin = await startAdmin({
    host: '127.0.0.1',
    port: 0,
    metrics: { contentType: 'text/plain; version=0.0.4', render: () => Promise.resolve('# nothing\n') },
    state: () => ({ ...emptyState, bypass: switched.at(-1) ?? false }),
    notReadyReason: () => undefined,
    setBypass: (on) => void switched.push(on),
    onFault: (error) => void faults.push(error),
    ...options,
  });
  try {
    await use({ ...admin, switched, faults });
  } finally {
    await admin.close();
  }
}

interface Ask {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

async function ask(url: string, { method = 'GET', headers = {}, body }: Ask = {}) {
  const call = request(url, { method, headers, agent: false });
  call.end(body);
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, headers: response.headers, text, json: () => JSON.parse(text) as unknown };
}

const asJson = { 'content-type': 'application/json' };

test('the pages answer with their own content types, and are not to be cached', async () => {
  await withAdmin({}, async ({ url }) => {
    const metrics = await ask(`${url}/metrics?x=1`);
    assert.deepEqual([metrics.status, metrics.text], [200, '# nothing\n']);
    assert.equal(metrics.headers['content-type'], 'text/plain; version=0.0.4');
    assert.equal(metrics.headers['cache-control'], 'no-store');
    assert.deepEqual((await ask(`${url}/healthz`)).json(), { ok: true });
    assert.deepEqual((await ask(`${url}/readyz`)).json(), { ready: true });
    assert.deepEqual((await ask(`${url}/state`)).json(), emptyState);
    const head = await ask(`${url}/state`, { method: 'HEAD' });
    assert.deepEqual([head.status, head.text], [200, '']);
  });
});

test('readyz says why not, with 503', async () => {
  await withAdmin({ notReadyReason: () => 'no endpoint is up' }, async ({ url }) => {
    const { status, json } = await ask(`${url}/readyz`);
    assert.deepEqual([status, json()], [503, { ready: false, reason: 'no endpoint is up' }]);
    assert.equal((await ask(`${url}/healthz`)).status, 200);
  });
});

test('an unknown page is 404 with those there are, a wrong method 405 with those allowed, both as JSON', async () => {
  await withAdmin({}, async ({ url, switched }) => {
    for (const path of ['/', '/nothing', '/__proto__', '/metrics/']) {
      const { status, text } = await ask(`${url}${path}`);
      assert.equal(status, 404, path);
      assert.match(text, /\/metrics, \/healthz/);
    }
    const { status, headers, json } = await ask(`${url}/bypass`);
    assert.deepEqual([status, headers.allow], [405, 'POST']);
    assert.deepEqual(json(), { error: { message: '/bypass takes POST', status: 405 } });
    for (const method of ['POST', 'DELETE', 'OPTIONS'])
      assert.equal((await ask(`${url}/state`, { method })).status, 405);
    assert.deepEqual(switched, []);
  });
});

test('bypass is switched by a JSON body from loopback, and answers with the state', async () => {
  await withAdmin({}, async ({ url, port, switched }) => {
    const on = await ask(`${url}/bypass`, { method: 'POST', headers: asJson, body: '{"on":true}' });
    assert.deepEqual([on.status, (on.json() as StateDocument).bypass], [200, true]);
    for (const host of [`localhost:${port}`, 'localhost', '[::1]:1', '127.9.9.9']) {
      const headers = { 'content-type': 'application/json; charset=utf-8', host };
      const { status } = await ask(`${url}/bypass`, { method: 'POST', headers, body: ' {"on": false} ' });
      assert.equal(status, 200, host);
    }
    assert.deepEqual(switched, [true, false, false, false, false]);
  });
});

test('bypass is refused to a re-bound name, to a form, and to a body that is not a switch', async () => {
  await withAdmin({}, async ({ url, switched }) => {
    const refused = async (expected: number, headers: OutgoingHttpHeaders, body: string): Promise<void> => {
      const { status } = await ask(`${url}/bypass`, { method: 'POST', headers, body });
      assert.equal(status, expected, `${JSON.stringify(headers)} ${body.slice(0, 40)}`);
    };
    for (const host of [
      'evil.test',
      'localhost.evil.test',
      '127.0.0.1.evil.test',
      '10.0.0.1',
      'a b',
      '0.0.0.0',
      'evil.test@127.0.0.1',
    ]) {
      await refused(403, { ...asJson, host }, '{"on":true}');
    }
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/jsonx',
      'multipart/form-data',
    ]) {
      await refused(415, { 'content-type': type }, '{"on":true}');
    }
    await refused(415, {}, '{"on":true}');
    for (const body of ['', 'on', 'null', '[]', '{}', '{"on":1}', '{"on":"true"}', '{"on":true', '"on"']) {
      await refused(400, asJson, body);
    }
    await refused(413, asJson, `{"on":true${' '.repeat(5_000)}}`);
    assert.deepEqual(switched, []);
  });
});

/** An address of this machine that is not loopback; a machine without any has nothing to show here. */
const outside = Object.values(networkInterfaces())
  .flat()
  .find((address) => address?.family === 'IPv4' && !address.internal)?.address;

if (outside !== undefined) {
  test('bypass is refused to a peer that is not on loopback', async () => {
    await withAdmin({ host: '0.0.0.0' }, async ({ port, switched }) => {
      const headers = { ...asJson, host: `127.0.0.1:${port}` };
      const { status } = await ask(`http://${outside}:${port}/bypass`, {
        method: 'POST',
        headers,
        body: '{"on":true}',
      });
      assert.equal(status, 403);
      assert.deepEqual(switched, []);
      assert.equal((await ask(`http://${outside}:${port}/healthz`)).status, 200);
    });
  });
}

test('a page that cannot be made is 500 without details, and told to the log', async () => {
  const state = (): never => {
    throw new Error('secret detail');
  };
  await withAdmin({ state }, async ({ url, faults }) => {
    const { status, text } = await ask(`${url}/state`);
    assert.equal(status, 500);
    assert.ok(!text.includes('secret'));
    assert.equal((faults[0] as Error).message, 'secret detail');
    assert.equal((await ask(`${url}/healthz`)).status, 200);
  });
});

test('one connection can ask again and again', async () => {
  await withAdmin({}, async ({ port }) => {
    const socket = connect(port, '127.0.0.1');
    socket.write(
      'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
    );
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    assert.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 2);
  });
});

test('a head that is too large is refused and nothing else suffers', async () => {
  await withAdmin({}, async ({ url, port }) => {
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET /state HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`);
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    assert.match(text, /^HTTP\/1\.1 431 /);
    assert.equal((await ask(`${url}/healthz`)).status, 200);
  });
});

test('a port that is taken is reported by the error of listening', async () => {
  await withAdmin({}, async ({ port }) => {
    await assert.rejects(
      withAdmin({ port }, () => Promise.resolve()),
      { code: 'EADDRINUSE' },
    );
  });
});

test('closing cuts connections that are open', async () => {
  const sockets: Socket[] = [];
  await withAdmin({}, async ({ port }) => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'connect');
    socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(socket, 'data');
  });
  const [socket] = sockets;
  if (socket !== undefined && !socket.closed) {
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined).resume();
    await closed;
  }
});
