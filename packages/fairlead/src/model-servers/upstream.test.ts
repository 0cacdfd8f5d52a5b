// SPDX-License-Identifier: Apache-2.0

/** The upstream client against real sockets that behave and misbehave. */

import assert from 'node:assert/strict';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { Loopback } from '../../../../test/kit/loopback.ts';
import type { UpstreamCall, UpstreamFailure } from '../director/ports.ts';
import { HeaderBlock, NO_HEADERS } from '../sockets/header-block.ts';
import { UpstreamError } from './upstream-error.ts';
import { Upstream } from './upstream.ts';
import type { AddressedRequest, UpstreamOptions } from './upstream.ts';

const loopback = new Loopback();
const http = (listener: RequestListener): Promise<string> => loopback.http(listener);
const raw = (onSocket: (socket: Socket) => void): Promise<string> => loopback.raw(onSocket);

afterEach(() => loopback.end());

function upstream(options: Partial<UpstreamOptions> = {}): Upstream {
  const client = new Upstream({ connectTimeoutMs: 2000, ...options });
  loopback.atEnd(() => client.destroy());
  return client;
}

interface Answer {
  status: number;
  headers: readonly string[];
  body: string;
  error: UpstreamFailure | undefined;
}

interface Exchange {
  readonly call: UpstreamCall;
  readonly over: Promise<Answer>;
}

function start(
  client: Upstream,
  url: string,
  options: Partial<AddressedRequest> & { onData?: (chunk: Uint8Array) => boolean } = {},
): Exchange {
  const { onData, ...given } = options;
  const answer: Answer = { status: 0, headers: [], body: '', error: undefined };
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const request = {
    endpoint: { url },
    method: 'POST',
    path: '/v1/x',
    headers: NO_HEADERS,
    body: [Buffer.from('{}')],
    firstByteTimeoutMs: 5000,
    idleTimeoutMs: 5000,
    freshConnection: false,
    ...given,
  };
  const call = client.send(request, {
    onHeaders(status, headers) {
      answer.status = status;
      answer.headers = headers;
    },
    onData(chunk) {
      answer.body += Buffer.from(chunk).toString();
      return onData?.(chunk) ?? true;
    },
    onEnd: () => resolve(answer),
    onError(error) {
      answer.error = error;
      resolve(answer);
    },
  });
  return { call, over: promise };
}

const exchange = (...args: Parameters<typeof start>): Promise<Answer> => start(...args).over;

async function kindOf(exchanged: Promise<Answer>): Promise<string | undefined> {
  return (await exchanged).error?.kind;
}

function echo(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { url, headers } = request;
    response.end(JSON.stringify({ url, headers, body: Buffer.concat(chunks).toString() }));
  });
}

