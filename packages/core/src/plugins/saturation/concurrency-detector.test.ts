// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import { Endpoint } from '../../endpoints/endpoint.ts';
import { PluginError } from '../../plugin-registry/plugin.ts';
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

test('counting tokens is refused with what is allowed', () => {
  for (const concurrencyMode of ['tokens', 'hybrid']) {
    assert.throws(
      () => make({ concurrencyMode }),
      (error) =>
        error instanceof PluginError && /concurrencyMode "(tokens|hybrid)" is not in this version/.test(error.message),
    );
  }
});
