// SPDX-License-Identifier: Apache-2.0

/** Requests as bytes. What must be refused over real sockets is told in `test/stories/hostile-clients.test.ts`. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { seededRandom } from '@fairlead/core/testing';
import { SharedHeads } from '../../sockets/shared-heads.ts';
import { RequestParser } from './request-parser.ts';

/** One request as it was read. */
interface Told {
  readonly line: string;
  body: string;
  isWhole: boolean;
}

interface Read {
  readonly told: Told[];
  readonly isRefused: boolean;
}

function read(pieces: readonly Buffer[], maxHeadBytes = 16_384): Read {
  const told: Told[] = [];
  const parser = new RequestParser(new SharedHeads());
  const sink = {
    maxHeadBytes,
    onHead: ({ method, target }: { method: string; target: string }) =>
      void told.push({ line: `${method} ${target}`, body: '', isWhole: false }),
    onBody: (chunk: Buffer) => void (told.at(-1)!.body += chunk.toString('latin1')),
    onEnd: () => void (told.at(-1)!.isWhole = true),
  };
  try {
    // A copy: the data of chunks is pushed together where it stands.
    for (const piece of pieces) parser.feed(Buffer.from(piece), sink);
    return { told, isRefused: false };
  } catch {
    return { told, isRefused: true };
  }
}

/** What `node:http` reads in the same bytes. */
async function readByNode(bytes: Buffer): Promise<Told[]> {
  const told: Told[] = [];
  const server = createServer({ requireHostHeader: false }, (request, response) => {
    const one: Told = { line: `${request.method} ${request.url}`, body: '', isWhole: false };
    told.push(one);
    request.on('data', (chunk: Buffer) => (one.body += chunk.toString('latin1')));
    request.on('end', () => (one.isWhole = request.complete));
    response.end();
  });
  for (const event of ['checkContinue', 'checkExpectation']) {
    server.on(event, (request, response) => server.emit('request', request, response));
  }
  server.on('clientError', (_error, socket) => socket.destroy());
  const socket = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const closed = new Promise((resolve) => socket.on('close', resolve));
  server.emit('connection', socket);
  socket.push(bytes);
  socket.push(null);
  await closed;
  return told;
}

const POST = 'POST /v1/x HTTP/1.1\r\nhost: a\r\n';
const GOOD = [
  'GET / HTTP/1.1\r\nhost: a\r\n\r\n',
  '\r\nGET /a?b=c HTTP/1.0\r\n\r\n',
  `${POST}content-length: 5\r\n\r\nhello`,
  `${POST}Content-Length:5\t\r\nx:\r\n\r\nhelloGET / HTTP/1.1\r\nhost: b\r\n\r\n`,
  `${POST}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nx: y\r\n\r\n${POST}\r\n`,
  `${POST}Transfer-Encoding: Chunked\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n0\r\n\r\n`,
  `${POST}content-length: 0\r\n\r\n${POST}content-length: 2\r\n\r\n{}${POST}\r\n`,
].map((text) => Buffer.from(text, 'latin1'));

