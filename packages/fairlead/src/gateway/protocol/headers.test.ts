// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MAX_DURATION_MS, readControlHeaders, requestHeaders, responseHeaders } from './headers.ts';
import type { ControlHeaders, HeaderProblem } from './headers.ts';

const upstream = { forwardAuthorization: false, host: '10.0.0.1:8000', contentLength: 5 };

describe('the headers sent upstream', () => {
  it('keep what speaks of the request, in spelling and order', () => {
    const sent = requestHeaders(
      ['Host', 'gateway', 'Content-Type', 'application/json', 'X-Trace', 'a', 'x-trace', 'b'],
      upstream,
    );
    assert.deepEqual(sent, [
      'host',
      '10.0.0.1:8000',
      'Content-Type',
      'application/json',
      'X-Trace',
      'a',
      'x-trace',
      'b',
      'content-length',
      '5',
    ]);
  });

  it('leave out what belongs to the connection, also what Connection names', () => {
    const names = [
      'Keep-Alive',
      'TE',
      'Trailer',
      'Transfer-Encoding',
      'Upgrade',
      'Proxy-Authorization',
      'Expect',
      'Content-Length',
      'Accept-Encoding',
      'X-Hop',
      'X-Other-Hop',
    ];
    const raw = ['Connection', 'close, X-Hop', ...names.flatMap((name) => [name, '1']), 'connection', ' x-other-hop '];
    assert.deepEqual(requestHeaders(raw, upstream), ['host', '10.0.0.1:8000', 'content-length', '5']);
  });

  it('leave out everything that steers', () => {
    const raw = [
      'X-Gateway-Destination-Endpoint', 'x-gateway-inference-fairness-id', 'X-LLM-D-Inference-Fairness-Id', 'x-llm-d-inference-objective',
      'x-slo-ttft-ms', 'x-llm-d-slo-ttft-ms', 'x-fairlead-ttl-ms', 'x-went-into-resp-headers', 'x-prefiller-host-port', 'test-epp-endpoint-selection',
    ].flatMap((name) => [name, '1']); // prettier-ignore
    assert.deepEqual(requestHeaders(raw, { ...upstream, contentLength: undefined }), ['host', '10.0.0.1:8000']);
  });

  it('say who a proxy speaks for only when it is a trusted one', () => {
    const raw = ['Forwarded', 'X-Forwarded-For', 'X-Forwarded-Proto', 'x-real-ip'].flatMap((name) => [name, '1']);
    const base = ['host', '10.0.0.1:8000'];
    assert.deepEqual(requestHeaders(raw, { ...upstream, contentLength: undefined }), base);
    const viaProxy = { ...upstream, contentLength: undefined, viaProxy: true };
    assert.deepEqual(requestHeaders(raw, viaProxy), [...base, ...raw]);
  });

  it('hold the credentials of the client only when asked, and never beside the key of the endpoint', () => {
    const raw = ['Authorization', 'Bearer client', 'X-Api-Key', 'client', 'Cookie', 'a=b'];
    const base = ['host', '10.0.0.1:8000'];
    const end = ['content-length', '5'];
    assert.deepEqual(requestHeaders(raw, upstream), [...base, ...end]);
    assert.deepEqual(requestHeaders(raw, { ...upstream, forwardAuthorization: true }), [...base, ...raw, ...end]);
    assert.deepEqual(requestHeaders(raw, { ...upstream, forwardAuthorization: true, apiKey: 'ours' }), [
      ...[...base, 'Cookie', 'a=b'],
      ...[...end, 'authorization', 'Bearer ours'],
    ]);
  });

  it('carry our request id in place of the client’s', () => {
    const raw = ['X-Request-Id', 'theirs'];
    assert.deepEqual(requestHeaders(raw, { ...upstream, requestId: 'ours' }).slice(4), ['x-request-id', 'ours']);
    assert.deepEqual(requestHeaders(raw, upstream).slice(2, 4), raw);
  });
});

describe('the headers of an answer', () => {
  it('are the model server’s, without those of its connection, of its ids and of steering, and with ours', () => {
    const raw = [
      ...[
        'Content-Type',
        'text/event-stream',
        'Connection',
        'keep-alive, X-Hop',
        'X-Hop',
        '1',
        'Transfer-Encoding',
        'chunked',
      ],
      ...[
        'X-Request-Id',
        'theirs',
        'x-fairlead-queue-ms',
        '9',
        'x-llm-d-request-dropped-reason',
        'lie',
        'Retry-After',
        '1000',
      ],
    ];
    assert.deepEqual(responseHeaders(raw, { 'x-request-id': 'ours', 'retry-after': '3' }), [
      ...['Content-Type', 'text/event-stream'],
      ...['x-request-id', 'ours', 'retry-after', '3'],
    ]);
  });

  it('have even an odd list of them without harm', () => {
    assert.deepEqual(responseHeaders(['A', '1', 'B'], {}), ['A', '1']);
  });
});

