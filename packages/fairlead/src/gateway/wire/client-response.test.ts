// SPDX-License-Identifier: Apache-2.0

/** Answers as bytes: how each says where it ends, to clients old and new, and what becomes of one before its turn. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClientHead } from './client-head.ts';
import { ClientResponse } from './client-response.ts';
import type { ResponseHead, ResponseTarget } from './client-response.ts';

/** A head with these lines. */
const head = (status: number, text = '', lengthBytes?: number): ResponseHead => ({
  status,
  text,
  hasDate: text.startsWith('Date: '),
  lengthBytes,
});
const TEXT = 'content-type: text/plain\r\n';

/** Everything that is put, in order; whose turn it is, the test says. */
class Line implements ResponseTarget {
  readonly put: (string | Uint8Array)[] = [];
  readonly told: string[] = [];
  isFirst = true;
  isBusy = false;
  keepAliveS: number | undefined = 75;

  isTurnOf(): boolean {
    return this.isFirst;
  }
  isFull(): boolean {
    return this.isBusy;
  }
  putText(text: string): void {
    this.put.push(text);
  }
  putBytes(bytes: Uint8Array): void {
    this.put.push(bytes);
  }
  whenTaken(callback: () => void): void {
    callback();
  }
  finish(): void {
    this.told.push('finished');
  }
  cut(withReset: boolean): void {
    this.told.push(withReset ? 'reset' : 'closed');
  }

  /** All of it, with a date that does not change. */
  get text(): string {
    const pieces = this.put.map((piece) => (typeof piece === 'string' ? piece : Buffer.from(piece).toString('latin1')));
    return pieces.join('').replace(/date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT/, 'date: now');
  }
}

function answer(requestLine = 'GET / HTTP/1.1', ...headers: string[]): { line: Line; response: ClientResponse } {
  const line = new Line();
  return { line, response: new ClientResponse(line, new ClientHead([requestLine, ...headers].join('\r\n'))) };
}

describe('an answer', () => {
  it('without a length comes in chunks, and the connection is kept', () => {
    const { line, response } = answer();
    response.begin(head(200, TEXT), false);
    response.write(Buffer.from('hello, wörld'));
    response.end();
    response.end();
    assert.equal(
      line.text,
      'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ndate: now\r\ntransfer-encoding: chunked\r\n' +
        'connection: keep-alive\r\nkeep-alive: timeout=75\r\n\r\nd\r\nhello, wÃ¶rld\r\n0\r\n\r\n',
    );
    assert.deepEqual(line.told, ['finished']);
    assert.equal(response.isLast, false);
  });

  it('with a length, and a date of its own, is as it came', () => {
    const { line, response } = answer();
    line.keepAliveS = undefined;
    response.begin(head(299, 'Date: then\r\n', 2), false);
    response.write(Buffer.from('ok'));
    response.end();
    assert.equal(
      line.text,
      'HTTP/1.1 299 Unknown\r\nDate: then\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok',
    );
  });

  it('to HTTP/1.0 ends with the connection unless it has a length, and one that is broken off ends with a reset', () => {
    const old = answer('GET / HTTP/1.0', 'connection: keep-alive');
    old.response.begin(head(200, TEXT), false);
    old.response.write(Buffer.from('half'));
    assert.match(old.line.text, /\r\nconnection: close\r\n\r\nhalf$/);
    assert.equal(old.response.isLast, true);
    old.response.breakOff();
    assert.deepEqual(old.line.told, ['reset']);
    const sized = answer('GET / HTTP/1.0', 'connection: keep-alive');
    sized.response.begin(head(200, '', 4), false);
    assert.equal(sized.response.isLast, false);
    sized.response.breakOff();
    assert.deepEqual(sized.line.told, ['closed'], 'a client can count');
  });

  it('without a body has none, whatever is written: to a HEAD, and of a 204 or 304', () => {
    for (const [requestLine, status] of [
      ['HEAD / HTTP/1.1', 200],
      ['GET / HTTP/1.1', 204],
      ['GET / HTTP/1.1', 304],
    ] as const) {
      const { line, response } = answer(requestLine);
      response.begin(head(status), false);
      assert.equal(response.write(Buffer.from('x')), true);
      response.end();
      assert.match(line.text, /timeout=75\r\n\r\n$/);
      assert.doesNotMatch(line.text, /transfer-encoding/);
    }
  });

  it('is the last of its connection when its request says so, or whoever answers', () => {
    for (const [headers, isLast] of [
      [['connection: close'], false],
      [[], true],
    ] as const) {
      const { line, response } = answer('GET / HTTP/1.1', ...headers);
      response.begin(head(200, '', 0), isLast);
      assert.equal(response.isLast, true);
      assert.match(line.text, /connection: close/);
    }
  });

  it('keeps what is written before its turn, in order, and ends when that has come', () => {
    const { line, response } = answer();
    line.isFirst = false;
    response.begin(head(200, TEXT), false);
    response.write(Buffer.from('a'));
    response.end();
    assert.deepEqual([line.put, line.told], [[], []]);
    line.isFirst = true;
    response.release();
    assert.match(line.text, /\r\n\r\n1\r\na\r\n0\r\n\r\n$/);
    assert.deepEqual(line.told, ['finished']);
  });

  it('takes what is lent, and says when the client has enough', () => {
    const { line, response } = answer();
    response.begin(head(200, TEXT), false);
    const long = Buffer.alloc(10_000, 'x');
    assert.equal(response.write(long), true);
    long.fill('y');
    assert.match(line.text, /\r\n2710\r\nx{10000}\r\n$/);
    line.isBusy = true;
    assert.equal(response.write(Buffer.from('y')), false);
  });
});
