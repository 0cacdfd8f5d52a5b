// SPDX-License-Identifier: Apache-2.0

/** An endpoint that comes back, under a virtual clock: what it is given, and when. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Endpoint } from '../endpoints/endpoint.ts';
import { Pool } from '../endpoints/pool.ts';
import { FlowController } from '../flow-control/flow-controller.ts';
import { adaptiveConcurrencyDetector, concurrencyDetector } from '../plugins/index.ts';
import type { Placed } from '../flow-control/placement.ts';
import type { SaturationDetector } from '../flow-control/policies.ts';
import type { InferenceRequest } from '../request/inference-request.ts';
import { flowControlConfig } from '../testing/flow-control-kit.ts';
import { instanceOf } from '../testing/plugin-instance.ts';
import { VirtualClock } from '../testing/virtual-clock.ts';
import { PoolPlacement } from './pool-placement.ts';

const DURATION_MS = 10_000;

const LIMITLESS: SaturationDetector = {
  type: 'limitless',
  name: 'limitless',
  newEndpointState: () => undefined,
  saturation: () => 0,
  limit: () => Infinity,
  room: () => Infinity,
};

function request(sequences = 1): InferenceRequest {
  const base = { id: 'r', fairnessId: 'a', priority: 0, model: 'm', targetModel: 'm', sizeBytes: 1, receivedMs: 0 };
  return { ...base, sequences };
}

function house(limit = 40, detector?: SaturationDetector) {
  const clock = new VirtualClock();
  const pool = new Pool('p');
  const endpoint = new Endpoint({ name: 'a', url: 'http://a:1', labels: {} });
  endpoint.baseModels = new Set(['m']);
  pool.setEndpoints([endpoint]);
  const placement = new PoolPlacement({
    pool,
    detector: detector ?? instanceOf(concurrencyDetector, { parameters: { maxConcurrency: limit } }),
    chooser: { schedule: (_request, candidates) => candidates },
    clock,
    slowStartMs: DURATION_MS,
  });
  const set = (up: boolean): void => {
    endpoint.up = up;
    pool.refresh();
  };
  const fill = (sequences = 1): Placed[] => {
    const placed: Placed[] = [];
    for (;;) {
      const one = placement.tryPlace(request(sequences), clock.now(), 'fair');
      if (typeof one === 'string' || placed.length > 1000) return placed;
      placed.push(one);
    }
  };
  return { clock, pool, endpoint, placement, set, fill };
}

describe('an endpoint', () => {
  it('that is new is given its whole limit at once', () => {
    const { fill, placement, endpoint } = house();
    assert.equal(placement.limitOf(endpoint), 40);
    assert.equal(fill().length, 40);
  });

  it('that told its metrics before it belonged to the pool is not taken for one without any', () => {
    const { pool, placement } = house(0, instanceOf(adaptiveConcurrencyDetector));
    const early = new Endpoint({ name: 'b', url: 'http://b:1', labels: {} });
    early.noteMetrics({ waiting: 0, running: 0 }, 0, 0);
    pool.setEndpoints([...pool.endpoints, early]);
    assert.deepEqual(
      pool.endpoints.map((endpoint) => placement.limitOf(endpoint)),
      [64, 4],
    );
  });

  it('that is back is given a tenth of its limit at once, and the rest evenly', () => {
    const { clock, set, fill, placement, endpoint } = house();
    set(false);
    assert.equal(placement.limitOf(endpoint), undefined);
    set(true);
    assert.equal(fill().length, 4);
    clock.advance(DURATION_MS / 2);
    assert.equal(placement.limitOf(endpoint), 22);
    assert.equal(fill().length, 18);
    clock.advance(DURATION_MS / 2);
    assert.equal(fill().length, 18);
    assert.equal(placement.limitOf(endpoint), 40);
  });

  it('that goes and comes again begins again', () => {
    const { clock, set, placement, endpoint } = house();
    set(false);
    set(true);
    clock.advance(DURATION_MS * 0.9);
    set(false);
    set(true);
    assert.equal(placement.limitOf(endpoint), 4);
    clock.advance(DURATION_MS * 0.9);
    assert.equal(placement.limitOf(endpoint), 36);
  });

  it('that nothing limits grows to what it ran, and then to no limit', () => {
    const { clock, set, placement, endpoint } = house(0, LIMITLESS);
    endpoint.peakRunning = 200;
    set(false);
    set(true);
    assert.equal(placement.limitOf(endpoint), 20);
    clock.advance(DURATION_MS);
    assert.equal(placement.limitOf(endpoint), Infinity);
  });

  it('that is empty takes a request wider than what it may hold, rather than idle', () => {
    const { set, fill } = house();
    set(false);
    set(true);
    assert.equal(fill(30).length, 1);
    assert.equal(fill(1).length, 0);
  });

  it('that holds no more is given more as soon as it may, although nothing else happens', () => {
    const { clock, pool, endpoint, placement, set } = house();
    const controller = new FlowController({ config: flowControlConfig(), placement, clock });
    set(false);
    let dispatched = 0;
    for (let count = 0; count < 40; count += 1) {
      controller.enqueue(request(), ({ outcome }) => {
        if (outcome === 'Dispatched') dispatched += 1;
      });
    }
    clock.advance(0);
    set(true);
    const seen: number[] = [];
    for (let second = 0; second <= 10; second += 1) {
      clock.advance(second === 0 ? 0 : 1000);
      seen.push(dispatched);
    }
    assert.deepEqual(seen, [4, 7, 11, 14, 18, 22, 25, 29, 32, 36, 40]);
    assert.equal(endpoint.inFlight, 40);
    assert.equal(pool.available.length, 1);
    controller.destroy();
  });
});
