// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import { Endpoint } from '../../endpoints/endpoint.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { concurrencyDetector } from './concurrency-detector.ts';

function tracked(inFlight: number) {
  const endpoint = new Endpoint({ name: `holds-${inFlight}`, url: 'http://e.test', labels: {} });
  endpoint.take(inFlight);
  return { endpoint, state: undefined };
}

const make = (parameters: Record<string, unknown> = {}) => instanceOf(concurrencyDetector, { parameters });

test('saturation is what is in flight over the limits of all endpoints', () => {
  const detector = make({ maxConcurrency: 8 });
  assert.equal(detector.saturation([tracked(8), tracked(0), tracked(4)]), 0.5);
  assert.equal(detector.saturation([tracked(16)]), 2);
});

test('what an endpoint holds beyond its limit takes no room from the others', () => {
  const detector = make({ maxConcurrency: 8 });
  assert.equal(detector.saturation([tracked(80), tracked(4)]), 0.75);
  assert.equal(detector.saturation([tracked(16), tracked(8)]), 1.5);
});

test('a pool without endpoints is full', () => {
  assert.equal(make().saturation([]), 1);
});

test('room is what is left of the limit, whatever the headroom', () => {
  const detector = make({ maxConcurrency: 8, headroom: 0.5 });
  assert.equal(detector.room(tracked(3)), 5);
  assert.equal(detector.room(tracked(9)), -1);
  assert.equal(detector.limit(), 8);
});

test('as a filter it keeps endpoints below the limit with headroom, rounded down, and may keep none', () => {
  const detector = make({ maxConcurrency: 3, headroom: 0.5 });
  const endpoints = [tracked(3), tracked(4)].map(({ endpoint }) => endpoint);
  assert.deepEqual(detector.filter(undefined, endpoints), [endpoints[0]]);
  assert.deepEqual(detector.filter(undefined, endpoints.slice(1)), []);
});

/** An endpoint that holds so many sequences, and so many tokens. */
function holding(sequences: number, tokens: number) {
  const endpoint = new Endpoint({ name: `holds-${sequences}-${tokens}`, url: 'http://e.test', labels: {} });
  endpoint.take(sequences, tokens);
  return { endpoint, state: undefined };
}

test('counting tokens, saturation and limit are in tokens and sequences are not limited', () => {
  const detector = make({ concurrencyMode: 'tokens', maxConcurrency: 1, maxTokenConcurrency: 1000 });
  assert.equal(detector.saturation([holding(50, 250), holding(3, 750)]), 0.5);
  assert.equal(detector.room(holding(50, 250)), Infinity);
  assert.deepEqual([detector.limit(), detector.tokenLimit?.()], [Infinity, 1000]);
});

test('counting both, an endpoint is as full as it is by what it has less left of', () => {
  const detector = make({ concurrencyMode: 'hybrid', maxConcurrency: 10, maxTokenConcurrency: 1000 });
  assert.equal(detector.saturation([holding(8, 100), holding(1, 400)]), (0.8 + 0.4) / 2);
  assert.deepEqual([detector.limit(), detector.room(holding(8, 100)), detector.tokenLimit?.()], [10, 2, 1000]);
});

test('counting requests, tokens are not limited', () => {
  const detector = make({ maxTokenConcurrency: 10 });
  assert.equal(detector.tokenLimit, undefined);
  assert.equal(detector.saturation([holding(50, 1e9)]), 0.5);
});

test('as a filter it goes by what it counts', () => {
  const all = [holding(9, 100), holding(1, 900), holding(11, 1100)].map(({ endpoint }) => endpoint);
  const limits = { maxConcurrency: 5, maxTokenConcurrency: 500 };
  const kept = (parameters: Record<string, unknown>) =>
    make({ ...limits, ...parameters })
      .filter(undefined, all)
      .map(({ name }) => name);
  assert.deepEqual(kept({}), ['holds-1-900']);
  assert.deepEqual(kept({ concurrencyMode: 'tokens' }), ['holds-9-100']);
  assert.deepEqual(kept({ concurrencyMode: 'hybrid' }), []);
  assert.deepEqual(kept({ concurrencyMode: 'hybrid', headroom: 1 }), ['holds-9-100', 'holds-1-900']);
});
