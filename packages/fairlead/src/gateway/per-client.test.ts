// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PerClient } from './per-client.ts';

test('a client has as many as it may, whatever others have, and again as many as it gave back', () => {
  const perClient = new PerClient(2);
  const entered = ['a', 'a', 'a', 'b'].map((client) => perClient.enter(client));
  assert.deepEqual(entered, [true, true, false, true]);
  perClient.leave('a');
  assert.deepEqual([perClient.enter('a'), perClient.enter('a')], [true, false]);
  perClient.max = 1;
  perClient.leave('a');
  assert.equal(perClient.enter('a'), false, 'it still has one');
  perClient.leave('a');
  assert.equal(perClient.enter('a'), true);
});

test('clients that come once each are not remembered without end', () => {
  const perClient = new PerClient(1);
  for (let client = 0; client < 10_000; client += 1) {
    assert.ok(perClient.enter(`client ${client}`));
    perClient.leave(`client ${client}`);
  }
  assert.ok(perClient.size < 2000, `${perClient.size} clients`);
});

test('nobody has anything where nothing is allowed', () => {
  const perClient = new PerClient(0);
  assert.equal(perClient.enter('a'), false);
  assert.equal(perClient.size, 0);
});
