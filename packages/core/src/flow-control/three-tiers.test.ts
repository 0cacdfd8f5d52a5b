// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { globalStrictFairnessPolicy } from '../plugins/fairness/global-strict-fairness-policy.ts';
import { roundRobinFairnessPolicy } from '../plugins/fairness/round-robin-fairness-policy.ts';
import { edfOrderingPolicy } from '../plugins/ordering/edf-ordering-policy.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import { InFlightCap } from '../request/in-flight-cap.ts';
import type { InferenceRequest } from '../request/inference-request.ts';
import { CheckedKits } from '../testing/checked-kits.ts';
import type { FairnessPolicy, Member, OrderingPolicy } from './policies.ts';
import type { FlowControlKit, KitOptions } from '../testing/flow-control-kit.ts';
import { instanceOf } from '../testing/plugin-instance.ts';

const kits = new CheckedKits();
const start = kits.start.bind(kits);

describe('The three tiers of dispatch', () => {
  afterEach(() => {
    kits.check();
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

    it('holds nothing back, and says so once, when the ceilings cannot be told', () => {
      const usageLimit = {
        type: 'test',
        name: 'broken',
        newState: () => undefined,
        ceilings: (_: unknown, __: unknown, out: Float64Array) => {
          out.fill(0);
          throw new Error('no idea');
        },
      };
      const kit = start({ config: { usageLimit } });
      kit.enqueue();
      kit.enqueue();
      kit.settle();
      kit.finishOne();
      assert.deepEqual(kit.dispatchedIds, ['r1', 'r2']);
      assert.equal(kit.events.filter((event) => event.kind === 'plugin-fault').length, 1);
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

    describe('when who is dispatched does something at once', () => {
      /** Full endpoints; above others waits one who can only go to the first of them, and finds no room. */
      function startWithPicky(limit: number): FlowControlKit {
        const onlyFirst = {
          type: 'test',
          name: 'test',
          filter: (request: InferenceRequest, endpoints: readonly Endpoint[]) =>
            endpoints.filter(({ name }) => request.fairnessId !== 'picky' || name === 'e1'),
        };
        const kit = start({ endpoints: 2, limit, filters: [onlyFirst], config: { knownPriorities: [10] } });
        for (let count = 0; count < limit; count += 1) {
          kit.enqueue({ fairnessId: 'picky' });
          kit.settle();
        }
        kit.enqueue({ fairnessId: 'picky', priority: 10 });
        kit.settle();
        assert.equal(kit.controller.waiting, 1);
        return kit;
      }

      /** What `low` does in the turn in which it is dispatched. */
      function enqueueThen(kit: FlowControlKit, act: () => unknown): void {
        const request = kit.request({ fairnessId: 'low' });
        const record = kit.recorder(request);
        kit.controller.enqueue(request, (settled) => {
          record(settled);
          act();
        });
      }

      it('goes back to a band that was passed over, when something comes into it that can be sent', () => {
        const kit = startWithPicky(2);
        enqueueThen(kit, () => kit.enqueue({ fairnessId: 'urgent', priority: 10 }));
        kit.enqueue({ fairnessId: 'low' });
        kit.settle();
        assert.deepEqual(kit.dispatchedFlows, ['picky', 'picky', 'low', 'urgent']);
      });

      it('goes back to a band that was passed over, when room comes free for it', () => {
        const kit = startWithPicky(1);
        enqueueThen(kit, () => kit.permits.shift()!.end('succeeded'));
        kit.enqueue({ fairnessId: 'low' });
        kit.settle();
        assert.deepEqual(kit.dispatchedFlows, ['picky', 'low', 'picky']);
      });
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

    it('goes on in order of arrival, and says so once, when a policy throws or picks who is not eligible', () => {
      const broken = (pick: () => Member | undefined): FairnessPolicy => ({
        type: 'test',
        name: 'broken',
        newState: () => undefined,
        newMemberState: () => undefined,
        ready: () => undefined,
        unready: () => undefined,
        pick,
      });
      const throwing = () => {
        throw new Error('no idea');
      };
      for (const pick of [throwing, () => undefined]) {
        const kit = start({ band: { fairness: broken(pick) } });
        for (const fairnessId of ['a', 'b', 'a']) kit.enqueue({ fairnessId });
        kit.settle();
        kit.finishOne();
        kit.finishOne();
        assert.deepEqual(kit.dispatchedFlows, ['a', 'b', 'a']);
        assert.equal(kit.events.filter((event) => event.kind === 'plugin-fault').length, 1);
      }
    });

    it('loses nobody, and says so once, whatever else of a policy throws', () => {
      const methods = ['newState', 'newMemberState', 'ready', 'unready', 'headChanged', 'charge', 'settle'] as const;
      for (const method of methods) {
        const policy = instanceOf(roundRobinFairnessPolicy);
        const broken: FairnessPolicy = {
          type: 'test',
          name: 'broken',
          newState: () => policy.newState(),
          newMemberState: () => policy.newMemberState(),
          ready: (state, member) => policy.ready(state as never, member as never),
          unready: (state, member) => policy.unready(state as never, member as never),
          pick: (state) => policy.pick(state as never),
          charge: (state, member) => policy.charge(state as never, member as never),
          [method]: () => {
            throw new Error('no idea');
          },
        };
        const kit = start({ endpoints: 2, band: { fairness: broken } });
        kit.endpoints[0]!.adapters = new Set(['lora']);
        for (const fairnessId of ['a', 'b', 'a', 'c', 'b', 'a']) {
          kit.enqueue({ fairnessId, targetModel: fairnessId === 'b' ? 'lora' : 'm' });
        }
        kit.settle();
        for (let permit = kit.permits.shift(); permit !== undefined; permit = kit.permits.shift()) {
          permit.end('succeeded', { promptTokens: 1, completionTokens: 1 });
          kit.settle();
        }
        assert.deepEqual([kit.controller.waiting, kit.dispatchedFlows.length], [0, 6], method);
        assert.equal(kit.events.filter((event) => event.kind === 'plugin-fault').length, 1, method);
      }
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

    it('puts a request last, and says so once, when the ordering throws', () => {
      const ordering: OrderingPolicy = {
        type: 'test',
        name: 'broken',
        rank: () => {
          throw new Error('no idea');
        },
      };
      const kit = start({ band: { ordering } });
      for (let count = 0; count < 3; count += 1) kit.enqueue();
      kit.settle();
      for (let count = 0; count < 3; count += 1) kit.finishOne();
      assert.deepEqual(kit.dispatchedIds, ['r1', 'r2', 'r3']);
      const faults = kit.events.filter((event) => event.kind === 'plugin-fault');
      assert.deepEqual(
        faults.map(({ plugin, band }) => [plugin, band]),
        [['broken', 0]],
      );
    });
  });
});
