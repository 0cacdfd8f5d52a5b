// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { CheckedKits } from '../testing/checked-kits.ts';

const kits = new CheckedKits();
const start = kits.start.bind(kits);

describe('Waiting', () => {
  afterEach(() => {
    kits.check();
  });

  describe('capacity', () => {
    it('refuses with 429 what a flow, a band or the whole has no place for, by requests and by bytes', () => {
      const kit = start({ limit: 1, band: { maxRequests: 4, maxFlowShare: 0.5, maxBytes: 10_000 } });
      kit.enqueue({ id: 'holder' });
      kit.settle();
      for (let count = 0; count < 3; count += 1) kit.enqueue({ id: `a${count}`, fairnessId: 'a' });
      for (let count = 0; count < 2; count += 1) kit.enqueue({ id: `b${count}`, fairnessId: 'b' });
      kit.enqueue({ id: 'c', fairnessId: 'c' });
      kit.enqueue({ id: 'big', fairnessId: 'd', sizeBytes: 5001 });
      assert.deepEqual(kit.outcomes, ['holder dispatched', 'a2 capacity', 'c capacity', 'big capacity']);
      const rejected = kit.settled.find((settled) => 'drop' in settled);
      assert.equal(rejected !== undefined && 'drop' in rejected && rejected.drop.status, 429);
    });

    it('refuses with 503 when it is full and the pool has no endpoint', () => {
      const kit = start({ config: { maxRequests: 1 } });
      kit.pool.setEndpoints([]);
      kit.enqueue();
      kit.enqueue();
      assert.deepEqual(kit.outcomes, ['r2 noEndpoints']);
    });

    it('frees a place in the turn in which a request is cancelled', () => {
      const kit = start({ config: { maxRequests: 1 } });
      const handle = kit.enqueue();
      handle.cancel();
      kit.enqueue();
      handle.cancel();
      assert.deepEqual(kit.outcomes, ['r1 cancelled']);
      assert.equal(kit.controller.waiting, 1);
    });

    it('makes no flow for a request that it refuses', () => {
      const kit = start({ config: { maxRequests: 1 } });
      kit.pool.setEndpoints([]);
      kit.enqueue({ fairnessId: 'kept' });
      for (let count = 0; count < 100; count += 1) kit.enqueue({ fairnessId: `refused-${count}` });
      assert.equal(kit.controller.snapshot().bands[0]?.flows.length, 1);
    });
  });

  describe('waiting', () => {
    it('evicts with 429 at the wait budget, to the millisecond', () => {
      const kit = start({ config: { defaultRequestTtlMs: 1000 } });
      kit.enqueue({ id: 'holder' });
      kit.settle();
      kit.enqueue({ id: 'waits' });
      kit.clock.advance(999);
      assert.equal(kit.settled.length, 1);
      kit.clock.advance(1);
      assert.deepEqual(kit.outcomes, ['holder dispatched', 'waits ttl']);
    });

    it("replaces the budget with a request's own TTL, longer or shorter, and bounds both by its deadline", () => {
      const kit = start({ config: { defaultRequestTtlMs: 1000 } });
      kit.enqueue({ id: 'holder' });
      kit.settle();
      kit.enqueue({ id: 'long', ttlMs: 5000 });
      kit.enqueue({ id: 'short', ttlMs: 10 });
      kit.enqueue({ id: 'deadline', ttlMs: 5000, deadlineMs: 20 });
      kit.clock.advance(1000);
      assert.deepEqual(kit.outcomes, ['holder dispatched', 'short ttl', 'deadline ttl']);
      kit.clock.advance(4000);
      assert.equal(kit.outcomes.at(-1), 'long ttl');
    });

    it('has a budget of its own while there is no endpoint, and answers 503', () => {
      const kit = start({ config: { noEndpointRequestTtlMs: 500 } });
      kit.pool.setEndpoints([]);
      kit.settle();
      kit.enqueue();
      kit.clock.advance(500);
      assert.deepEqual(kit.outcomes, ['r1 ttlNoEndpoints']);
    });

    it('gives what waits a fresh budget when the last endpoint goes and when the first comes back', () => {
      const kit = start({ config: { defaultRequestTtlMs: 1000, noEndpointRequestTtlMs: 500 } });
      kit.enqueue({ id: 'holder' });
      kit.settle();
      kit.enqueue({ id: 'waits' });
      kit.clock.advance(900);
      kit.pool.setEndpoints([]);
      kit.clock.advance(499);
      kit.pool.setEndpoints(kit.endpoints);
      kit.clock.advance(999);
      assert.equal(kit.settled.length, 1);
      kit.clock.advance(1);
      assert.equal(kit.outcomes.at(-1), 'waits ttl');
    });

    it('never expires with infinite budgets', () => {
      const kit = start({ config: { defaultRequestTtlMs: Infinity } });
      kit.enqueue();
      kit.enqueue();
      kit.clock.advance(1e9);
      assert.equal(kit.controller.waiting, 1);
    });

    it('forgets a flow five minutes after its last work, and never one that waits or has work in flight', () => {
      const kit = start({ config: { defaultRequestTtlMs: Infinity } });
      kit.enqueue({ fairnessId: 'flight' });
      kit.settle();
      kit.enqueue({ fairnessId: 'waits' });
      kit.clock.advance(1_000_000);
      assert.equal(kit.controller.snapshot().bands[0]?.flows.length, 2);
      kit.finishOne();
      kit.finishOne();
      kit.clock.advance(299_999);
      assert.equal(kit.controller.snapshot().bands[0]?.flows.length, 2);
      kit.clock.advance(1);
      assert.equal(kit.controller.snapshot().bands[0]?.flows.length, 0);
    });
  });
});
