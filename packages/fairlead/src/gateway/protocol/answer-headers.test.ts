// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AnswerHeaders } from './answer-headers.ts';

const raw = [
  ...['Content-Type', 'text/event-stream', 'Connection', 'keep-alive, X-Hop', 'X-Hop', '1'],
  ...['Transfer-Encoding', 'chunked', 'Content-Length', '7', 'X-Request-Id', 'theirs', 'x-fairlead-queue-ms', '9'],
  ...['x-llm-d-request-dropped-reason', 'lie', 'Retry-After', '1000', 'X-Two', 'a', 'X-Two', 'b'],
];

describe('the headers of an answer', () => {
  it('are the model server’s, without those of its connection, of its ids and of steering, and with ours', () => {
    const { text, hasDate } = AnswerHeaders.of(raw).linesWith({ 'retry-after': '3' }, 'x-request-id: ours\r\n');
    assert.equal(
      text,
      'Content-Type: text/event-stream\r\nX-Two: a\r\nX-Two: b\r\nretry-after: 3\r\nx-request-id: ours\r\n',
    );
    assert.equal(hasDate, false);
    assert.match(AnswerHeaders.of(raw).linesWith(undefined, '').text, /Retry-After: 1000\r\n/);
  });

  it('are read once for a list, however often it comes', () => {
    assert.equal(AnswerHeaders.of(raw), AnswerHeaders.of(raw));
    assert.notEqual(AnswerHeaders.of(raw), AnswerHeaders.of([...raw]));
  });

  it('have no length but that of the body, whoever adds one', () => {
    const { text, hasDate } = AnswerHeaders.of(['Date', 'then']).linesWith(
      { 'content-length': '1', te: 'x', 'x-request-id': 'y' },
      '',
    );
    assert.equal(text, 'Date: then\r\n');
    assert.equal(hasDate, true);
    assert.equal(AnswerHeaders.of([]).linesWith({ date: 'now' }, '').hasDate, true);
  });

  it('say what the body is', () => {
    const of = (...headers: string[]): AnswerHeaders => AnswerHeaders.of(headers);
    assert.equal(of('content-TYPE', 'Text/Event-Stream; charset=utf-8').isStream, true);
    assert.equal(of('content-type', 'application/json').isJson, true);
    assert.equal(of('content-type', 'a', 'Content-Type', 'b').contentType, 'a');
    assert.equal(of('Content-Encoding', 'gzip').isPacked, true);
    assert.equal(of('RETRY-AFTER', '3').saysRetry, true);
    assert.partialDeepStrictEqual(of('A', '1', 'B'), { isStream: false, isJson: false, isPacked: false });
  });
});