function changed(bytes: Buffer, below: (count: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  for (let change = below(4); change >= 0; change -= 1) {
    copy[below(copy.length)] = below(3) === 0 ? below(256) : copy[below(copy.length)]!;
  }
  return copy;
}

describe('requests', () => {
  it('are read one behind the other, with bodies by length and in chunks', () => {
    const { told, isRefused } = read([Buffer.concat(GOOD)]);
    assert.equal(isRefused, false);
    assert.deepEqual(
      told.map(({ line, body, isWhole }) => [line, body, isWhole]),
      [
        ['GET /', '', true],
        ['GET /a?b=c', '', true],
        ['POST /v1/x', 'hello', true],
        ['POST /v1/x', 'hello', true],
        ['GET /', '', true],
        ['POST /v1/x', 'hello!', true],
        ['POST /v1/x', '', true],
        ['POST /v1/x', '', true],
        ['POST /v1/x', '', true],
        ['POST /v1/x', '{}', true],
        ['POST /v1/x', '', true],
      ],
    );
  });

  it('are the same wherever they are cut in two, and byte by byte', () => {
    for (const bytes of GOOD) {
      const expected = read([bytes]);
      assert.equal(expected.isRefused, false);
      for (let cut = 1; cut < bytes.length; cut += 1) {
        assert.deepEqual(read([bytes.subarray(0, cut), bytes.subarray(cut)]), expected, `cut at ${cut}`);
      }
      assert.deepEqual(read(Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))), expected);
    }
  });

  it('with a head beyond the limit are refused, in one piece or in many', () => {
    const bytes = Buffer.from(`${POST}x: ${'y'.repeat(2000)}\r\n\r\n`);
    assert.deepEqual(read([bytes], 1000), { told: [], isRefused: true });
    assert.deepEqual(
      read(
        [...bytes].map((byte) => Buffer.from([byte])),
        1000,
      ),
      { told: [], isRefused: true },
    );
    assert.equal(read([bytes], bytes.length).isRefused, false);
  });

  it('are refused when what ends their body is hidden behind something that others read over, or do not', () => {
    const chunks = '5\r\nhello\r\n0\r\n\r\n';
    for (const coding of ['\xa0chunked', 'x chunked', 'x\tchunked', 'gzip, x chunked', 'chunked;q=1', 'chunked,']) {
      const bytes = Buffer.from(`${POST}transfer-encoding: ${coding}\r\n\r\n${chunks}`, 'latin1');
      assert.deepEqual(read([bytes]), { told: [], isRefused: true }, coding);
    }
    for (const size of ['5 6', '5 x', '5\t0', ' 5', '0x5', '5,', '+5']) {
      const bytes = Buffer.from(`${POST}transfer-encoding: chunked\r\n\r\n${chunks.replace('5', size)}`);
      assert.equal(read([bytes]).isRefused, true, size);
    }
    for (const size of ['5 ', '5 \t;x', '5;x="y z"', '05']) {
      const bytes = Buffer.from(`${POST}transfer-encoding: \tChunked \r\n\r\n${chunks.replace('5', size)}`);
      assert.deepEqual(read([bytes]).told, [{ line: 'POST /v1/x', body: 'hello', isWhole: true }], size);
    }
  });

  it('changed at random are the same however they are cut', () => {
    const random = seededRandom(20_261_126);
    const below = (count: number): number => Math.floor(random() * count);
    for (let round = 0; round < 4000; round += 1) {
      const bytes = changed(GOOD[below(GOOD.length)]!, below);
      const pieces: Buffer[] = [];
      for (let at = 0; at < bytes.length;) {
        const end = at + 1 + below(20);
        pieces.push(bytes.subarray(at, end));
        at = end;
      }
      assert.deepEqual(read(pieces), read([bytes]), JSON.stringify(bytes.toString('latin1')));
    }
  });

  it('changed at random are read as `node:http` reads them, or by one of the two not at all', async () => {
    const random = seededRandom(20_261_127);
    const below = (count: number): number => Math.floor(random() * count);
    let both = 0;
    for (let round = 0; round < 3000; round += 1) {
      const bytes = changed(Buffer.concat([GOOD[below(GOOD.length)]!, GOOD[below(GOOD.length)]!]), below);
      const ours = read([bytes]).told.filter(({ isWhole }) => isWhole);
      const theirs = (await readByNode(bytes)).filter(({ isWhole }) => isWhole);
      const shared = Math.min(ours.length, theirs.length);
      both += shared;
      assert.deepEqual(ours.slice(0, shared), theirs.slice(0, shared), JSON.stringify(bytes.toString('latin1')));
    }
    assert.ok(both > 1000, `${both} requests were read by both`);
  });
});
