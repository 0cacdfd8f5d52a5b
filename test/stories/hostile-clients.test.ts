// SPDX-License-Identifier: Apache-2.0

/**
 * Clients that mean harm: bytes that two parsers would read differently, values that would break a line somewhere, words
 * about where a request should go, and bodies that grow when they are unpacked.
 */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import { gzipSync } from 'node:zlib';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { openHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';
import { RawClient } from '../kit/raw-client.ts';

const good = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }] });

/** What reached the model server. */
let received: { request: IncomingMessage; body: string }[] = [];
let server: Server;
let house: House;
const clients = new Set<RawClient>();

before(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
    request.on('end', () => {
      if (request.method === 'POST') received.push({ request, body });
      response.end('{}');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  house = await openHouse({ servers: [{ url, models: ['m'] }] });
});
afterEach(async () => {
  for (const each of clients) each.destroy();
  clients.clear();
  received = [];
  await house.quiet();
  house.assertEmpty();
});
after(async () => {
  await house.close();
  server.closeAllConnections();
  server.close();
});

function client(): RawClient {
  const made = new RawClient(house.url);
  clients.add(made);
  return made;
}

describe('bytes that two parsers would read differently', () => {
  const smuggled = `POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${good.length}\r\n\r\n${good}`;
  const start = 'POST /v1/chat/completions HTTP/1.1\r\n';
  const chunked = `${good.length.toString(16)}\r\n${good}\r\n0\r\n\r\n`;
  const cases: Record<string, string> = {
    'a length and chunks (CL.TE)': `${start}host: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    'chunks and a length (TE.CL)': `${start}host: x\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n${chunked}`,
    'two lengths': `${start}host: x\r\ncontent-length: ${good.length}\r\ncontent-length: 0\r\n\r\n${good}`,
    'two lengths in one header': `${start}host: x\r\ncontent-length: ${good.length}, 0\r\n\r\n${good}`,
    'a length with a sign': `${start}host: x\r\ncontent-length: +${good.length}\r\n\r\n${good}`,
    'a length that is no number': `${start}host: x\r\ncontent-length: 0x10\r\n\r\n${good}`,
    'a negative length': `${start}host: x\r\ncontent-length: -1\r\n\r\n${good}`,
    'an unknown transfer coding': `${start}host: x\r\ntransfer-encoding: xchunked\r\n\r\n${chunked}`,
    'chunks that are not the last coding': `${start}host: x\r\ntransfer-encoding: chunked, identity\r\n\r\n${chunked}`,
    'chunks twice': `${start}host: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n${chunked}`,
    'a folded header': `${start}host: x\r\ntransfer-encoding:\r\n chunked\r\n\r\n${chunked}`,
    'a folded header behind another': `${start}host: x\r\nx: y\r\n transfer-encoding: chunked\r\n\r\n${chunked}`,
    'two hosts': `${start}host: x\r\nhost: y\r\ncontent-length: 70000\r\n\r\n${good}`,
    'bare line feeds': `${start}host: x\ncontent-length: ${good.length}\n\n${good}`,
    'a bare carriage return': `${start}host: x\r\nx: y\rcontent-length: 0\r\n\r\n`,
    'a space before the colon': `${start}host: x\r\ncontent-length : ${good.length}\r\n\r\n${good}`,
    'a name with a zero byte': `${start}host: x\r\ncontent-len\0gth: 5\r\n\r\n`,
    'a value with a zero byte': `${start}host: x\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n`,
    'a chunk size beyond all bounds': `${start}host: x\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n${good}`,
    'a chunk size with a sign': `${start}host: x\r\ntransfer-encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n`,
    'a chunk that is longer than it says': `${start}host: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}}\r\n0\r\n\r\n`,
    'a line feed for the end of a chunk': `${start}host: x\r\ntransfer-encoding: chunked\r\n\r\n2\n{}\n0\n\n`,
    'a version that there is not': `POST /v1/chat/completions HTTP/1.9\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}`,
    'no version': 'POST /v1/chat/completions\r\nhost: x\r\n\r\n',
    'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'the hello of TLS': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  };
  for (const [title, bytes] of Object.entries(cases)) {
    it(`are refused: ${title}`, async () => {
      const raw = client().write(Buffer.from(bytes, 'latin1'));
      assert.equal((await raw.answer()).status, 400);
      await raw.closed;
      assert.equal(raw.text, '', 'nothing behind it is read');
      assert.deepEqual(received, []);
    });
  }

  it('are not taken for plain when another coding is under the chunks', async () => {
    const raw = client().write(`${start}host: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n${chunked}`);
    const answer = await raw.answer();
    assert.equal(answer.status, 501);
    assert.match(answer.body, /"code":"unsupported_transfer_encoding"/);
    assert.equal(answer.headers['x-should-retry'], 'false');
    await raw.closed;
    assert.deepEqual(received, []);
  });

  it('are refused even when two lengths agree', async () => {
    const length = `content-length: ${good.length}`;
    const raw = client().write(`${start}host: x\r\n${length}\r\n${length}\r\n\r\n${good}`);
    const { status } = await raw.answer();
    assert.equal(status, 400);
    assert.equal(received.length, 0);
  });
});

describe('a value that would break a line', () => {
  const evil = 'm\r\nx-injected: yes\r\n\r\n\u0000\u001b[31m"}{\n# HELP';

  it('in a model name is a 404 that says it harmlessly', async () => {
    const raw = client().post(JSON.stringify({ model: evil }));
    const answer = await raw.answer();
    assert.equal(answer.status, 404);
    assert.equal(answer.headers['x-injected'], undefined);
    assert.match((JSON.parse(answer.body) as { error: { message: string } }).error.message, /does not exist/);
    assert.deepEqual(received, []);
  });

  it('in a request id is not taken over', async () => {
    for (const id of ['a\tb', 'é', 'x'.repeat(200)]) {
      const answer = await client()
        .post(good, [`x-request-id: ${Buffer.from(id).toString('latin1')}`])
        .answer();
      assert.match(answer.headers['x-request-id'] ?? '', /^[0-9a-f-]{36}$/);
    }
    for (const { request } of received) assert.match(String(request.headers['x-request-id']), /^[0-9a-f-]{36}$/);
  });

  it('in a path reaches no server', async () => {
    for (const path of ['/v1/chat/completions%0d%0ax:y', '/v1/chat/../../admin', '/v1//chat/completions', '/\\evil']) {
      assert.equal((await client().post(good, [], path).answer()).status, 404, path);
    }
    assert.deepEqual(received, []);
  });
});

describe('words about where to go', () => {
  it('are not heard: the server is one of ours, and is called by its own name', async () => {
    const elsewhere = '169.254.169.254';
    const lines = [
      `x-gateway-destination-endpoint: ${elsewhere}:80`,
      `x-gateway-destination-endpoint-subset: ${elsewhere}`,
      `x-forwarded-host: ${elsewhere}`,
      `x-original-url: http://${elsewhere}/`,
      `x-rewrite-url: /latest/meta-data`,
      `x-prefiller-host-port: ${elsewhere}:80`,
      `forwarded: host=${elsewhere}`,
      `x-original-path: /admin`,
    ];
    const answer = await client().post(good, lines).answer();
    assert.equal(answer.status, 200);
    const [{ request } = assert.fail('nothing came')] = received;
    assert.equal(request.headers.host, `127.0.0.1:${(server.address() as AddressInfo).port}`);
    assert.equal(request.url, '/v1/chat/completions');
    const told = Object.keys(request.headers).filter((name) => /^x-gateway|^x-prefiller|^forwarded$/.test(name));
    assert.deepEqual(told, []);
  });

  it('in the request line are not followed: an absolute target is only its path', async () => {
    const answer = await client().post(good, [], 'http://169.254.169.254/v1/chat/completions?a=b').answer();
    assert.equal(answer.status, 200);
    assert.equal(received[0]?.request.url, '/v1/chat/completions?a=b');
    for (const target of [
      'http://evil@127.0.0.1/latest',
      'ftp://x/v1/chat/completions',
      '//evil/v1/chat/completions',
    ]) {
      const refused = await client().post(good, [], target).answer();
      assert.ok(refused.status === 404 || refused.status === 400, `${target}: ${refused.status}`);
    }
    assert.equal(received.length, 1);
  });

  it('in the Host header are not followed', async () => {
    const raw = client().write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: 169.254.169.254\r\ncontent-length: ${good.length}\r\n\r\n${good}`,
    );
    assert.equal((await raw.answer()).status, 200);
    assert.match(received[0]?.request.headers.host ?? '', /^127\.0\.0\.1:/);
  });
});

describe('a body', () => {
  const bomb = gzipSync(Buffer.alloc(10_000_000, ' '));

  it('that is packed is refused before it is read, and never unpacked', async () => {
    for (const encoding of ['gzip', 'deflate', 'br', 'zstd', 'gzip, identity', 'GZIP']) {
      const raw = client().write(
        `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-encoding: ${encoding}\r\ncontent-length: ${bomb.length}\r\n\r\n`,
      );
      const answer = await raw.write(bomb).answer();
      assert.equal(answer.status, 415);
      assert.equal(answer.headers['accept-encoding'], 'identity');
      assert.match(answer.body, /Content-Encoding/);
      assert.deepEqual(received, []);
    }
  });

  it('that says it is not packed is taken', async () => {
    assert.equal((await client().post(good, ['content-encoding: identity']).answer()).status, 200);
  });
});