function read(headers: Record<string, string | string[]>, trusted: boolean): ControlHeaders {
  const result = readControlHeaders(headers, trusted);
  assert.ok(!('message' in result), 'message' in result ? result.message : '');
  return result;
}

function problem(headers: Record<string, string | string[]>, trusted = true): HeaderProblem {
  const result = readControlHeaders(headers, trusted);
  assert.ok('message' in result);
  return result;
}

const everything = {
  'x-request-id': 'r-1',
  'x-fairlead-ttl-ms': '1500',
  'x-fairlead-deadline-ms': '9000',
  'x-llm-d-slo-ttft-ms': '200',
  'x-llm-d-inference-fairness-id': 'alice',
  'x-llm-d-inference-objective': 'interactive',
};

describe('control headers', () => {
  it('are all read from a trusted source', () => {
    assert.deepEqual(read(everything, true), {
      ...{ requestId: 'r-1', ttlMs: 1500, deadlineInMs: 9000, ttftSloMs: 200 },
      ...{ fairnessId: 'alice', objective: 'interactive' },
    });
  });

  it('are not looked at from anyone else, but for the TTL and the request id', () => {
    assert.deepEqual(read({ ...everything, 'x-llm-d-slo-ttft-ms': 'garbage' }, false), {
      requestId: 'r-1',
      ttlMs: 1500,
    });
  });

  it('are read in their older spelling, unless the current one is present, even if empty', () => {
    const older = {
      'x-gateway-inference-fairness-id': 'old',
      'x-gateway-inference-objective': 'old',
      'x-slo-ttft-ms': '7',
    };
    const { requestId: _, ...fromOlder } = read(older, true);
    assert.deepEqual(fromOlder, { fairnessId: 'old', objective: 'old', ttftSloMs: 7 });
    assert.equal(read({ ...older, 'x-llm-d-inference-fairness-id': 'new' }, true).fairnessId, 'new');
    assert.equal(read({ ...older, 'x-llm-d-inference-fairness-id': '' }, true).fairnessId, undefined);
  });

  it('replace a request id that is missing or not sane', () => {
    for (const id of [undefined, '', 'x'.repeat(129), 'a\u0080b', ' ']) {
      const { requestId } = read(id === undefined ? {} : { 'x-request-id': id }, false);
      assert.match(requestId, /^[0-9a-f-]{36}$/);
    }
    assert.equal(read({ 'x-request-id': 'x'.repeat(128) }, false).requestId.length, 128);
  });

  for (const value of [
    '-5',
    '0',
    '1.5',
    '',
    'soon',
    '1e3',
    '0x10',
    String(MAX_DURATION_MS + 1),
    '99999999999',
    '5, 6',
  ]) {
    it(`are refused with header, value and what is allowed: a TTL of '${value}'`, () => {
      assert.deepEqual(problem({ 'x-fairlead-ttl-ms': value }, false), {
        header: 'x-fairlead-ttl-ms',
        value,
        allowed: 'an integer of milliseconds from 1 to 3600000',
        message: `x-fairlead-ttl-ms: '${value}' is not an integer of milliseconds from 1 to 3600000`,
      });
    });
  }

  it('are refused with control bytes or too long, shown so that a log line stays one', () => {
    assert.match(
      problem({ 'x-llm-d-inference-objective': 'a\nb\u0085' }).message,
      /'a\\x0ab\\x85' is not at most 256 printable/,
    );
    const long = problem({ 'x-gateway-inference-fairness-id': 'x'.repeat(257) });
    assert.equal(long.header, 'x-gateway-inference-fairness-id');
    assert.equal(long.value, `${'x'.repeat(64)}…`);
  });

  it('never make it throw, and are accepted only within bounds', () => {
    const names = Object.keys(everything);
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...names), fc.oneof(fc.string({ unit: 'binary' }), fc.integer().map(String))),
        fc.boolean(),
        (headers, trusted) => {
          const result = readControlHeaders(headers, trusted);
          if ('message' in result) return assert.match(result.message, /^[\x20-\x7e…]+$/);
          assert.match(result.requestId, /^[\x20-\x7e]{1,128}$/);
          const { ttlMs = 1, deadlineInMs = 1, ttftSloMs = 1 } = result;
          for (const value of [ttlMs, deadlineInMs, ttftSloMs]) assert.ok(value >= 1 && value <= MAX_DURATION_MS);
        },
      ),
    );
  });

  it('are understood as node:http hands them over', async () => {
    const server = createServer((incoming, answer) =>
      answer.end(JSON.stringify(readControlHeaders(incoming.headers, true))),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const headers = { 'X-Fairlead-TTL-ms': ' 20 ', 'X-LLM-D-Inference-Fairness-ID': 'bob', 'x-request-id': 'r' };
    const sent = request({ port, host: '127.0.0.1', headers, agent: false }).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    assert.deepEqual(await json(answer), { requestId: 'r', ttlMs: 20, fairnessId: 'bob' });
    server.close();
    await once(server, 'close');
  });
});
