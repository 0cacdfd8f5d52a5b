// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Endpoint } from '../../endpoints/endpoint.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { utilizationDetector } from './utilization-detector.ts';

interface Given {
  waiting?: number;
  running?: number;
  kvUsage?: number;
  /** In flight when the reading was taken. */
  before?: number;
  /** Dispatched since. */
  since?: number;
  failures?: number;
}

function tracked(given?: Given) {
  const endpoint = new Endpoint({ name: 'e', url: 'http://e.test', labels: {} });
  endpoint.take(given?.before ?? 0);
  const { waiting = 0, running = 0, kvUsage } = given ?? {};
  if (given !== undefined) endpoint.noteMetrics({ waiting, running, kvUsage }, endpoint.dispatched, 0);
  endpoint.take(given?.since ?? 0);
  endpoint.scrapeFailures = given?.failures ?? 0;
  return { endpoint, state: undefined };
}

const make = (parameters: Record<string, unknown> = {}) => instanceOf(utilizationDetector, { parameters });

test('an endpoint’s use is the larger of queue and KV cache over their thresholds, the pool’s their mean', () => {
  const detector = make();
  assert.equal(detector.saturation([tracked({ waiting: 5, kvUsage: 0.4 })]), 1);
  assert.equal(detector.saturation([tracked({ waiting: 0, kvUsage: 0.4 })]), 0.5);
  assert.equal(detector.saturation([tracked({ waiting: 5 }), tracked({ kvUsage: 0.4 })]), 0.75);
  assert.equal(detector.saturation([tracked({ waiting: 10 }), tracked({ waiting: 5 })]), 1.5);
});

test('an endpoint that says it has a million waiting halts itself and nobody else', () => {
  assert.equal(make().saturation([tracked({ waiting: 1_000_000 }), tracked({ kvUsage: 0 })]), 0.5);
});

test('a pool without endpoints is full', () => {
  assert.equal(make().saturation([]), 1);
});

test('what was dispatched since the reading counts as waiting in the engine', () => {
  const detector = make();
  assert.equal(detector.room(tracked({ waiting: 1, since: 3 })), Infinity);
  assert.equal(detector.room(tracked({ waiting: 1, since: 4 })), 0);
});

test('an endpoint that never told is judged by what it holds from here against 64', () => {
  const detector = make();
  const silent = tracked();
  assert.equal(detector.saturation([silent]), 0);
  silent.endpoint.take(48);
  assert.equal(detector.saturation([silent]), 0.75);
  assert.equal(detector.room(silent), 16);
  assert.equal(detector.limit(silent), 64);
});

test('an endpoint whose scrapes fail is not full for that, and keeps the limit that its last reading showed', () => {
  const detector = make();
  const full = tracked({ waiting: 5, running: 11, before: 16, failures: 3 });
  assert.equal(detector.limit(full), 16);
  assert.equal(detector.room(full), 0);
  full.endpoint.release(16);
  assert.equal(detector.room(full), 16);
  assert.equal(detector.saturation([full]), 0);
});

test('an idle reading is no proof of endless room once scrapes fail', () => {
  const detector = make();
  assert.equal(detector.limit(tracked({ kvUsage: 0.01, before: 1, failures: 3 })), 64);
  assert.equal(detector.limit(tracked({ failures: 3 })), 64);
});

test('one failed scrape changes nothing', () => {
  assert.equal(make().room(tracked({ waiting: 1, failures: 1 })), Infinity);
});

test('whatever it last read, an endpoint whose scrapes fail has room once nothing is in flight', () => {
  const detector = make();
  const counts = fc.nat(500);
  const kvUsage = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.record({ waiting: counts, running: counts, before: counts, kvUsage }), (reading) => {
      const silent = tracked({ ...reading, failures: 3 });
      silent.endpoint.release(reading.before);
      assert.ok(detector.room(silent) >= 1);
      assert.ok(detector.saturation([silent]) < 1);
    }),
  );
});

test('as a filter it raises both thresholds by the headroom and keeps all endpoints when none is below', () => {
  const detector = make({ headroom: 0.5 });
  const endpoints = [tracked({ waiting: 7 }), tracked({ waiting: 8 })].map(({ endpoint }) => endpoint);
  assert.deepEqual(detector.filter(undefined, endpoints), [endpoints[0]]);
  assert.deepEqual(detector.filter(undefined, endpoints.slice(1)), [endpoints[1]]);
});