describe('the upstream client', () => {
  it('sends method, path behind the prefix, headers and all body chunks under one length', async () => {
    const url = await http(echo);
    const answer = await exchange(upstream(), `${url}/prefix`, {
      path: '/v1/chat?x=1',
      headers: new HeaderBlock([
        'x-one',
        '1',
        'Host',
        'evil',
        'Content-Length',
        '99',
        'Transfer-Encoding',
        'chunked',
        'Expect',
        '100-continue',
      ]),
      requestId: 'r-1',
      body: [Buffer.from('{"a"'), Buffer.from(':'), Buffer.from('1}')],
    });
    assert.equal(answer.status, 200);
    const seen = JSON.parse(answer.body) as { url: string; headers: Record<string, string>; body: string };
    assert.equal(seen.url, '/prefix/v1/chat?x=1');
    assert.equal(seen.body, '{"a":1}');
    assert.equal(seen.headers['content-length'], '7');
    assert.equal(seen.headers['host'], url.slice('http://'.length));
    assert.equal(seen.headers['x-one'], '1');
    assert.equal(seen.headers['x-request-id'], 'r-1');
    assert.equal(seen.headers['transfer-encoding'], undefined);
    assert.equal(seen.headers['expect'], undefined);
  });

  it('sets the endpoint’s own authorization in place of any other, until it is forgotten', async () => {
    const url = await http((request, response) => void response.end(request.headers.authorization ?? 'none'));
    const client = upstream();
    client.setAuthorization(url, 'Bearer ours');
    const headers = new HeaderBlock(['Authorization', 'Bearer theirs']);
    assert.equal((await exchange(client, url, { headers })).body, 'Bearer ours');
    client.forget(url);
    assert.equal((await exchange(client, url, { headers })).body, 'Bearer theirs');
    assert.equal((await exchange(client, url)).body, 'none');
  });

  it('hands over headers as they came, byte for byte, but for the length', async () => {
    const url = await raw((socket) =>
      socket.once('data', () =>
        socket.end(
          'HTTP/1.1 200 OK\r\nX-Odd: caf\xe9\r\nSet-Cookie: a\r\nSet-Cookie: b\r\ncontent-length: 0\r\n\r\n',
          'latin1',
        ),
      ),
    );
    const { headers } = await exchange(upstream(), url);
    assert.deepEqual(headers, ['X-Odd', 'caf\xe9', 'Set-Cookie', 'a', 'Set-Cookie', 'b']);
  });

  it('uses the connection that fell idle last again, and none for a request that wants a fresh one', async () => {
    const ports: (number | undefined)[] = [];
    const url = await http((request, response) => {
      ports.push(request.socket.remotePort);
      response.end();
    });
    const client = upstream();
    await exchange(client, url);
    await exchange(client, url);
    await exchange(client, url, { freshConnection: true });
    assert.equal(ports[0], ports[1]);
    assert.notEqual(ports[0], ports[2]);
    assert.deepEqual(client.connections(url), { open: 2, idle: 2 });
  });

  it('never uses a connection again on which more came than was asked for, or that is to be closed', async () => {
    for (const [head, more] of [
      ['', 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison'],
      ['connection: close\r\n', ''],
      ['keep-alive: timeout=1\r\n', ''],
    ]) {
      const url = await raw((socket) =>
        socket.on('data', () => void socket.write(`HTTP/1.1 200 OK\r\n${head}content-length: 4\r\n\r\nfine${more}`)),
      );
      const client = upstream();
      assert.equal((await exchange(client, url)).body, 'fine');
      assert.deepEqual(client.connections(url), { open: 0, idle: 0 });
    }
  });

  it('calls nothing before send has returned', async () => {
    const client = upstream();
    await client.destroy();
    let called = false;
    const { over } = start(client, 'http://127.0.0.1:1', { onData: () => (called = true) });
    assert.equal(called, false);
    assert.equal(await kindOf(over), 'aborted');
  });

  it('pauses the model server while nobody takes its bytes, and goes on after resume', async () => {
    const size = 8 * 1024 * 1024;
    const url = await http((_request, response) => {
      response.end(Buffer.alloc(size, 97));
    });
    let bytes = 0;
    const paused = Promise.withResolvers<void>();
    const exchanged = start(upstream(), url, {
      onData(chunk) {
        bytes += chunk.byteLength;
        paused.resolve();
        return false;
      },
    });
    await paused.promise;
    const first = bytes;
    await new Promise(setImmediate);
    assert.equal(bytes, first, 'nothing comes while paused');
    const pump = setInterval(() => exchanged.call.resume(), 0);
    await exchanged.over;
    clearInterval(pump);
    assert.equal(bytes, size);
  });
});

describe('a try that fails', () => {
  it('is refused when nobody listens', async () => {
    const url = await loopback.nobody();
    const { error } = await exchange(upstream(), url);
    assert.ok(error instanceof UpstreamError);
    assert.equal(error.kind, 'refused');
    assert.equal(error.code, 'ECONNREFUSED');
    assert.equal(await kindOf(exchange(upstream(), url.replace('127.0.0.1', 'localhost'))), 'refused');
  });

  it('is refused when a TLS server turns out to speak no TLS', async () => {
    const url = await raw((socket) => socket.once('data', () => socket.end('hello\r\n')));
    assert.equal(await kindOf(exchange(upstream(), url.replace('http:', 'https:'))), 'refused');
  });

  it('is refused when a connection is not there in time', async () => {
    // Never a word back: the TLS handshake, part of connecting, does not end.
    const url = await raw(() => undefined);
    const client = upstream({ connectTimeoutMs: 50 });
    assert.equal(await kindOf(exchange(client, url.replace('http:', 'https:'))), 'refused');
  });

  it('is reset when a fresh connection ends before any byte of an answer', async () => {
    const closing = await raw((socket) => socket.once('data', () => socket.end()));
    const resetting = await raw((socket) => socket.once('data', () => socket.resetAndDestroy()));
    assert.equal(await kindOf(exchange(upstream(), closing)), 'reset');
    assert.equal(await kindOf(exchange(upstream(), resetting)), 'reset');
  });

  for (const [how, end] of [
    ['closed', (socket: Socket) => void socket.end()],
    ['reset', (socket: Socket) => void socket.resetAndDestroy()],
  ] as const) {
    it(`is reset-idle when a kept-alive connection is ${how} as the request comes, and a fresh one works`, async () => {
      const used = new WeakSet<Socket>();
      const url = await http((request, response) => {
        if (used.has(request.socket)) end(request.socket);
        else response.end('fine');
        used.add(request.socket);
      });
      const client = upstream();
      await exchange(client, url);
      assert.equal(await kindOf(exchange(client, url)), 'reset-idle');
      assert.equal((await exchange(client, url, { freshConnection: true })).body, 'fine');
    });
  }

  it('is reset when a kept-alive connection ends too late to have crossed the request', async () => {
    let count = 0;
    const url = await http((request, response) => {
      if (++count === 1) response.end();
      else request.socket.resetAndDestroy();
    });
    const client = upstream({ idleCloseWindowMs: -1 });
    await exchange(client, url);
    assert.equal(await kindOf(exchange(client, url)), 'reset');
  });

  it('goes out on a new connection, unnoticed, when the idle one was closed before', async () => {
    const url = await http((_request, response) => void response.end('fine'));
    const client = upstream();
    await exchange(client, url);
    client.dropIdle(url);
    assert.deepEqual(client.connections(url), { open: 0, idle: 0 });
    assert.equal((await exchange(client, url)).body, 'fine');
  });

  it('died when the connection ends in the middle of the answer', async () => {
    const url = await raw((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf', 'latin1')),
    );
    const answer = await exchange(upstream(), url);
    assert.equal(answer.body, 'half');
    assert.equal(answer.error?.kind, 'died');
    const chunked = await raw((socket) =>
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n', () =>
          socket.resetAndDestroy(),
        );
      }),
    );
    assert.equal(await kindOf(exchange(upstream(), chunked)), 'died');
  });

  it('died when the head itself breaks off, or the body turns to nonsense', async () => {
    const head = await raw((socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nx-a: b')));
    assert.equal(await kindOf(exchange(upstream(), head)), 'died');
    const body = await raw((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n')),
    );
    assert.equal(await kindOf(exchange(upstream(), body)), 'died');
  });

  it('is nonsense when what comes is not HTTP, is a head without end, or an upgrade nobody asked for', async () => {
    for (const bytes of [
      'SSH-2.0-OpenSSH_9.9\r\n',
      '\0\u0001 these bytes are not HTTP \r\n\r\n',
      `HTTP/1.1 200 OK\r\nx-long: ${'b'.repeat(70_000)}\r\n\r\n`,
      'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
    ]) {
      const url = await raw((socket) => socket.once('data', () => void socket.write(bytes, 'latin1')));
      assert.equal(await kindOf(exchange(upstream(), url)), 'protocol', JSON.stringify(bytes.slice(0, 30)));
    }
  });

  it('times out on the first byte, and on silence within the answer', async () => {
    const silent = await raw((socket) => void socket.resume());
    assert.equal(await kindOf(exchange(upstream(), silent, { firstByteTimeoutMs: 20 })), 'timeout-first-byte');
    const stalled = await raw((socket) =>
      socket.once('data', () => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf')),
    );
    const answer = await exchange(upstream(), stalled, { idleTimeoutMs: 20 });
    assert.equal(answer.error?.kind, 'timeout-idle');
    assert.equal(answer.body, 'half');
  });

  it('is over at once when aborted, and the model server sees the connection end', async () => {
    const seen = Promise.withResolvers<IncomingMessage>();
    const url = await http((request, response) => {
      response.write('begun');
      seen.resolve(request);
    });
    const client = upstream();
    const exchanged = start(client, url);
    const request = await seen.promise;
    const closed = new Promise((resolve) => request.socket.once('close', resolve));
    exchanged.call.abort('the client left');
    const { error } = await exchanged.over;
    assert.equal(error?.kind, 'aborted');
    assert.equal(error?.message, 'the client left');
    await closed;
    assert.deepEqual(client.connections(url), { open: 0, idle: 0 });
  });

  it('sends nothing when aborted before it could connect', async () => {
    let requests = 0;
    const url = await http((_request, response) => {
      requests++;
      response.end();
    });
    const client = upstream();
    const exchanged = start(client, url);
    exchanged.call.abort('changed our mind');
    exchanged.call.abort('twice');
    assert.equal(await kindOf(exchanged.over), 'aborted');
    await exchange(client, url);
    assert.equal(requests, 1);
  });

  it('is refused as aborted when the request itself cannot be written', async () => {
    const url = await http((_request, response) => void response.end());
    assert.equal(await kindOf(exchange(upstream(), url, { requestId: 'a\nb' })), 'aborted');
    assert.equal(await kindOf(exchange(upstream(), url, { path: '/a b' })), 'aborted');
  });
});

describe('the end of the upstream client', () => {
  it('cuts what is under way, endpoints already forgotten included, and refuses more', async () => {
    const arrived = Promise.withResolvers<void>();
    const url = await http(() => arrived.resolve());
    const client = upstream();
    const { over } = start(client, url);
    await arrived.promise;
    client.forget(url);
    await client.destroy();
    assert.equal(await kindOf(over), 'aborted');
    assert.equal(await kindOf(exchange(client, url)), 'aborted');
  });
});
