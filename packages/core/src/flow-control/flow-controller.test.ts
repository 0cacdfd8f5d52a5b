// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { globalStrictFairnessPolicy } from '../plugins/fairness/global-strict-fairness-policy.ts';
import { roundRobinFairnessPolicy } from '../plugins/fairness/round-robin-fairness-policy.ts';
import { edfOrderingPolicy } from '../plugins/ordering/edf-ordering-policy.ts';
import { InFlightCap } from '../request/in-flight-cap.ts';
import { FlowControlKit, type KitOptions } from '../testing/flow-control-kit.ts';
import { instanceOf } from '../testing/plugin-instance.ts';
import { checkInvariants } from './invariants.ts';

const kits: FlowControlKit[] = [];

function start(options: KitOptions = {}): FlowControlKit {
  const kit = new FlowControlKit(options);
  kits.push(kit);
  return kit;
}

/** The request that a settlement belongs to and what it was, in order. */
function outcomes(kit: FlowControlKit): string[] {
  return kit.settled.map((settled) => `${settled.request.id} ${'cause' in settled ? settled.cause : 'dispatched'}`);
}

describe('FlowController', () => {
  afterEach(() => {
    for (const kit of kits.splice(0)) checkInvariants(kit.controller);
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

  describe('tier 1, priority', () => {
    it('always serves the higher band first, whatever arrived first', () => {
      const kit = start({ config: { knownPriorities: [10, -1] } });
      kit.enqueue({ fairnessId: 'holder' });
      kit.settle();
      for (const priority of [-1, 0, 10, -1, 0, 10]) kit.enqueue({ priority, fairnessId: `p${priority}` });
      for (let count = 0; count < 6; count += 1) kit.finishOne();
      assert.deepEqual(kit.dispatchedFlows.slice(1), ['p10', 'p10', 'p0', 'p0', 'p-1', 'p-1']);
    });

    it('stops at the first gated band: a band below is not tried although its own ceiling is higher', () => {
      const usageLimit = {
        type: 'test',
        name: 'test',
        newState: () => undefined,
        ceilings: (_: unknown, __: unknown, out: Float64Array) => {
          out[0] = 0.5;
        },
      };
      const kit = start({ limit: 4, config: { usageLimit, knownPriorities: [10] } });
      for (let count = 0; count < 4; count += 1) kit.enqueue({ priority: 10, fairnessId: 'high' });
      kit.enqueue({ priority: 0, fairnessId: 'low' });
      kit.settle();
      assert.deepEqual(kit.dispatchedFlows, ['high', 'high']);
      const gated = kit.events.find((event) => event.kind === 'gated');
      assert.deepEqual(gated, { kind: 'gated', band: 10, saturation: 0.5, ceiling: 0.5, atMs: 0 });
    });

    it('asks for ceilings once per pump, in a buffer pre-filled with 1', () => {
      const asked: number[][] = [];
      const usageLimit = {
        type: 'test',
        name: 'test',
        newState: () => undefined,
        ceilings: (_: unknown, __: unknown, out: Float64Array) => {
          asked.push([...out]);
          out.fill(0.9);
        },
      };
      const kit = start({ limit: 10, config: { usageLimit } });
      for (let count = 0; count < 3; count += 1) kit.enqueue();
      kit.settle();
      kit.enqueue();
      kit.settle();
      assert.deepEqual(asked, [[1], [1]]);
    });

    it('serves a priority that nobody configured in band 0, and says so', () => {
      const kit = start();
      kit.enqueue({ priority: 77 });
      kit.settle();
      assert.equal(kit.permits[0]?.request.priority, 77);
      assert.deepEqual(
        kit.events.map((event) => event.kind),
        ['priority-unknown', 'flow-created', 'enqueued', 'dispatched'],
      );
      assert.equal(kit.events.find((event) => event.kind === 'dispatched')?.band, 0);
    });

    it('makes the band of a known priority at first use and forgets it ten minutes after its last work', () => {
      const kit = start({ config: { knownPriorities: [5] } });
      kit.enqueue({ priority: 5 });
      kit.settle();
      assert.equal(kit.controller.inspect().waitlist.bands.get(5)?.priority, 5);
      kit.clock.advance(3_600_000);
      assert.ok(kit.controller.inspect().waitlist.bands.get(5), 'a band whose flow has work in flight stays');
      kit.finishOne();
      kit.clock.advance(599_999);
      assert.ok(kit.controller.inspect().waitlist.bands.get(5));
      kit.clock.advance(1);
      assert.equal(kit.controller.inspect().waitlist.bands.get(5), undefined);
    });
  });

  describe('tier 2, fairness', () => {
    /** Dispatches of the quiet flow among `turns`, while `noisy` floods 50 to 1 and both are backlogged. */
    function shareOfQuiet(fairness: KitOptions['band'], turns: number): number {
      const kit = start({ band: fairness ?? {} });
      for (let round = 0; round < turns; round += 1) {
        for (let count = 0; count < 50; count += 1) kit.enqueue({ fairnessId: 'noisy' });
        kit.enqueue({ fairnessId: 'quiet' });
      }
      kit.settle();
      for (let turn = 1; turn < turns; turn += 1) kit.finishOne();
      return kit.dispatchedFlows.filter((flow) => flow === 'quiet').length / turns;
    }

    it('gives a quiet tenant half of the dispatches under round-robin while another floods 50 to 1', () => {
      const share = shareOfQuiet({ fairness: instanceOf(roundRobinFairnessPolicy) }, 200);
      assert.ok(share >= 0.49, `share ${share}`);
    });

    it('gives it about 2 % under global-strict, which serves by arrival', () => {
      const share = shareOfQuiet({ fairness: instanceOf(globalStrictFairnessPolicy) }, 200);
      assert.ok(share >= 0.01 && share <= 0.03, `share ${share}`);
    });

    it('keeps one state per band when one policy instance governs two', () => {
      const fairness = instanceOf(roundRobinFairnessPolicy);
      const kit = start({ band: { fairness }, config: { knownPriorities: [1] } });
      kit.enqueue({ fairnessId: 'holder' });
      kit.settle();
      for (const priority of [1, 0]) {
        for (const fairnessId of ['a', 'a', 'b', 'b']) kit.enqueue({ priority, fairnessId });
      }
      for (let count = 0; count < 8; count += 1) kit.finishOne();
      assert.deepEqual(kit.dispatchedFlows.slice(1), ['a', 'b', 'a', 'b', 'a', 'b', 'a', 'b']);
    });

    it('skips a tenant at its cap, refuses nothing, holds up nobody, and goes on the moment there is room', () => {
      const kit = start({ limit: 10 });
      const cap = new InFlightCap(2);
      for (let count = 0; count < 5; count += 1) kit.enqueue({ fairnessId: 'capped', cap });
      for (let count = 0; count < 3; count += 1) kit.enqueue({ fairnessId: 'free' });
      kit.settle();
      const flows = kit.permits.map((permit) => permit.request.fairnessId);
      assert.equal(flows.filter((flow) => flow === 'capped').length, 2);
      assert.equal(flows.filter((flow) => flow === 'free').length, 3);
      kit.permits.splice(flows.indexOf('capped'), 1)[0]?.end('succeeded');
      kit.settle();
      assert.equal(cap.used, 2);
      assert.equal(kit.controller.waiting, 2);
    });

    it('shares one cap among the flows of a tenant in several bands', () => {
      const kit = start({ limit: 10, config: { knownPriorities: [1] } });
      const cap = new InFlightCap(1);
      kit.enqueue({ fairnessId: 't', priority: 1, cap });
      kit.enqueue({ fairnessId: 't', priority: 0, cap });
      kit.settle();
      assert.equal(kit.permits.length, 1);
      assert.equal(kit.finishOne().request.priority, 1);
      assert.equal(kit.permits[0]?.request.priority, 0);
    });
  });

  describe('tier 3, ordering', () => {
    it('serves a flow in order of deadlines under edf, requests without one last', () => {
      const kit = start({
        band: { ordering: instanceOf(edfOrderingPolicy) },
        config: { defaultRequestTtlMs: Infinity },
      });
      kit.enqueue({ id: 'holder' });
      kit.settle();
      kit.enqueue({ id: 'none' });
      kit.enqueue({ id: 'late', ttlMs: 5000 });
      kit.enqueue({ id: 'soon', ttlMs: 1000 });
      kit.enqueue({ id: 'sooner', deadlineMs: 500 });
      for (let count = 0; count < 4; count += 1) kit.finishOne();
      assert.deepEqual(kit.dispatchedIds, ['holder', 'sooner', 'soon', 'late', 'none']);
    });
  });

  describe('placement', () => {
    it('parks a head that fits nowhere and asks the next flow, then serves it when there is room', () => {
      const kit = start({ limit: 4 });
      kit.enqueue({ fairnessId: 'first', sequences: 2 });
      kit.settle();
      kit.enqueue({ fairnessId: 'wide', sequences: 3 });
      kit.enqueue({ fairnessId: 'narrow' });
      kit.settle();
      assert.deepEqual(kit.dispatchedFlows, ['first', 'narrow']);
      kit.finishOne();
      assert.deepEqual(kit.dispatchedFlows, ['first', 'narrow', 'wide']);
      assert.equal(kit.endpoints[0]?.inFlight, 4);
    });

    it('lets a request that is wider than an endpoint have the whole of it', () => {
      const kit = start({ limit: 4 });
      kit.enqueue({ sequences: 100 });
      kit.settle();
      assert.equal(kit.permits[0]?.sequences, 4);
      assert.equal(kit.endpoints[0]?.inFlight, 4);
      kit.finishOne();
      assert.equal(kit.endpoints[0]?.inFlight, 0);
    });

    it('keeps an endpoint for a wide request that narrow ones would pass over for ever', () => {
      const kit = start({ endpoints: 2, limit: 4 });
      for (let count = 0; count < 8; count += 1) kit.enqueue({ fairnessId: 'narrow' });
      kit.settle();
      kit.enqueue({ fairnessId: 'wide', sequences: 4 });
      let turns = 0;
      while (!kit.dispatchedFlows.includes('wide')) {
        kit.enqueue({ fairnessId: 'narrow' });
        kit.finishOne();
        checkInvariants(kit.controller);
        turns += 1;
        assert.ok(turns < 200, 'the wide request starves');
      }
      assert.ok(kit.controller.snapshot().heldWhileIdleMs >= 0);
    });

    it('gives the kept endpoint back when the wide request is cancelled', () => {
      const kit = start({ limit: 4 });
      for (let count = 0; count < 4; count += 1) kit.enqueue({ fairnessId: 'narrow' });
      kit.settle();
      const wide = kit.enqueue({ fairnessId: 'wide', sequences: 4 });
      for (let count = 0; count < 66; count += 1) {
        kit.enqueue({ fairnessId: 'narrow' });
        kit.finishOne();
      }
      assert.ok(kit.permits.length < 4, 'an endpoint is being kept');
      wide.cancel();
      kit.settle();
      assert.equal(kit.permits.length, 4);
    });

    it('serves an adapter only where it is, and does not let its backlog hold up the base model', () => {
      const kit = start({ endpoints: 2, limit: 1 });
      const [first] = kit.endpoints;
      if (first !== undefined) first.adapters = new Set(['lora']);
      for (let count = 0; count < 3; count += 1) kit.enqueue({ fairnessId: 'a', targetModel: 'lora' });
      kit.enqueue({ fairnessId: 'b' });
      kit.settle();
      assert.deepEqual(
        kit.permits.map((permit) => `${permit.request.fairnessId} ${permit.endpoint.name}`),
        ['a e1', 'b e2'],
      );
    });

    it('asks a thousand parked flows one question per completion, not a thousand', () => {
      const kit = start({ endpoints: 2, limit: 2 });
      const [first] = kit.endpoints;
      if (first !== undefined) first.adapters = new Set(['lora']);
      for (let flow = 0; flow < 1000; flow += 1) kit.enqueue({ fairnessId: `f${flow}`, targetModel: 'lora' });
      kit.settle();
      kit.enqueue({ fairnessId: 'base' });
      kit.settle();
      const before = kit.events.length;
      kit.finishOne();
      assert.ok(kit.events.length - before < 10, `${kit.events.length - before} events for one completion`);
    });
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
      assert.deepEqual(outcomes(kit), ['holder dispatched', 'a2 capacity', 'c capacity', 'big capacity']);
      const rejected = kit.settled.find((settled) => 'drop' in settled);
      assert.equal(rejected !== undefined && 'drop' in rejected && rejected.drop.status, 429);
    });

    it('refuses with 503 when it is full and the pool has no endpoint', () => {
      const kit = start({ config: { maxRequests: 1 } });
      kit.pool.setEndpoints([]);
      kit.enqueue();
      kit.enqueue();
      assert.deepEqual(outcomes(kit), ['r2 noEndpoints']);
    });

    it('frees a place in the turn in which a request is cancelled', () => {
      const kit = start({ config: { maxRequests: 1 } });
      const handle = kit.enqueue();
      handle.cancel();
      kit.enqueue();
      handle.cancel();
      assert.deepEqual(outcomes(kit), ['r1 cancelled']);
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
      assert.deepEqual(outcomes(kit), ['holder dispatched', 'waits ttl']);
    });

    it("replaces the budget with a request's own TTL, longer or shorter, and bounds both by its deadline", () => {
      const kit = start({ config: { defaultRequestTtlMs: 1000 } });
      kit.enqueue({ id: 'holder' });
      kit.settle();
      kit.enqueue({ id: 'long', ttlMs: 5000 });
      kit.enqueue({ id: 'short', ttlMs: 10 });
      kit.enqueue({ id: 'deadline', ttlMs: 5000, deadlineMs: 20 });
      kit.clock.advance(1000);
      assert.deepEqual(outcomes(kit), ['holder dispatched', 'short ttl', 'deadline ttl']);
      kit.clock.advance(4000);
      assert.equal(outcomes(kit).at(-1), 'long ttl');
    });

    it('has a budget of its own while there is no endpoint, and answers 503', () => {
      const kit = start({ config: { noEndpointRequestTtlMs: 500 } });
      kit.pool.setEndpoints([]);
      kit.settle();
      kit.enqueue();
      kit.clock.advance(500);
      assert.deepEqual(outcomes(kit), ['r1 ttlNoEndpoints']);
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
      assert.equal(outcomes(kit).at(-1), 'waits ttl');
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
      assert.deepEqual(outcomes(kit), ['r3 shuttingDown', 'r1 dispatched']);
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
      assert.deepEqual(outcomes(kit), ['r1 dispatched', 'r2 evictedShuttingDown']);
      kit.permits[0]?.end('failed');
      assert.equal(kit.controller.inFlight, 0);
      assert.equal(kit.clock.pendingAlarms, 0);
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

  it('says after how many seconds to come back by how fast the queue drains', () => {
    const kit = start();
    assert.equal(kit.controller.retryAfterS(), 60);
    for (let second = 0; second < 10; second += 1) {
      kit.enqueue();
      kit.settle();
      kit.finishOne();
      kit.clock.advance(1000);
    }
    for (let count = 0; count < 6; count += 1) kit.enqueue();
    kit.settle();
    assert.equal(kit.controller.retryAfterS(), 6);
  });
});
