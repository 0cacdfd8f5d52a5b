// SPDX-License-Identifier: Apache-2.0

/** What becomes of everything that waits, and of what is in flight, when the configuration is another from now on. */

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { globalStrictFairnessPolicy } from '../plugins/fairness/global-strict-fairness-policy.ts';
import { roundRobinFairnessPolicy } from '../plugins/fairness/round-robin-fairness-policy.ts';
import { edfOrderingPolicy } from '../plugins/ordering/edf-ordering-policy.ts';
import { fcfsOrderingPolicy } from '../plugins/ordering/fcfs-ordering-policy.ts';
import { adaptiveConcurrencyDetector } from '../plugins/saturation/adaptive-concurrency-detector.ts';
import { concurrencyDetector } from '../plugins/saturation/concurrency-detector.ts';
import { InFlightCap } from '../request/in-flight-cap.ts';
import { CheckedKits } from '../testing/checked-kits.ts';
import { flowControlConfig } from '../testing/flow-control-kit.ts';
import type { FlowControlKit } from '../testing/flow-control-kit.ts';
import { instanceOf } from '../testing/plugin-instance.ts';
import { checkInvariants } from './invariants.ts';

const kits = new CheckedKits();
const start = kits.start.bind(kits);
const roundRobin = instanceOf(roundRobinFairnessPolicy);
const fcfs = instanceOf(fcfsOrderingPolicy);
const band = { fairness: roundRobin, ordering: fcfs };

function serveAll(kit: FlowControlKit): void {
  while (kit.permits.length > 0) kit.finishOne();
}

/** The flows of what was dispatched since, in order. */
function dispatchedBy(kit: FlowControlKit, act: () => void): string[] {
  const before = kit.dispatchedFlows.length;
  act();
  return kit.dispatchedFlows.slice(before);
}

function bandsOf(kit: FlowControlKit): number[] {
  return kit.controller.snapshot().bands.map(({ priority }) => priority);
}

