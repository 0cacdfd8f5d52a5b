// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'node:test';
import { Departures } from './departures.ts';

test('a crowd leaves in one turn, each once, and is told of in the turns that follow, in its order', async () => {
  const departures = new Departures();
  const left: number[] = [];
  const told: number[] = [];
  const crowd = Array.from({ length: 200 }, (_, index) => ({
    leave: () => left.push(index),
    report: () => {
      assert.ok(left.length >= 200);
      told.push(index);
    },
  }));
  for (const each of [...crowd, ...crowd]) departures.add(each);
  assert.equal(left.length, 0);
  await turn();
  assert.equal(left.length, 200);
  assert.equal(told.length < 200, true);
  for (let turns = 0; turns < 10; turns += 1) await turn();
  const all = crowd.map((_, index) => index);
  assert.deepEqual([left, told], [all, all]);
  departures.add(crowd[0]!);
  await turn();
  assert.equal(told.length, 201);
});
