// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { InFlightCap } from '../request/in-flight-cap.ts';
import { CheckedKits } from '../testing/checked-kits.ts';

const kits = new CheckedKits();
const start = kits.start.bind(kits);

describe('FlowController', () => {
  afterEach(() => {
    kits.check();
  });

  describe('dispatch', () => {
    it('dispatches as many as fit in one pump and holds the rest until a permit ends', () => {
      const kit = start({ endpoints: 2, limit: 2 });
      for (let count = 0; count < 6; count += 1) kit.enqueue();
      kit.settle();
      assert.equal(kit.permits.length, 4);
      assert.equal(kit.controller.waiting, 2);
      assert.deepEqual(
        kit.endpoints.map((endpoint) => endpoint.inFlight),
        [2, 2],
      );
      kit.finishOne();
      assert.equal(kit.permits.length, 4);
      assert.equal(kit.controller.waiting, 1);
    });

    it('tells nobody before the pump runs, so a burst is ordered as a whole', () => {
      const kit = start();
      kit.enqueue({ priority: 0 });
      assert.equal(kit.settled.length, 0);
    });

    it('never chooses an endpoint at its limit, and prefers the one with less in flight', () => {
      const kit = start({ endpoints: 3, limit: 4 });
      for (let count = 0; count < 6; count += 1) kit.enqueue();
      kit.settle();
      assert.deepEqual(
        kit.endpoints.map((endpoint) => endpoint.inFlight),
        [2, 2, 2],
      );
    });

    it('costs nothing while idle: no alarm is set when nothing waits and nothing was ever there', () => {
      const kit = start();
      kit.settle();
      assert.equal(kit.clock.pendingAlarms, 0);
    });

    it('surfaces an error thrown by a settlement callback in a turn of its own, and goes on dispatching', () => {
      const kit = start({ limit: 2 });
      kit.controller.enqueue(kit.request(), () => {
        throw new Error('the caller is broken');
      });
      kit.enqueue();
      assert.throws(() => {
        kit.settle();
      }, /the caller is broken/);
      assert.equal(kit.permits.length, 1);
    });
  });

  describe('permits', () => {
    it('end once: a second ending is a bug and throws', () => {
      const kit = start();
      kit.enqueue();
      kit.settle();
      const [permit] = kit.permits;
      permit?.end('succeeded');
      assert.throws(() => permit?.end('failed'), /ended twice/);
      assert.equal(kit.controller.inFlight, 0);
    });

    it('tell their ending and usage to the observer', () => {
      const kit = start();
      kit.enqueue();
      kit.settle();
      kit.clock.advance(250);
      kit.permits[0]?.firstToken();
      kit.permits[0]?.firstToken();
      kit.permits[0]?.end('succeeded', { promptTokens: 3, completionTokens: 5 });
      const told = kit.events.filter((event) => event.kind === 'first-token' || event.kind === 'ended');
      assert.deepEqual(
        told.map((event) => [event.kind, event.sinceReceivedMs]),
        [
          ['first-token', 250],
          ['ended', 250],
        ],
      );
    });

    it('can be given back when nothing was sent: the request waits at the head of its flow with its old deadline', () => {
      const kit = start({ config: { defaultRequestTtlMs: 1000 } });
      kit.enqueue({ id: 'first' });
      kit.settle();
      kit.enqueue({ id: 'second' });
      const [permit] = kit.permits.splice(0);
      kit.clock.advance(600);
      assert.ok(permit);
      kit.pool.setEndpoints([]);
      kit.controller.requeue(permit, kit.recorder(permit.request));
      kit.pool.setEndpoints(kit.endpoints);
      kit.settle();
      assert.deepEqual(kit.dispatchedIds, ['first', 'first']);
      assert.equal(kit.permits[0]?.waitMs, 600);
      assert.throws(() => kit.controller.requeue(permit, () => undefined), /ended twice/);
    });
  });

  describe('a request that is given back again and again', () => {
    it('goes round no longer than it might wait: an endpoint that comes and goes gives it no fresh budget', () => {
      const kit = start({ config: { defaultRequestTtlMs: 1000, noEndpointRequestTtlMs: 1000 } });
      const [endpoint] = kit.endpoints;
      kit.enqueue();
      kit.settle();
      for (let permit = kit.permits.shift(); permit !== undefined; permit = kit.permits.shift()) {
        assert.ok(endpoint && kit.clock.now() <= 1000);
        endpoint.up = false;
        kit.pool.refresh();
        kit.controller.requeue(permit, kit.recorder(permit.request));
        kit.clock.advance(100);
        endpoint.up = true;
        kit.pool.refresh();
        kit.clock.advance(100);
      }
      assert.match(kit.outcomes.at(-1) ?? '', /^r1 ttl/);
      assert.equal(kit.controller.inFlight + kit.controller.waiting, 0);
    });
  });

  describe('bypass', () => {
    it('dispatches everything regardless of limits and caps, and tells so', () => {
      const kit = start({ limit: 1 });
      const cap = new InFlightCap(1);
      for (let count = 0; count < 5; count += 1) kit.enqueue({ cap });
      kit.settle();
      kit.controller.setBypass(true);
      kit.settle();
      assert.equal(kit.permits.length, 5);
      kit.controller.setBypass(false);
      kit.enqueue();
      kit.settle();
      assert.equal(kit.controller.waiting, 1);
      while (kit.permits.length > 0) kit.finishOne();
      assert.equal(cap.used, 0);
    });
  });

  describe('closing', () => {
    it('drains: what waits is dispatched, what is new is refused, and it is over when the last permit ends', async () => {
      const kit = start();
      kit.enqueue();
      kit.enqueue();
      const closed = kit.controller.close();
      assert.equal(kit.controller.close(), closed);
      kit.enqueue();
      kit.settle();
      assert.deepEqual(kit.outcomes, ['r3 shuttingDown', 'r1 dispatched']);
      kit.finishOne();
      kit.finishOne();
      await closed;
      assert.equal(kit.controller.waiting + kit.controller.inFlight, 0);
    });

    it('destroys: what waits is evicted now, permits that are out can still end', () => {
      const kit = start();
      kit.enqueue();
      kit.settle();
      kit.enqueue();
      kit.controller.destroy();
      kit.controller.destroy();
      assert.deepEqual(kit.outcomes, ['r1 dispatched', 'r2 evictedShuttingDown']);
      kit.permits[0]?.end('failed');
      assert.equal(kit.controller.inFlight, 0);
      assert.equal(kit.clock.pendingAlarms, 0);
    });
  });

  describe('fail-over', () => {
    it('moves a permit to the first alternative that has room, past whoever waits, and takes nothing twice', () => {
      const kit = start({ endpoints: 3, maxNumOfEndpoints: 3 });
      kit.enqueue();
      kit.settle();
      const [permit] = kit.permits.splice(0);
      assert.ok(permit);
      const [second, third] = permit.alternatives;
      assert.ok(second && third);
      second.take(1);
      for (let count = 0; count < 3; count += 1) kit.enqueue({ fairnessId: 'b' });
      const moved = kit.controller.failOver(permit);
      assert.equal(moved?.endpoint, third);
      assert.deepEqual([permit.endpoint.inFlight, third.inFlight, kit.controller.inFlight], [0, 1, 1]);
      assert.throws(() => kit.controller.failOver(permit), /ended twice/);
      assert.throws(() => permit.end('failed'), /ended twice/);
      assert.throws(() => start().controller.failOver(moved), /not one of this controller/);
      moved.end('succeeded');
      second.release(1);
      kit.settle();
      assert.equal(kit.permits.length, 3);
    });

    it('leaves the permit as it is when no alternative has room, and when the controller is destroyed', () => {
      const kit = start({ endpoints: 2, maxNumOfEndpoints: 2 });
      for (let count = 0; count < 2; count += 1) kit.enqueue();
      kit.settle();
      const [permit, other] = kit.permits;
      assert.ok(permit && other);
      assert.equal(kit.controller.failOver(permit), undefined);
      other.end('succeeded');
      kit.controller.destroy();
      assert.equal(kit.controller.failOver(permit), undefined);
      permit.end('failed');
      assert.deepEqual([kit.controller.inFlight, ...kit.endpoints.map(({ inFlight }) => inFlight)], [0, 0, 0]);
    });
  });

  describe('enqueueAndWait', () => {
    it('resolves with the permit, and with a drop when its signal is aborted, before or while it waits', async () => {
      const kit = start();
      const first = kit.controller.enqueueAndWait(kit.request());
      kit.settle();
      assert.equal((await first).outcome, 'Dispatched');
      const abort = new AbortController();
      const second = kit.controller.enqueueAndWait(kit.request(), { signal: abort.signal });
      abort.abort();
      assert.equal((await second).outcome, 'EvictedContextCancelled');
      const third = await kit.controller.enqueueAndWait(kit.request(), { signal: abort.signal });
      assert.equal(third.outcome, 'RejectedOther');
      assert.equal(kit.controller.waiting, 0);
    });
  });

  it('says when to come back by how fast the queue drains', () => {
    const kit = start();
    assert.equal(kit.controller.retryAfterMs(), 60_000);
    for (let second = 0; second < 10; second += 1) {
      kit.enqueue();
      kit.settle();
      kit.finishOne();
      kit.clock.advance(1000);
    }
    for (let count = 0; count < 6; count += 1) kit.enqueue();
    kit.settle();
    assert.equal(kit.controller.retryAfterMs(), 6000);
  });
});
