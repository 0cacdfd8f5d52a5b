// SPDX-License-Identifier: Apache-2.0

/** A tenant's tokens a minute, held in the queue. 6 000 a minute are one in 10 ms; 400 bytes are 100 tokens. */

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { TokenBucket } from '../request/token-bucket.ts';
import type { KitOptions, RequestFields } from '../testing/flow-control-kit.ts';
import { FlowControlKit } from '../testing/flow-control-kit.ts';
import { checkInvariants } from './invariants.ts';

const TOKENS_A_MINUTE = 6_000;
const HUNDRED_TOKENS = 400;

let kit: FlowControlKit;

/** Room for everybody, unless the test says otherwise, so that only tokens are scarce. */
function start(options: KitOptions = {}): FlowControlKit {
  kit = new FlowControlKit({ limit: 1_000, ...options });
  return kit;
}

function bucket(burstTokens = 200): TokenBucket {
  return new TokenBucket({ tokensPerMinute: TOKENS_A_MINUTE, burstTokens });
}

function enqueue(count: number, fields: RequestFields): void {
  for (let index = 0; index < count; index += 1) kit.enqueue({ sizeBytes: HUNDRED_TOKENS, ...fields });
  kit.settle();
}

const usage = (promptTokens: number, completionTokens: number) => ({ promptTokens, completionTokens });

