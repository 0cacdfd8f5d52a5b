// SPDX-License-Identifier: Apache-2.0

/** Answers as they come, cut at every place; and what hostile or broken servers send. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '@fairlead/core/testing';
import { AnswerParser, repeatedHeads } from './answer-parser.ts';

interface Read {
  status: number;
  headers: readonly string[];
  body: string;
  /** Bytes behind the end of the answer; undefined while it has not ended. */
  lengthBytes?: number | undefined;
  surplus: string | undefined;
  keepAlive: boolean;
  error: string | undefined;
}

/** Feeds the pieces, each in memory that is wiped after, as a connection's is. */
function read(pieces: readonly Buffer[], method = 'POST', heads = repeatedHeads()): Read {
  const parser = new AnswerParser(heads);
  parser.begin(method);
  const got: Read = { status: 0, headers: [], body: '', surplus: undefined, keepAlive: false, error: undefined };
  const sink = {
    onHead(status: number, headers: readonly string[], lengthBytes: number | undefined) {
      assert.equal(got.status, 0, 'one head');
      Object.assign(got, { status, headers, lengthBytes });
    },
    onBody(chunk: Buffer) {
      assert.notEqual(chunk.length, 0);
      got.body += chunk.toString('latin1');
    },
  };
  for (const [index, piece] of pieces.entries()) {
    const lent = Buffer.from(piece);
    try {
      const used = parser.feed(lent, sink);
      if (used >= 0) {
        got.surplus = Buffer.concat([piece.subarray(used), ...pieces.slice(index + 1)]).toString('latin1');
        got.keepAlive = parser.keepAlive;
        return got;
      }
    } catch (error) {
      got.error = (error as Error).message;
      return got;
    }
    lent.fill(0);
  }
  if (parser.endsHere()) got.surplus = '';
  return got;
}

const whole = (text: string, method?: string): Read => read([Buffer.from(text, 'latin1')], method);

const HEAD = 'HTTP/1.1 200 OK\r\n';

/** Good ones, each with what has to come of it. */
const GOOD: readonly (readonly [bytes: string, body: string, keepAlive: boolean])[] = [
  [`${HEAD}content-length: 5\r\n\r\nhello`, 'hello', true],
  [`${HEAD}Content-Length:0\r\n\r\n`, '', true],
  [
    `${HEAD}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6;x="y"\r\n world\r\n0\r\nx-sum: 1\r\n\r\n`,
    'hello world',
    true,
  ],
  [
    `${HEAD}Transfer-Encoding: Chunked\r\nconnection: close\r\n\r\n0000a \r\n0123456789\r\n0\r\n\r\n`,
    '0123456789',
    false,
  ],
  [
    `HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${HEAD}content-length: 1\r\n\r\nx`,
    'x',
    true,
  ],
  ['HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok', 'ok', false],
  ['HTTP/1.0 200 OK\r\ncontent-length: 2\r\nConnection: Keep-Alive\r\n\r\nok', 'ok', true],
  ['HTTP/1.1 204\r\ncontent-length: 7\r\n\r\n', '', true],
  [`${HEAD}x: 1\r\n\r\nuntil the end`, 'until the end', false],
  [`${HEAD}Keep-Alive: timeout=5\r\nx-empty:\r\nx-odd: caf\xe9\t\r\ncontent-length: 3\r\n\r\n\r\n\n`, '\r\n\n', true],
];

/** Bad ones: what no gateway may pass on as if it were clear. */
const BAD: readonly string[] = [
  `${HEAD}content-length: 5\r\ncontent-length: 5\r\n\r\nhello`,
  `${HEAD}content-length: 5\r\ncontent-length: 6\r\n\r\nhello`,
  `${HEAD}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  `${HEAD}content-length: 5, 5\r\n\r\nhello`,
  `${HEAD}content-length: +5\r\n\r\nhello`,
  `${HEAD}content-length: 0x5\r\n\r\nhello`,
  `${HEAD}content-length:\r\n\r\nhello`,
  `${HEAD}content-length: 9999999999999999\r\n\r\nhello`,
  `${HEAD}content-length : 5\r\n\r\nhello`,
  `${HEAD} content-length: 5\r\n\r\nhello`,
  `${HEAD}x: 1\r\n folded: 2\r\n\r\n`,
  `${HEAD}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  `${HEAD}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  `${HEAD}transfer-encoding: identity\r\n\r\nhello`,
  `${HEAD}transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
  'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  `${HEAD}x: a\rb\r\n\r\n`,
  `${HEAD}x: a\nb: c\r\n\r\n`,
  `${HEAD}x: a\0b\r\n\r\n`,
  `${HEAD}: nameless\r\n\r\n`,
  `${HEAD}nothing\r\n\r\n`,
  'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n',
  'HTTP/2 200\r\n\r\n',
  'HTTP/1.2 200 OK\r\n\r\n',
  'HTTP/1.1  200 OK\r\n\r\n',
  'HTTP/1.1 2000 OK\r\n\r\n',
  'HTTP/1.1 099 OK\r\n\r\n',
  'ICY 200 OK\r\n\r\n',
  '\r\nHTTP/1.1 200 OK\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(17),
  `${HEAD}x: ${'a'.repeat(66_000)}`,
  ...[
    '\r\nhello',
    'g\r\n',
    '-5\r\nhello',
    '5 x\0\r\n',
    '5\nhello\r\n',
    '5\r\nhelloX',
    '5\r\nhello\n0\r\n\r\n',
    '10000000000000\r\n',
  ].map((body) => `${HEAD}transfer-encoding: chunked\r\n\r\n${body}`),
  `${HEAD}transfer-encoding: chunked\r\n\r\n1;${'x'.repeat(1100)}\r\na\r\n0\r\n\r\n`,
  `${HEAD}transfer-encoding: chunked\r\n\r\n0\r\n${'x: y\r\n'.repeat(5000)}\r\n`,
];

