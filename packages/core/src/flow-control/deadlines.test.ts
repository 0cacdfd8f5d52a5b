// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Deadlines } from './deadlines.ts';
import { WaitingRequest } from './waiting-request.ts';

function waitingUntil(expiresMs: number, sequence: number): WaitingRequest {
  const request = { id: `r${sequence}`, fairnessId: 'a', priority: 0, model: 'm', targetModel: 'm' };
  const waiting = new WaitingRequest<unknown>({
    request: { ...request, sizeBytes: 1, sequences: 1, receivedMs: 0 },
    flow: undefined,
    enqueuedMs: 0,
    sequence,
    onSettled: () => undefined,
    onCancel: () => undefined,
  });
  waiting.expiresMs = expiresMs;
  return waiting;
}

const byDeadline = (a: WaitingRequest, b: WaitingRequest): number =>
  a.expiresMs - b.expiresMs || a.sequence - b.sequence;

test('whoever comes, leaves and gets another deadline in whatever order, the next to expire is the next', () => {
  const steps = fc.array(
    fc.record({ kind: fc.constantFrom('push', 'push', 'push', 'remove', 'change'), ms: fc.nat(50), at: fc.nat() }),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const deadlines = new Deadlines();
      let model: WaitingRequest[] = [];
      for (const [sequence, { kind, ms, at }] of all.entries()) {
        const some = model[at % Math.max(1, model.length)];
        if (kind === 'push') {
          const waiting = waitingUntil(ms + (at % 2) * sequence, sequence);
          deadlines.push(waiting);
          model.push(waiting);
        } else if (kind === 'remove' && some !== undefined) {
          deadlines.remove(some);
          deadlines.remove(some);
          assert.equal(some.expirySlot, -1);
          model = model.filter((waiting) => waiting !== some);
        } else if (kind === 'change') {
          for (const waiting of model) if (waiting.sequence % 3 === 0) waiting.expiresMs += ms;
          deadlines.rebuild();
        }
        model.sort(byDeadline);
        assert.equal(deadlines.size, model.length);
        assert.equal(deadlines.peek(), model[0]);
        assert.deepEqual(new Set([...deadlines.lined(), ...deadlines.heaped()]), new Set(model));
      }
    }),
  );
});

test('a line that was long is as good as new when it is empty', () => {
  const deadlines = new Deadlines();
  for (const count of [5000, 3, 100, 2000]) {
    const all = Array.from({ length: count }, (_, sequence) => waitingUntil(1000, sequence));
    for (const waiting of all) deadlines.push(waiting);
    for (const waiting of all.slice(1, -1).reverse()) deadlines.remove(waiting);
    assert.deepEqual(deadlines.lined(), [all[0], all.at(-1)]);
    deadlines.remove(all[0]!);
    assert.equal(deadlines.peek(), all.at(-1));
    deadlines.remove(all.at(-1)!);
    assert.deepEqual([deadlines.size, deadlines.peek()], [0, undefined]);
  }
});

test('requests with the same time to wait are never in the heap', () => {
  const deadlines = new Deadlines();
  for (let sequence = 0; sequence < 100; sequence += 1) deadlines.push(waitingUntil(1000 + sequence, sequence));
  assert.deepEqual([deadlines.lined().length, deadlines.heaped().length], [100, 0]);
  deadlines.push(waitingUntil(5, 100));
  assert.equal(deadlines.heaped().length, 1);
  assert.equal(deadlines.peek()?.sequence, 100);
});