describe('tokens a minute', () => {
  afterEach(() => checkInvariants(kit.controller));

  it('hold a tenant back in the queue, nobody else, and let it go in the very millisecond in which there are some', () => {
    const tokenBucket = bucket(200);
    start();
    enqueue(4, { fairnessId: 'a', tokenBucket });
    enqueue(2, { fairnessId: 'b' });
    assert.deepEqual(kit.dispatchedFlows, ['a', 'a', 'b', 'b']);
    const [flow] = kit.controller.snapshot().bands[0]!.flows;
    assert.partialDeepStrictEqual(flow, { fairnessId: 'a', waiting: 2, throttled: true, capped: false, parked: false });
    // The bucket is empty to the token; one is there after 10 ms, and pays for all of the next request.
    kit.clock.advance(9);
    assert.equal(kit.permits.length, 4);
    kit.clock.advance(1);
    assert.equal(kit.permits.length, 5);
    // 99 of debt and a first token: a second on.
    kit.clock.advance(999);
    assert.equal(kit.permits.length, 5);
    kit.clock.advance(1);
    assert.equal(kit.permits.length, 6);
    assert.equal(kit.controller.snapshot().bands[0]!.flows[0]?.throttled, false);
  });

  it('are never asked after: one alarm, whatever waits', () => {
    start();
    for (let tenant = 0; tenant < 50; tenant += 1) enqueue(5, { fairnessId: `t${tenant}`, tokenBucket: bucket(100) });
    assert.equal(kit.permits.length, 50);
    const before = kit.events.length;
    assert.equal(kit.clock.pendingAlarms, 1);
    kit.clock.advance(9);
    assert.equal(kit.events.length, before);
  });

  it('are debited at dispatch: many requests at once cannot all pass on the same tokens', () => {
    const tokenBucket = bucket(1_000);
    start();
    enqueue(500, { tokenBucket });
    assert.equal(kit.permits.length, 10);
    assert.equal(tokenBucket.level(kit.clock.now()), 0);
  });

  it('are enforced, not only counted: answers longer than thought are a debt to wait off', () => {
    const tokenBucket = bucket(100);
    start();
    enqueue(2, { tokenBucket });
    kit.permits.shift()?.end('succeeded', usage(100, 500));
    kit.settle();
    kit.clock.advance(5_009);
    assert.equal(kit.controller.inFlight, 0);
    kit.clock.advance(1);
    assert.equal(kit.controller.inFlight, 1);
  });

  it('come to the whole of the limit, however far the estimates are over what is used', () => {
    const tokenBucket = bucket(6_000);
    start({ config: { defaultRequestTtlMs: Infinity } });
    // 400 debited and 100 used by each, which takes ten seconds: a quarter is what would be left if refunds were lost.
    enqueue(1_000, { tokenBucket, sizeBytes: 1_600 });
    const minutes = 10;
    let used = 0;
    for (let second = 0; second < minutes * 60; second += 10) {
      kit.clock.advance(10_000);
      for (const permit of kit.permits.splice(0)) {
        permit.end('succeeded', usage(100, 0));
        used += 100;
      }
      kit.settle();
    }
    const limit = 6_000 + minutes * TOKENS_A_MINUTE;
    assert.ok(used > 0.95 * limit && used <= limit, `${used} of ${limit}`);
  });

  it('are debited for an answer as long as its caller allows, in each sequence', () => {
    const tokenBucket = bucket(1_000);
    start();
    enqueue(1, { tokenBucket, maxOutputTokens: 200, sequences: 3 });
    assert.equal(tokenBucket.level(0), 300);
    enqueue(1, { tokenBucket, maxOutputTokens: 1e15, sequences: 3 });
    assert.equal(tokenBucket.level(0), 300 - 1e9);
  });

  it('are held back for the length of answers that the tenant gets, when nobody limits them', () => {
    const tokenBucket = bucket(1_000);
    start();
    enqueue(1, { tokenBucket });
    for (let index = 0; index < 50; index += 1) {
      kit.permits.shift()?.end('succeeded', usage(100, 300));
      kit.clock.advance(10_000);
      enqueue(1, { tokenBucket });
    }
    kit.permits.shift()?.end('succeeded', usage(100, 300));
    kit.clock.advance(60_000);
    enqueue(20, { tokenBucket });
    assert.equal(kit.permits.length, 3, '1 000 tokens are 2.5 requests of 100 and 300');
  });

  it('are given back when the request never went, and when it failed', () => {
    const tokenBucket = bucket(200);
    start();
    enqueue(2, { tokenBucket });
    const [first, second] = kit.permits.splice(0);
    assert.equal(tokenBucket.level(0), 0);
    kit.controller.requeue(first!, kit.recorder(first!.request));
    assert.equal(tokenBucket.level(0), 100);
    second!.end('failed');
    assert.equal(tokenBucket.level(0), 200);
    kit.settle();
    assert.equal(tokenBucket.level(0), 100, 'it went again');
  });

  it('are paid by who leaves before the figures come', () => {
    const tokenBucket = bucket(100);
    start();
    enqueue(1, { tokenBucket });
    kit.permits.shift()?.end('cancelled');
    assert.equal(tokenBucket.level(0), 0);
  });

  it('are paid by what was seen of an answer that was cut off, whatever small count was told with its beginning', () => {
    const tokenBucket = bucket(1_000);
    start();
    enqueue(1, { tokenBucket, maxOutputTokens: 200 });
    const permit = kit.permits.shift()!;
    permit.streamed(198);
    permit.end('cancelled', usage(100, 1));
    assert.equal(tokenBucket.level(0), 1_000 - 100 - 198);
  });

  it('are paid for streams whose usage nobody tells, and learnt from them', () => {
    const tokenBucket = bucket(1_000);
    start();
    enqueue(1, { tokenBucket, sequences: 2 });
    const permit = kit.permits.shift()!;
    permit.streamed(400);
    permit.end('succeeded');
    assert.equal(tokenBucket.level(0), 1_000 - 100 - 400);
    enqueue(1, { tokenBucket, sequences: 2 });
    assert.equal(tokenBucket.level(0), 500 - 100 - 2 * 20, 'a tenth of 200 for each sequence');
  });

  it('are one limit for all flows of a tenant, and its higher band goes first', () => {
    const tokenBucket = bucket(100);
    start({ config: { knownPriorities: [1] } });
    enqueue(1, { tokenBucket });
    enqueue(3, { tokenBucket, priority: 0 });
    enqueue(1, { tokenBucket, priority: 1, sizeBytes: 10_000 });
    kit.clock.advance(10);
    assert.deepEqual(
      kit.permits.map(({ request }) => request.priority),
      [0, 1],
    );
  });

  it('are one limit for all controllers, and what one gives back the other learns at once', () => {
    const tokenBucket = bucket(100);
    const other = start();
    enqueue(1, { tokenBucket });
    start();
    enqueue(1, { tokenBucket });
    assert.equal(kit.permits.length, 0);
    other.permits[0]?.end('succeeded', usage(40, 0));
    kit.settle();
    assert.equal(kit.permits.length, 1);
    checkInvariants(other.controller);
  });

  it('let a request through that is larger than the burst, once the bucket has anything', () => {
    const tokenBucket = bucket(100);
    start();
    enqueue(2, { tokenBucket, sizeBytes: 40_000 });
    assert.equal(kit.permits.length, 1);
    kit.clock.advance(55_000);
    assert.equal(kit.permits.length, 1);
  });

  it('are of no matter while everything is let through', () => {
    start();
    enqueue(5, { tokenBucket: bucket(100) });
    kit.controller.setBypass(true);
    kit.settle();
    assert.equal(kit.permits.length, 5);
  });

  it('make the honest answer to when to come back', () => {
    const tokenBucket = bucket(100);
    start({ config: { defaultRequestTtlMs: 3_000 } });
    enqueue(1, { tokenBucket, sizeBytes: 40_000 });
    enqueue(2, { tokenBucket });
    kit.clock.advance(3_000);
    assert.deepEqual(kit.outcomes, ['r1 dispatched', 'r2 ttl', 'r3 ttl']);
    // 9 900 of debt at 100 a second, 3 s of which are waited off, and the first token.
    assert.equal(kit.controller.retryAfterMs(kit.request({ tokenBucket })), 96_010);
    assert.ok(kit.controller.retryAfterMs(kit.request()) <= 60_000);
  });

  it('may become more, fewer or unlimited while somebody waits for them', () => {
    const tokenBucket = bucket(100);
    start();
    enqueue(3, { tokenBucket });
    assert.equal(kit.permits.length, 1);
    tokenBucket.resize({ tokensPerMinute: 60_000 }, kit.clock.now());
    kit.clock.advance(1);
    assert.equal(kit.permits.length, 2, 'one in a millisecond');
    tokenBucket.resize({ tokensPerMinute: 60 }, kit.clock.now());
    kit.clock.advance(59_000);
    assert.equal(kit.permits.length, 2);
    tokenBucket.resize({ tokensPerMinute: Infinity }, kit.clock.now());
    kit.settle();
    assert.equal(kit.permits.length, 3);
    tokenBucket.resize({ tokensPerMinute: 60, burstTokens: 10 }, kit.clock.now());
    assert.equal(tokenBucket.level(kit.clock.now()), 10);
  });

  it('have to be numbers of at least one', () => {
    start();
    for (const tokensPerMinute of [0, -1, NaN, Infinity]) {
      assert.throws(() => new TokenBucket({ tokensPerMinute }), /tokensPerMinute must be a number of at least 1, got/);
    }
  });
});
