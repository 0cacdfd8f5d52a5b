// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import { Endpoint } from '../../endpoints/endpoint.ts';
import type { InferenceRequest } from '../../request/inference-request.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { sessionAffinityFilter } from '../filters/session-affinity-filter.ts';
import { sessionAffinityScorer } from '../scorers/session-affinity-scorer.ts';
import { endpointToken } from './endpoint-token.ts';

const [a, b] = ['ns/a', 'ns/b'].map((name) => new Endpoint({ name, url: `http://${name}.test`, labels: {} })) as [
  Endpoint,
  Endpoint,
];

function asking(headers?: Readonly<Record<string, string>>, more: Partial<InferenceRequest> = {}): InferenceRequest {
  return {
    ...{ id: 'r', fairnessId: 't', priority: 0, model: 'm', targetModel: 'm' },
    ...{ sizeBytes: 1, sequences: 1, receivedMs: 0, headers, ...more },
  };
}

function scoresOf(scorer: ReturnType<typeof sessionAffinityScorer.create>, request: InferenceRequest): number[] {
  const scores = new Float64Array(2);
  scorer.score(request, [a, b], scores);
  return [...scores];
}

const inSession = (id: string, more: Partial<InferenceRequest> = {}) => asking({ 'x-session-id': id }, more);
const kept = {
  strategy: 'session_id',
  sessionIdConfig: { sources: [{ header: 'X-Session-Id' }, { header: 'x-other' }], evictionTtlSeconds: 300 },
};
const carried = { encodedEndpointHeaderConfig: { header: 'X-Session-Token' } };

test('a token is the base64 of the name, whatever letters it has', () => {
  for (const name of ['ns/a', 'ns/ab', 'ns/abc', 'grüße/🚢', '']) {
    const endpoint = new Endpoint({ name, url: 'http://e.test', labels: {} });
    assert.equal(endpointToken(endpoint), Buffer.from(name).toString('base64'));
  }
});

test('answers carry their endpoint, and who brings it back is preferred there', () => {
  const scorer = instanceOf(sessionAffinityScorer, { parameters: carried });
  assert.deepEqual(scorer.requestHeaders, ['x-session-token']);
  const headers = scorer.answerHeaders?.(asking(), b);
  assert.deepEqual(headers, { 'x-session-token': Buffer.from('ns/b').toString('base64') });
  assert.deepEqual(scoresOf(scorer, asking(headers)), [0, 1]);
});

test('a token that names nobody, or none at all, prefers nobody', () => {
  const scorer = instanceOf(sessionAffinityScorer, { parameters: carried });
  for (const token of [Buffer.from('ns/c').toString('base64'), 'ns/a', '%%%', 'x'.repeat(1000)]) {
    assert.deepEqual(scoresOf(scorer, asking({ 'x-session-token': token })), [0, 0]);
  }
  assert.deepEqual(scoresOf(scorer, asking()), [0, 0]);
});

test('a session id is bound to where its last request went, until its time is over', () => {
  const scorer = instanceOf(sessionAffinityScorer, { parameters: kept });
  assert.deepEqual(scorer.requestHeaders, ['x-session-id', 'x-other']);
  assert.deepEqual(scoresOf(scorer, inSession('s')), [0, 0]);
  scorer.dispatched?.(inSession('s'), a, 1000);
  assert.deepEqual(scoresOf(scorer, inSession('s', { receivedMs: 301_000 })), [1, 0]);
  assert.deepEqual(scoresOf(scorer, asking({ 'x-other': 's' })), [1, 0]);
  assert.deepEqual(scoresOf(scorer, inSession('s', { receivedMs: 301_001 })), [0, 0]);
  scorer.dispatched?.(inSession('s'), b, 302_000);
  assert.deepEqual(scoresOf(scorer, inSession('s', { receivedMs: 302_000 })), [0, 1]);
  assert.equal(scorer.answerHeaders, undefined);
});

test("another tenant's session, or another model's, is another session", () => {
  const scorer = instanceOf(sessionAffinityScorer, { parameters: kept });
  scorer.dispatched?.(inSession('s'), a, 0);
  assert.deepEqual(scoresOf(scorer, inSession('s', { fairnessId: 'other' })), [0, 0]);
  assert.deepEqual(scoresOf(scorer, inSession('s', { targetModel: 'other' })), [0, 0]);
});

test('made-up sessions take no more room than there is, and push out the oldest', () => {
  const scorer = instanceOf(sessionAffinityScorer, { parameters: kept });
  for (let count = 0; count < 65_540; count += 1) scorer.dispatched?.(inSession(`s${count}`), a, 0);
  scorer.dispatched?.(inSession('x'.repeat(257)), a, 0);
  assert.deepEqual(scoresOf(scorer, inSession('s0')), [0, 0]);
  assert.deepEqual(scoresOf(scorer, inSession('s65539')), [1, 0]);
  assert.deepEqual(scoresOf(scorer, inSession('x'.repeat(257))), [0, 0]);
});

test('the filter keeps the bound endpoint alone, and all when it is not among them', () => {
  const filter = instanceOf(sessionAffinityFilter, { parameters: carried });
  const bound = asking({ 'x-session-token': endpointToken(b) });
  assert.deepEqual(filter.filter(bound, [a, b]), [b]);
  assert.deepEqual(filter.filter(bound, [a]), [a]);
  assert.deepEqual(filter.filter(asking(), [a, b]), [a, b]);
});