describe('FlowController.reconfigure', () => {
  afterEach(() => {
    kits.check();
  });

  it('lets a tenant keep its turn when only limits change', () => {
    const kit = start({ band });
    for (const fairnessId of ['a', 'b', 'c', 'a', 'b', 'c']) kit.enqueue({ fairnessId });
    kit.settle();
    kit.controller.reconfigure(flowControlConfig({ band: { ...band, maxRequests: 10 } }));
    assert.deepEqual(
      dispatchedBy(kit, () => serveAll(kit)),
      ['b', 'c', 'a', 'b', 'c'],
    );
    assert.equal(kit.controller.snapshot().bands[0]?.maxRequests, 10);
  });

  it('keeps what is over a smaller limit, and takes nothing more until there is a place', () => {
    const kit = start({ band });
    for (let count = 0; count < 5; count += 1) kit.enqueue();
    kit.settle();
    kit.controller.reconfigure(flowControlConfig({ band: { ...band, maxRequests: 3 } }));
    kit.enqueue();
    assert.deepEqual(kit.outcomes, ['r1 dispatched', 'r6 capacity']);
    kit.finishOne();
    kit.finishOne();
    kit.enqueue();
    assert.equal(kit.outcomes.includes('r7 capacity'), false);
    serveAll(kit);
    assert.equal(kit.dispatchedIds.length, 6);
  });

  it('tells another fairness policy of the flows in the order of their turns', () => {
    const kit = start({ band });
    for (const fairnessId of ['a', 'a', 'a', 'b', 'b', 'c']) kit.enqueue({ fairnessId });
    kit.settle();
    kit.finishOne();
    // Served so far: a, b; c is next, though its request came last.
    const other = instanceOf(roundRobinFairnessPolicy, { name: 'other' });
    kit.controller.reconfigure(flowControlConfig({ band: { ...band, fairness: other } }));
    checkInvariants(kit.controller);
    assert.deepEqual(
      dispatchedBy(kit, () => serveAll(kit)),
      ['c', 'a', 'b', 'a'],
    );
  });

  it('goes from turns to one queue, and back', () => {
    const strict = instanceOf(globalStrictFairnessPolicy);
    const kit = start({ band });
    for (const fairnessId of ['a', 'a', 'a', 'b', 'b']) kit.enqueue({ fairnessId });
    kit.settle();
    kit.controller.reconfigure(flowControlConfig({ band: { ...band, fairness: strict } }));
    assert.deepEqual(
      dispatchedBy(kit, () => kit.finishOne()),
      ['a'],
    );
    kit.controller.reconfigure(flowControlConfig({ band }));
    assert.deepEqual(
      dispatchedBy(kit, () => serveAll(kit)),
      ['a', 'b', 'b'],
    );
  });

  it('ranks what waits anew when the ordering is another, and keeps the turns', () => {
    const kit = start({ band });
    kit.enqueue({ fairnessId: 'x' });
    kit.enqueue({ fairnessId: 'a', ttlMs: 9_000 });
    kit.enqueue({ fairnessId: 'b', ttlMs: 5_000 });
    kit.enqueue({ fairnessId: 'a', ttlMs: 1_000 });
    kit.settle();
    kit.controller.reconfigure(flowControlConfig({ band: { ...band, ordering: instanceOf(edfOrderingPolicy) } }));
    checkInvariants(kit.controller);
    serveAll(kit);
    assert.deepEqual(kit.dispatchedIds, ['r1', 'r4', 'r3', 'r2']);
  });

  it('lets a parked flow go whose first request is another by the new ordering', () => {
    const kit = start({ band, endpoints: 2 });
    kit.endpoints[0]!.adapters = new Set(['lora']);
    kit.enqueue({ targetModel: 'lora' });
    kit.settle();
    kit.enqueue({ fairnessId: 'b', targetModel: 'lora', ttlMs: 9_000 });
    kit.enqueue({ fairnessId: 'b', targetModel: 'm', ttlMs: 1_000 });
    kit.settle();
    assert.equal(kit.permits.length, 1);
    kit.controller.reconfigure(flowControlConfig({ band: { ...band, ordering: instanceOf(edfOrderingPolicy) } }));
    kit.settle();
    assert.deepEqual(kit.dispatchedIds, ['r1', 'r3']);
    serveAll(kit);
  });

  it('keeps the parked parked, each lot with its turns, under another fairness policy', () => {
    const kit = start({ band });
    for (const fairnessId of ['a', 'b', 'c']) kit.enqueue({ fairnessId });
    kit.settle();
    // A pump with room at the gate but none at the endpoint parks them.
    kit.controller.reconfigure(
      flowControlConfig({ band: { ...band, fairness: instanceOf(globalStrictFairnessPolicy) } }),
    );
    checkInvariants(kit.controller);
    assert.deepEqual(
      dispatchedBy(kit, () => serveAll(kit)),
      ['b', 'c'],
    );
  });

  it('serves what waits in a band that is gone, and puts what comes after into band 0', () => {
    const kit = start({ band, config: { bands: [{ ...flowControlConfig().defaultBand, priority: 7 }] } });
    for (let count = 0; count < 3; count += 1) kit.enqueue({ priority: 7 });
    kit.settle();
    kit.controller.reconfigure(flowControlConfig({ band }));
    kit.enqueue({ priority: 7 });
    assert.deepEqual(bandsOf(kit), [7, 0]);
    assert.deepEqual(
      kit.events.filter((event) => event.kind === 'priority-unknown').map(({ request }) => request.id),
      ['r4'],
    );
    serveAll(kit);
    assert.deepEqual(kit.dispatchedIds, ['r1', 'r2', 'r3', 'r4']);
    kit.clock.advance(2_000_000);
    assert.deepEqual(bandsOf(kit), [0]);
  });

  it('drops an empty band at once and makes a new one at once; a known priority is not forgotten as configured', () => {
    const template = flowControlConfig().defaultBand;
    const kit = start({ config: { bands: [{ ...template, priority: 7 }] } });
    kit.controller.reconfigure(flowControlConfig({ config: { bands: [{ ...template, priority: 9 }] } }));
    assert.deepEqual(bandsOf(kit), [9, 0]);
    assert.deepEqual(
      kit.events.flatMap((event) => (event.kind.startsWith('band') ? [event.kind] : [])),
      ['band-forgotten', 'band-created'],
    );
  });

  it('keeps a band that came into the configuration while it was idle', () => {
    const kit = start({ config: { knownPriorities: [7] } });
    kit.enqueue({ priority: 7 });
    kit.settle();
    serveAll(kit);
    kit.clock.advance(400_000);
    const bands = [{ ...flowControlConfig().defaultBand, priority: 7 }];
    kit.controller.reconfigure(flowControlConfig({ config: { bands } }));
    kit.clock.advance(2_000_000);
    assert.deepEqual(bandsOf(kit), [7, 0]);
  });

  it('gives what waits the new wait budget, counted from when it came', () => {
    const kit = start({ config: { defaultRequestTtlMs: 1_000 } });
    kit.enqueue();
    kit.enqueue();
    kit.settle();
    kit.clock.advance(900);
    kit.controller.reconfigure(flowControlConfig({ config: { defaultRequestTtlMs: 5_000 } }));
    kit.clock.advance(4_000);
    assert.deepEqual(kit.outcomes, ['r1 dispatched']);
    kit.clock.advance(100);
    assert.deepEqual(kit.outcomes, ['r1 dispatched', 'r2 ttl']);
  });

  it('counts a new weight and a new cap of a tenant that is never idle', () => {
    const cap = new InFlightCap(1);
    const kit = start({ limit: 4 });
    for (let count = 0; count < 6; count += 1) kit.enqueue();
    kit.settle();
    kit.controller.reconfigure(flowControlConfig());
    kit.enqueue({ cap, flowWeight: 3 });
    const flow = kit.controller.inspect().waitlist.bands.fallback.flows.get('a');
    assert.deepEqual([flow?.weight, flow?.cap], [3, cap]);
    checkInvariants(kit.controller);
    serveAll(kit);
    assert.equal(cap.used, 0);
  });

  it('lets the capped go when their cap is widened', () => {
    const cap = new InFlightCap(1);
    const kit = start({ limit: 4 });
    for (let count = 0; count < 4; count += 1) kit.enqueue({ cap });
    kit.settle();
    assert.equal(kit.permits.length, 1);
    cap.resize(3);
    kit.settle();
    assert.equal(kit.permits.length, 3);
    cap.resize(Infinity);
    kit.settle();
    assert.equal(kit.permits.length, 4);
    serveAll(kit);
  });
});

