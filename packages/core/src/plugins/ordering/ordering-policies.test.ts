// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import type { InferenceRequest } from '../../request/inference-request.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { edfOrderingPolicy } from './edf-ordering-policy.ts';
import { fcfsOrderingPolicy } from './fcfs-ordering-policy.ts';

function waiting(fields: { sequence?: number; expiresMs?: number; deadlineMs?: number }) {
  const request = { id: 'r', fairnessId: 'a', priority: 0, model: 'm', targetModel: 'm', sizeBytes: 1, sequences: 1 };
  const described: InferenceRequest = { ...request, receivedMs: 0, deadlineMs: fields.deadlineMs };
  return {
    request: described,
    enqueuedMs: 0,
    expiresMs: fields.expiresMs ?? Infinity,
    sequence: fields.sequence ?? 0,
  };
}

test('first come, first served ranks by arrival, whatever expires first', () => {
  const policy = instanceOf(fcfsOrderingPolicy);
  assert.ok(policy.rank(waiting({ sequence: 5, expiresMs: 9 })) < policy.rank(waiting({ sequence: 6, expiresMs: 7 })));
});

test('earliest deadline first ranks by whichever ends first, the wait budget or the caller’s deadline', () => {
  const policy = instanceOf(edfOrderingPolicy);
  assert.equal(policy.rank(waiting({ expiresMs: 900, deadlineMs: 700 })), 700);
  assert.equal(policy.rank(waiting({ expiresMs: 600, deadlineMs: 700 })), 600);
  assert.equal(policy.rank(waiting({ expiresMs: 600 })), 600);
});

test('earliest deadline first puts what never expires last', () => {
  assert.equal(instanceOf(edfOrderingPolicy).rank(waiting({})), Infinity);
});