describe('an answer', () => {
  it('is read with its body and whether its connection can be used again', () => {
    for (const [bytes, body, keepAlive] of GOOD) {
      const got = whole(bytes);
      assert.deepEqual([got.error, got.body, got.keepAlive, got.surplus], [undefined, body, keepAlive, ''], bytes);
    }
    assert.deepEqual(whole(GOOD.at(-1)![0]).headers.slice(0, 6), [
      'Keep-Alive',
      'timeout=5',
      'x-empty',
      '',
      'x-odd',
      'caf\xe9',
    ]);
  });

  it('to a HEAD ends with its head, and what follows an end belongs to nobody', () => {
    assert.equal(whole(`${HEAD}content-length: 5\r\n\r\nhello`, 'HEAD').surplus, 'hello');
    assert.equal(whole(`${HEAD}content-length: 2\r\n\r\nokHTTP/1.1 200`).surplus, 'HTTP/1.1 200');
    assert.equal(whole(`${HEAD}transfer-encoding: chunked\r\n\r\n0\r\n\r\n!`).surplus, '!');
  });

  it('whose head repeats is read as when it came first, and another length is its own', () => {
    const texts = [...GOOD.map(([bytes]) => bytes), ...BAD.filter((bytes) => bytes.length < 2000)];
    for (const [index, text] of texts.entries()) {
      const heads = repeatedHeads();
      const others = texts.slice(index + 1, index + 3);
      const expected = [text, ...others, text].map((bytes) => whole(bytes));
      const got = [text, ...others, text].map((bytes) => read([Buffer.from(bytes, 'latin1')], 'POST', heads));
      assert.deepEqual(got, expected);
    }
    const heads = repeatedHeads();
    const bodies = ['hello', '', 'hello, world'].map((body) =>
      read([Buffer.from(`${HEAD}content-length: ${body.length}\r\nx: 1\r\n\r\n${body}`)], 'POST', heads),
    );
    assert.deepEqual(
      bodies.map(({ body, lengthBytes }) => [body, lengthBytes]),
      [
        ['hello', 5],
        ['', 0],
        ['hello, world', 12],
      ],
    );
    assert.equal(bodies[0]?.headers, bodies[2]?.headers);
  });

  it('that is not clear is refused, never guessed at', () => {
    for (const bytes of BAD) {
      const { error, surplus } = whole(bytes);
      assert.notEqual(error, undefined, JSON.stringify(bytes.slice(0, 100)));
      assert.equal(surplus, undefined);
    }
  });

  it('is the same wherever it is cut in two, and byte by byte', () => {
    for (const text of [...GOOD.map(([bytes]) => bytes), ...BAD.filter((bytes) => bytes.length < 2000)]) {
      const bytes = Buffer.from(text, 'latin1');
      const expected = comparable(read([bytes]));
      for (let cut = 1; cut < bytes.length; cut += 1) {
        const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)];
        assert.deepEqual(comparable(read(pieces)), expected, `${JSON.stringify(text)} cut at ${cut}`);
      }
      const drops = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
      assert.deepEqual(comparable(read(drops)), expected, `${JSON.stringify(text)} byte by byte`);
    }
  });

  it('changed at random is read or refused, and the same however it is cut', () => {
    const random = seededRandom(20_261_125);
    const below = (count: number): number => Math.floor(random() * count);
    for (let round = 0; round < 4000; round += 1) {
      const bytes = Buffer.from(GOOD[below(GOOD.length)]![0], 'latin1');
      for (let change = below(4); change >= 0; change -= 1) {
        bytes[below(bytes.length)] = below(3) === 0 ? below(256) : bytes[below(bytes.length)]!;
      }
      const pieces: Buffer[] = [];
      for (let at = 0; at < bytes.length;) {
        const end = at + 1 + below(20);
        pieces.push(bytes.subarray(at, end));
        at = end;
      }
      assert.deepEqual(comparable(read(pieces)), comparable(read([bytes])), JSON.stringify(bytes.toString('latin1')));
    }
  });
});

/** Why it was refused may depend on how much of it was there; that it was, and what was handed on before, may not. */
function comparable({ error, ...rest }: Read): unknown {
  return { ...rest, isRefused: error !== undefined };
}
