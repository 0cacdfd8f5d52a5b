// SPDX-License-Identifier: Apache-2.0

/** What a band charges its flows, and when: 4 000 bytes are 1 000 tokens of input, an output token costs 2. */

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { InferenceRequest } from '../request/inference-request.ts';
import { CheckedKits } from '../testing/checked-kits.ts';
import { flowControlConfig } from '../testing/flow-control-kit.ts';
import { instanceOf } from '../testing/plugin-instance.ts';
import { defineSimpleFairnessPolicy } from './simple-fairness.ts';

const kits = new CheckedKits();

/** Serves the longest unserved, and keeps for each flow what it was told. */
function ledger() {
  const told = new Map<string, number[]>();
  const note = (id: string, amount: number): void => {
    told.set(id, [...(told.get(id) ?? []), amount]);
  };
  const definition = defineSimpleFairnessPolicy({
    type: 'ledger',
    summary: 'Keeps the books.',
    newState: () => undefined,
    pick: (_band, eligible) => eligible[0],
    served: (_band, flow, cost) => note(flow.id, cost),
    settled: (_band, flow, delta) => note(flow.id, delta),
  });
  return { told, fairness: instanceOf(definition) };
}

const REQUEST: Partial<InferenceRequest> = { sizeBytes: 4_000, maxOutputTokens: 100 };

describe('What a request is charged', () => {
  afterEach(() => kits.check());

  it('is an estimate when it goes, and the rest when it ends', () => {
    const { told, fairness } = ledger();
    const kit = kits.start({ band: { fairness } });
    kit.enqueue(REQUEST);
    kit.settle();
    assert.deepEqual(told.get('a'), [1200]);
    kit.permits.shift()!.end('succeeded', { promptTokens: 1000, completionTokens: 30 });
    assert.deepEqual(told.get('a'), [1200, -140]);
    assert.equal(kit.controller.inspect().waitlist.bands.fallback.cost, 1060);
  });

  it('grows while it streams beyond its estimate, some tokens at a time', () => {
    const { told, fairness } = ledger();
    const kit = kits.start({ band: { fairness } });
    kit.enqueue(REQUEST);
    kit.settle();
    const permit = kit.permits.shift()!;
    for (let tokens = 1; tokens <= 140; tokens += 1) permit.streamed(tokens);
    assert.deepEqual(told.get('a'), [1200, 64]);
    permit.end('succeeded', { promptTokens: 1000, completionTokens: 140 });
    assert.deepEqual(told.get('a'), [1200, 64, 16]);
    permit.streamed(1_000);
    assert.equal(told.get('a')!.length, 3);
  });

  it('is what was used when the client leaves early', () => {
    const { told, fairness } = ledger();
    const kit = kits.start({ band: { fairness } });
    kit.enqueue(REQUEST);
    kit.settle();
    const permit = kit.permits.shift()!;
    permit.streamed(7);
    permit.end('cancelled');
    assert.deepEqual(told.get('a'), [1200, 1014 - 1200]);
  });

  it('is given back when it never went', () => {
    const { told, fairness } = ledger();
    const kit = kits.start({ band: { fairness } });
    const waiting = kit.request(REQUEST);
    kit.controller.enqueue(waiting, kit.recorder(waiting));
    kit.settle();
    kit.controller.requeue(kit.permits.shift()!, kit.recorder(waiting));
    kit.settle();
    assert.deepEqual(told.get('a'), [1200, -1200, 1200]);
  });

  it('follows what the flow has shown before', () => {
    const { told, fairness } = ledger();
    const kit = kits.start({ band: { fairness } });
    for (let count = 0; count < 2; count += 1) kit.enqueue(REQUEST);
    kit.settle();
    kit.permits.shift()!.end('succeeded', { promptTokens: 500, completionTokens: 10 });
    kit.settle();
    assert.deepEqual(told.get('a'), [1200, -680, 520]);
  });

  it('reaches a flow that is parked by then', () => {
    const { told, fairness } = ledger();
    const kit = kits.start({ band: { fairness }, limit: 10 });
    kit.enqueue(REQUEST);
    kit.settle();
    kit.enqueue({ ...REQUEST, targetModel: 'nobody-has-it' });
    kit.settle();
    assert.equal(kit.controller.snapshot().bands[0]!.flows[0]!.parked, true);
    kit.permits.shift()!.end('succeeded', { promptTokens: 1, completionTokens: 1 });
    assert.deepEqual(told.get('a'), [1200, -1197]);
  });

  it('is not given back by a policy that did not take it, and what is more is charged by whoever is there', () => {
    const before = ledger();
    const after = ledger();
    const kit = kits.start({ band: { fairness: before.fairness }, limit: 2 });
    for (const fairnessId of ['a', 'b']) kit.enqueue({ ...REQUEST, fairnessId });
    kit.settle();
    kit.controller.reconfigure(flowControlConfig({ band: { fairness: after.fairness } }));
    kit.permits.shift()!.end('succeeded', { promptTokens: 1000, completionTokens: 10 });
    kit.permits.shift()!.end('succeeded', { promptTokens: 1000, completionTokens: 110 });
    kit.settle();
    assert.deepEqual([...after.told], [['b', [20]]]);
    assert.deepEqual([...before.told.values()], [[1200], [1200]]);
  });

  it('is within bounds and told of when a server reports what no request has', () => {
    const { told, fairness } = ledger();
    const kit = kits.start({ band: { fairness } });
    kit.enqueue(REQUEST);
    kit.settle();
    kit.permits.shift()!.end('succeeded', { promptTokens: -7, completionTokens: 1e12 });
    kit.settle();
    assert.deepEqual(told.get('a'), [1200, 20_000_000 - 1200]);
    const clamped = kit.events.filter((event) => event.kind === 'usage-clamped');
    assert.deepEqual(
      clamped.map(({ usage }) => usage),
      [{ promptTokens: -7, completionTokens: 1e12 }],
    );
    const ended = kit.events.find((event) => event.kind === 'ended');
    assert.deepEqual(ended?.usage, { promptTokens: 0, completionTokens: 10_000_000 });
  });

  it('is charged as well while everything is let through', () => {
    const { told, fairness } = ledger();
    const kit = kits.start({ band: { fairness } });
    kit.controller.setBypass(true);
    kit.enqueue(REQUEST);
    kit.settle();
    assert.deepEqual(told.get('a'), [1200]);
  });
});
