// SPDX-License-Identifier: Apache-2.0

/** Dispatch where tokens are limited: nothing over the limit, nothing left behind, nobody starved. */

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { concurrencyDetector } from '../plugins/saturation/concurrency-detector.ts';
import { inflightLoadProducer } from '../plugins/producers/inflight-load-producer.ts';
import { CheckedKits } from '../testing/checked-kits.ts';
import { instanceOf } from '../testing/plugin-instance.ts';

const kits = new CheckedKits();

/** Endpoints of a thousand tokens each; requests say their tokens. */
function start(
  options: { endpoints?: number; parameters?: Record<string, unknown>; load?: Record<string, unknown> } = {},
) {
  const parameters = { concurrencyMode: 'tokens', maxTokenConcurrency: 1000, ...options.parameters };
  return kits.start({
    endpoints: options.endpoints ?? 1,
    detector: instanceOf(concurrencyDetector, { parameters }),
    tokens: instanceOf(inflightLoadProducer, { parameters: options.load ?? {} }),
  });
}

describe('Placing requests by their tokens', () => {
  afterEach(() => {
    kits.check();
  });

  it('sends as many requests as hold the tokens of an endpoint, however few or many that are', () => {
    const kit = start();
    for (let count = 0; count < 30; count += 1) kit.enqueue({ inputTokens: 40 });
    kit.settle();
    assert.deepEqual([kit.permits.length, kit.endpoints[0]?.tokensInFlight], [25, 1000]);
    kit.finishOne();
    assert.equal(kit.endpoints[0]?.tokensInFlight, 1000);
  });

  it('steps over a request that does not fit yet, and sends it when it does', () => {
    const kit = start();
    kit.enqueue({ fairnessId: 'first', inputTokens: 600 });
    kit.settle();
    kit.enqueue({ fairnessId: 'long', inputTokens: 500 });
    kit.enqueue({ fairnessId: 'short', inputTokens: 300 });
    kit.settle();
    assert.deepEqual(kit.dispatchedFlows, ['first', 'short']);
    kit.finishOne();
    assert.deepEqual(kit.dispatchedFlows, ['first', 'short', 'long']);
    assert.equal(kit.endpoints[0]?.tokensInFlight, 800);
  });

  it('lets a request that is longer than an endpoint have the whole of it, once it is empty', () => {
    const kit = start();
    kit.enqueue({ fairnessId: 'short', inputTokens: 1 });
    kit.settle();
    kit.enqueue({ fairnessId: 'endless', inputTokens: 50_000 });
    kit.settle();
    assert.deepEqual(kit.dispatchedFlows, ['short']);
    kit.finishOne();
    assert.deepEqual(kit.dispatchedFlows, ['short', 'endless']);
    assert.deepEqual([kit.permits[0]?.tokens, kit.endpoints[0]?.tokensInFlight], [50_000, 50_000]);
    kit.enqueue({ fairnessId: 'short', inputTokens: 1 });
    kit.settle();
    assert.equal(kit.permits.length, 1);
    kit.finishOne();
    assert.equal(kit.endpoints[0]?.tokensInFlight, 1);
  });

  it('keeps an endpoint for a long request that short ones would pass over for ever', () => {
    const kit = start({ endpoints: 2 });
    for (let count = 0; count < 40; count += 1) kit.enqueue({ fairnessId: 'short', inputTokens: 50 });
    kit.settle();
    assert.equal(kit.permits.length, 40);
    kit.enqueue({ fairnessId: 'long', inputTokens: 900 });
    for (let turns = 0; !kit.dispatchedFlows.includes('long'); turns += 1) {
      kit.enqueue({ fairnessId: 'short', inputTokens: 50 });
      kit.finishOne();
      for (const { tokensInFlight } of kit.endpoints) assert.ok(tokensInFlight <= 1000);
      assert.ok(turns < 1000, 'the long request starves');
    }
  });

  it('counts both where both are limited', () => {
    const kit = start({ parameters: { concurrencyMode: 'hybrid', maxConcurrency: 3 } });
    for (let count = 0; count < 3; count += 1) kit.enqueue({ fairnessId: 'short', inputTokens: 10 });
    kit.settle();
    kit.enqueue({ fairnessId: 'long', inputTokens: 985 });
    kit.enqueue({ fairnessId: 'tiny', inputTokens: 1 });
    kit.settle();
    assert.equal(kit.permits.length, 3, 'there is no fourth place, whatever it is for');
    kit.finishOne();
    assert.deepEqual(kit.dispatchedFlows.slice(3), ['tiny'], 'there is a place, and no room for so many tokens');
    kit.finishOne();
    assert.deepEqual(kit.dispatchedFlows.slice(3), ['tiny', 'long']);
    assert.deepEqual([kit.endpoints[0]?.inFlight, kit.endpoints[0]?.tokensInFlight], [3, 996]);
  });

  it('counts the expected answer where that is asked for', () => {
    const kit = start({ load: { addEstimatedOutputTokens: true } });
    for (let count = 0; count < 9; count += 1) kit.enqueue({ inputTokens: 100 });
    kit.settle();
    assert.deepEqual([kit.permits.length, kit.endpoints[0]?.tokensInFlight], [4, 1000]);
  });

  it('gives back what was taken when the endpoint went down, came back and the request was put back meanwhile', () => {
    const kit = start({ endpoints: 2 });
    for (let count = 0; count < 4; count += 1) kit.enqueue({ inputTokens: 700 });
    kit.settle();
    const [first, second] = kit.permits.splice(0);
    assert.ok(first && second);
    first.endpoint.up = false;
    kit.pool.refresh();
    kit.controller.requeue(first, kit.recorder(first.request));
    kit.settle();
    first.endpoint.up = true;
    kit.pool.refresh();
    kit.settle();
    second.end('failed');
    for (let rounds = 0; kit.controller.waiting + kit.controller.inFlight > 0; rounds += 1) {
      assert.ok(rounds < 10);
      kit.settle();
      for (const permit of kit.permits.splice(0)) permit.end('succeeded');
    }
    assert.deepEqual(
      kit.endpoints.map(({ tokensInFlight, inFlight }) => [tokensInFlight, inFlight]),
      [
        [0, 0],
        [0, 0],
      ],
    );
  });

  it('asks a thousand parked flows of like requests one question per completion, not a thousand', () => {
    const kit = start();
    kit.enqueue({ inputTokens: 900 });
    kit.settle();
    for (let flow = 0; flow < 1000; flow += 1) kit.enqueue({ fairnessId: `f${flow}`, inputTokens: 500 + (flow % 20) });
    kit.settle();
    const before = kit.events.length;
    kit.finishOne();
    assert.ok(kit.events.length - before < 20, `${kit.events.length - before} events for one completion`);
  });
});
