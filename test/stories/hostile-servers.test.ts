// SPDX-License-Identifier: Apache-2.0

/** Model servers that lie, never end, or answer what nobody asked: they are served around, and hold no memory. */

import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, it } from 'node:test';
import { LoopbackHouses } from '../kit/loopback-houses.ts';
import type { RawClient } from '../kit/raw-client.ts';

const loopback = new LoopbackHouses();
const body = '{"model":"m"}';

afterEach(() => loopback.end());

const metricsSource = { intervalMs: 20, scheme: 'http', path: '/metrics', engineLabelKey: 'engine' } as const;

/** A server whose answers are fine and whose metrics are not; `asked` resolves when they were given `times` times. */
async function withMetrics(
  page: (response: ServerResponse, request: IncomingMessage) => void,
): Promise<{ url: string; asked: (times: number) => Promise<void> }> {
  let count = 0;
  let onAsked = (): void => undefined;
  const url = await loopback.http((request, response) => {
    request.resume();
    if (request.url !== '/metrics') return void response.end('{}');
    response.on('close', () => {
      count += 1;
      onAsked();
    });
    page(response, request);
  });
  const asked = (times: number): Promise<void> =>
    new Promise((resolve) => {
      onAsked = () => count >= times && resolve();
      onAsked();
    });
  return { url, asked };
}

const endless = (chunk: Buffer) => (response: ServerResponse) => {
  const fill = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', fill);
  fill();
};

describe('a metrics page', () => {
  const line = 'vllm:num_requests_running{model_name="m"} 1\n';
  const pages: Record<string, (response: ServerResponse) => void> = {
    'without end, of one line': endless(Buffer.alloc(1 << 20, 'x')),
    'without end, of samples': endless(Buffer.from(line.repeat(20_000))),
    'that announces a gigabyte': (response) => {
      response.writeHead(200, { 'content-length': 1 << 30 });
      endless(Buffer.from(line.repeat(20_000)))(response);
    },
    'of NaN, infinities and nonsense': (response) =>
      void response.end(
        ['NaN', '+Inf', '-Inf', '-1', '1e999', '', '0x7', '{}']
          .map((value) => line.replace('1\n', `${value}\n`))
          .join(''),
      ),
    'of bytes that are no text': (response) => void response.end(Buffer.alloc(100_000, 0xff)),
    'that is packed': (response) => {
      response.setHeader('content-encoding', 'gzip');
      response.end(gzipSync(Buffer.alloc(50_000_000, line)));
    },
    'that is a redirection to elsewhere': (response) => {
      response.writeHead(302, { location: 'http://169.254.169.254/metrics' });
      response.end();
    },
  };
  for (const [title, page] of Object.entries(pages)) {
    it(`${title} holds no memory and keeps nobody from being served`, async () => {
      const { url, asked } = await withMetrics(page);
      const before = process.memoryUsage.rss();
      const house = await loopback.house(url, { config: { metricsSource } });
      await asked(2);
      for (let count = 0; count < 3; count += 1) {
        assert.equal((await loopback.connect(house).post(body).answer()).status, 200);
      }
      const grownBytes = process.memoryUsage.rss() - before;
      assert.ok(grownBytes < 300e6, `grew by ${grownBytes} bytes`);
      const metrics = house.director.pools()[0]?.endpoints[0]?.endpoint.metrics;
      for (const value of [metrics?.running, metrics?.waiting, metrics?.kvUsage]) {
        assert.ok(value === undefined || (Number.isFinite(value) && value >= 0), `believed ${value}`);
      }
      await house.quiet();
      house.assertEmpty();
    });
  }
});

/** What the client has when its answer is whole, or the connection over. */
async function seen(client: RawClient): Promise<string> {
  while (!client.socket.destroyed && !/\r\n\r\n[^]*\}$|\r\n0\r\n\r\n$/.test(client.text)) await client.change();
  return client.text;
}

describe('an answer', () => {
  it('that nobody asked for is nobody’s, least of all that of the next one', async () => {
    const evil = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil';
    const url = await loopback.raw((socket) => {
      socket.on('data', (chunk: Buffer) => {
        if (!chunk.toString('latin1').startsWith('POST'))
          return void socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n');
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}${evil}`);
      });
    });
    const house = await loopback.house(url);
    for (let count = 0; count < 5; count += 1) {
      const answer = await loopback.connect(house).post(body).answer();
      assert.notEqual(answer.body, 'evil');
    }
  });

  for (const [title, head] of [
    ['with a length and chunks', 'content-length: 5\r\ntransfer-encoding: chunked'],
    ['with two lengths', 'content-length: 2\r\ncontent-length: 3'],
    ['with a folded header', 'x: a\r\n b\r\ncontent-length: 2'],
    ['with a zero byte in a header', 'x: a\0b\r\ncontent-length: 2'],
  ] as const) {
    it(`${title} is passed on in one reading, or is a 502`, async () => {
      const url = await loopback.raw((socket) => {
        socket.on('data', () => socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n0\r\n\r\n`));
      });
      const house = await loopback.house(url);
      const client = loopback.connect(house).post(body);
      const [report] = await house.heard('report');
      if (report?.status !== 200) assert.equal(report?.status, 502);
      const text = await seen(client);
      const [sent = ''] = text.split('\r\n\r\n');
      assert.ok(!/content-length[^]*transfer-encoding|transfer-encoding[^]*content-length/i.test(sent), sent);
      assert.ok((sent.match(/content-length/gi) ?? []).length <= 1, sent);
      assert.ok(!/\0|\n[ \t]/.test(sent), sent);
    });
  }

  for (const status of [204, 304]) {
    it(`of ${status} has no length, whatever the server says`, async () => {
      const url = await loopback.raw((socket) => {
        socket.on('data', () =>
          socket.write(`HTTP/1.1 ${status} X\r\ncontent-length: ${status === 204 ? 0 : 5}\r\n\r\n`),
        );
      });
      const client = loopback.connect(await loopback.house(url)).post(body);
      await client.saw('\r\n\r\n');
      assert.match(client.text, new RegExp(`^HTTP/1.1 ${status} `));
      assert.doesNotMatch(client.text, /content-length|transfer-encoding/i);
      client.post('{');
      await client.saw('HTTP/1.1 400');
    });
  }

  it('that is a stream of an announced length and breaks off is not filled up to it with the words for that', async () => {
    const url = await loopback.raw((socket) => {
      socket.on('data', () =>
        socket.end('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 20\r\n\r\ndata: {}\n\n'),
      );
    });
    const client = loopback.connect(await loopback.house(url)).post(body);
    await client.closed;
    assert.match(client.text, /upstream_died/);
    assert.doesNotMatch(client.text, /content-length/i);
    assert.doesNotMatch(client.text, /0\r\n\r\n$/);
  });

  it('that is packed although nobody asked is passed on as it is, and never unpacked', async () => {
    const packed = gzipSync(Buffer.alloc(20_000_000, ' '));
    let accepted: string | undefined = 'nothing came';
    const url = await loopback.http((request, response) => {
      request.resume();
      if (request.method === 'POST') accepted = request.headers['accept-encoding'];
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'application/json' });
      response.end(packed);
    });
    const house = await loopback.house(url);
    const answer = await fetch(`${house.url}/v1/completions`, { method: 'POST', body });
    assert.equal(answer.headers.get('content-encoding'), 'gzip');
    assert.equal((await answer.arrayBuffer()).byteLength, 20_000_000);
    const [report] = await house.heard('report');
    assert.equal(report?.responseBytes, packed.length);
    assert.notEqual(accepted, 'gzip');
  });
});
