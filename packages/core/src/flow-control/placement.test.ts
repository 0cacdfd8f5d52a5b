// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Filter } from '../scheduling/contracts.ts';
import { CheckedKits } from '../testing/checked-kits.ts';
import { checkInvariants } from './invariants.ts';

const kits = new CheckedKits();
const start = kits.start.bind(kits);

describe('Placing requests', () => {
  afterEach(() => {
    kits.check();
  });

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
    kit.enqueue({ fairnessId: 'narrow' });
    kit.settle();
    assert.equal(kit.endpoints[0]?.inFlight, 100, 'it holds all that it makes the engine run');
    kit.finishOne();
    assert.equal(kit.endpoints[0]?.inFlight, 1);
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
  });

  it('makes a batch of thousands wait no longer than one as wide as an endpoint, which is what it takes', () => {
    const kit = start({ endpoints: 2, limit: 4 });
    for (let count = 0; count < 8; count += 1) kit.enqueue({ fairnessId: 'narrow' });
    kit.settle();
    kit.enqueue({ fairnessId: 'batch', sequences: 2048 });
    for (let turns = 0; !kit.dispatchedFlows.includes('batch'); turns += 1) {
      assert.ok(turns < 200, 'the batch starves');
      kit.enqueue({ fairnessId: 'narrow' });
      kit.finishOne();
    }
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
    kit.clock.advance(100);
    assert.equal(kit.controller.snapshot().heldWhileIdleMs, 100, 'and that is told');
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

  it('lets the others go when filters leave one flow nothing, and that one when they leave it something', () => {
    const refused = new Set(['plain']);
    const filter: Filter = {
      ...{ type: 'refuse', name: 'refuse' },
      filter: (request, endpoints) => (refused.has(request.fairnessId) ? [] : endpoints),
    };
    const kit = start({ limit: 4, filters: [filter] });
    for (const fairnessId of ['plain', 'vip', 'plain', 'vip']) kit.enqueue({ fairnessId });
    kit.settle();
    assert.deepEqual(kit.dispatchedFlows, ['vip', 'vip']);
    refused.clear();
    kit.finishOne();
    assert.deepEqual(kit.dispatchedFlows, ['vip', 'vip', 'plain', 'plain']);
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
