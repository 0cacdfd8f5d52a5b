// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import type { InferenceRequest } from '../../request/inference-request.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { edfOrderingPolicy } from './edf-ordering-policy.ts';
import { fcfsOrderingPolicy } from './fcfs-ordering-policy.ts';
import { sloDeadlineOrderingPolicy } from './slo-deadline-ordering-policy.ts';

interface Given {
  sequence?: number;
  expiresMs?: number;
  deadlineMs?: number;
  receivedMs?: number;
  ttftSloMs?: number;
}

function waiting(fields: Given) {
  const request = { id: 'r', fairnessId: 'a', priority: 0, model: 'm', targetModel: 'm', sizeBytes: 1, sequences: 1 };
  const { receivedMs = 0, deadlineMs, ttftSloMs } = fields;
  const described: InferenceRequest = { ...request, receivedMs, deadlineMs, ttftSloMs };
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

test('the SLO deadline order ranks by when the first token is due, counted from when the request was received', () => {
  const policy = instanceOf(sloDeadlineOrderingPolicy);
  assert.equal(policy.rank(waiting({ receivedMs: 100, ttftSloMs: 50, expiresMs: 7 })), 150);
  assert.equal(policy.rank(waiting({ receivedMs: 100, ttftSloMs: 0 })), 100);
});

test('the SLO deadline order puts last what asks for no time to first token, or for nonsense', () => {
  const policy = instanceOf(sloDeadlineOrderingPolicy);
  for (const ttftSloMs of [NaN, -1, Infinity, Number.MAX_VALUE]) {
    assert.ok(policy.rank(waiting({ receivedMs: 1, ttftSloMs })) >= Number.MAX_VALUE, String(ttftSloMs));
  }
  assert.equal(policy.rank(waiting({ receivedMs: 1 })), Infinity);
});
