// SPDX-License-Identifier: Apache-2.0

/** Bodies that trickle, with a clock that is moved by hand, and what is reserved; the rest is shown over real sockets in the stories. */

import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { ByteBudget } from './byte-budget.ts';
import { BodyReceiver, REQUEST_BYTES } from './receive-body.ts';

const IDLE_MS = 10_000;

/** A body of a megabyte that is announced, and a budget of which others hold `othersBytes`. */
function receiving(othersBytes: number) {
  const budget = new ByteBudget(10_000_000);
  budget.reserve(othersBytes, 'others');
  const told: string[] = [];
  let nowMs = 0;
  const source = { read: () => undefined, discard: () => undefined };
  const receiver = new BodyReceiver(
    source,
    { headBytes: 200, lengthBytes: 1_000_000 },
    {
      limits: { maxBodyBytes: 1_000_000, bodyIdleTimeoutMs: IDLE_MS, budget, nowMs: () => nowMs },
      taker: { onBody: () => told.push('whole'), onProblem: (problem) => told.push(problem) },
    },
  );
  assert.equal(receiver.reserve('slow'), true);
  receiver.start();
  const send = (bytes: number, afterMs: number): void => {
    nowMs += afterMs;
    receiver.onData(Buffer.alloc(bytes));
  };
  return { budget, receiver, told, send };
}

describe('a body that trickles', () => {
  it('is waited for while there is memory enough', () => {
    const { receiver, told, send } = receiving(1_000_000);
    for (let second = 0; second < 1000; second += 1) send(1, 1000);
    assert.deepEqual(told, []);
    receiver.stop();
  });

  it('loses its place when memory is short, and gives its bytes back', () => {
    const { budget, told, send } = receiving(5_000_000);
    for (let second = 0; second < 10; second += 1) send(1, 1000);
    assert.deepEqual(told, [], 'everybody has the time of a silence to begin');
    send(1, 1000);
    assert.deepEqual(told, ['slow']);
    assert.equal(budget.used, 5_000_000);
  });

  it('at a rate that a poor line has is waited for, short of memory or not', () => {
    const { receiver, told, send } = receiving(5_000_000);
    for (let second = 0; second < 40; second += 1) send(20_000, 1000);
    assert.deepEqual(told, []);
    receiver.stop();
  });
});

test('a body of unknown length is reserved beside a long head, not within what is reserved for that', () => {
  const budget = new ByteBudget(10_000_000);
  const never = (): void => assert.fail();
  const receiver = new BodyReceiver(
    { read: () => undefined, discard: () => undefined },
    { headBytes: 2048 + 10_000, lengthBytes: undefined },
    {
      limits: { maxBodyBytes: 1_000_000, bodyIdleTimeoutMs: IDLE_MS, budget, nowMs: () => 0 },
      taker: { onBody: never, onProblem: never },
    },
  );
  assert.equal(receiver.reserve('somebody'), true);
  receiver.start();
  for (const sizeBytes of [500, 1000]) {
    receiver.onData(Buffer.alloc(500));
    assert.equal(budget.used, REQUEST_BYTES + 10_000 + sizeBytes);
  }
  receiver.stop();
  receiver.release();
  assert.equal(budget.used, 0);
});
