// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { upstreamHeaders, wantedHeaders } from './headers.ts';

const upstream = { forwardAuthorization: false, viaProxy: false };

describe('the headers sent upstream', () => {
  it('keep what speaks of the request, in spelling and order, without the request id, which is sent anew', () => {
    const kept = ['Content-Type', 'application/json', 'X-Trace', 'a', 'x-trace', 'b'];
    assert.deepEqual(upstreamHeaders(['Host', 'gateway', 'X-Request-Id', 'theirs', ...kept], upstream), kept);
  });

  it('leave out what belongs to the connection, also what Connection names', () => {
    const names = [
      'Keep-Alive', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade', 'Proxy-Authorization', 'Expect', 'Content-Length',
      'Accept-Encoding', 'X-Hop', 'X-Other-Hop',
    ]; // prettier-ignore
    const raw = ['Connection', 'close, X-Hop', ...names.flatMap((name) => [name, '1']), 'connection', ' x-other-hop '];
    assert.deepEqual(upstreamHeaders(raw, upstream), []);
  });

  it('leave out everything that steers', () => {
    const raw = [
      'X-Gateway-Destination-Endpoint', 'x-gateway-inference-fairness-id', 'X-LLM-D-Inference-Fairness-Id', 'x-llm-d-inference-objective',
      'x-slo-ttft-ms', 'x-llm-d-slo-ttft-ms', 'x-fairlead-ttl-ms', 'x-went-into-resp-headers', 'x-prefiller-host-port', 'test-epp-endpoint-selection',
    ].flatMap((name) => [name, '1']); // prettier-ignore
    assert.deepEqual(upstreamHeaders(raw, upstream), []);
  });

  it('say who a proxy speaks for only when it is a trusted one', () => {
    const raw = ['Forwarded', 'X-Forwarded-For', 'X-Forwarded-Proto', 'x-real-ip'].flatMap((name) => [name, '1']);
    assert.deepEqual(upstreamHeaders(raw, upstream), []);
    assert.deepEqual(upstreamHeaders(raw, { ...upstream, viaProxy: true }), raw);
  });

  it('hold the credentials of the client only when asked', () => {
    const raw = ['Authorization', 'Bearer client', 'X-Api-Key', 'client', 'Cookie', 'a=b'];
    assert.deepEqual(upstreamHeaders(raw, upstream), []);
    assert.deepEqual(upstreamHeaders(raw, { ...upstream, forwardAuthorization: true }), raw);
  });
});

describe('the headers that plugins are shown', () => {
  it('are those they named that say something and are short enough to be an id', () => {
    const headers = { 'x-session': 's', 'x-empty': '', 'x-long': 'x'.repeat(1025), 'x-other': 'o' };
    assert.deepEqual(wantedHeaders(headers, ['x-session', 'x-empty', 'x-long', 'x-absent']), { 'x-session': 's' });
    assert.equal(wantedHeaders(headers, ['x-absent']), undefined);
  });
});