describe('PoolPlacement.reconfigure', () => {
  it('keeps what the detector learned when it is the same one, and begins anew when it is not', () => {
    const detector = instanceOf(adaptiveConcurrencyDetector);
    const kit = start({ detector });
    const [endpoint] = kit.endpoints;
    const limit = () => kit.placement.limitOf(endpoint!);
    const atFirst = limit()!;
    for (let count = 0; count < 40; count += 1) kit.enqueue();
    for (let round = 0; round < 20; round += 1) {
      kit.settle();
      const running = endpoint!.inFlight;
      endpoint!.noteMetrics({ waiting: 0, running }, endpoint!.dispatched, kit.clock.now());
      kit.placement.metricsRead(endpoint!);
      kit.clock.advance(500);
    }
    const learned = limit()!;
    assert.notEqual(learned, atFirst);
    kit.placement.reconfigure({ detector, chooser: kit.chooser });
    assert.equal(limit(), learned);
    kit.placement.reconfigure({ detector: instanceOf(adaptiveConcurrencyDetector), chooser: kit.chooser });
    assert.ok(limit()! < learned, 'what the engine last told is all that it knows');
    serveAll(kit);
    assert.equal(endpoint!.inFlight, 0);
    kits.check();
  });

  it('lets a wider detector dispatch at once, and a narrower one wait until there is room', () => {
    const detectorOf = (maxConcurrency: number) => instanceOf(concurrencyDetector, { parameters: { maxConcurrency } });
    const kit = start({ limit: 1 });
    for (let count = 0; count < 6; count += 1) kit.enqueue();
    kit.settle();
    kit.placement.reconfigure({ detector: detectorOf(4), chooser: kit.chooser });
    kit.settle();
    assert.equal(kit.permits.length, 4);
    kit.placement.reconfigure({ detector: detectorOf(2), chooser: kit.chooser });
    kit.finishOne();
    kit.finishOne();
    assert.equal(kit.permits.length, 2);
    kit.finishOne();
    assert.equal(kit.permits.length, 2);
    serveAll(kit);
    assert.equal(kit.dispatchedIds.length, 6);
    kits.check();
  });
});
