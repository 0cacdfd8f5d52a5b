// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FlowEvent, Pool, type Scorer } from '@fairlead/core';
import { concurrencyDetector, maxScorePicker, singleProfileHandler } from '@fairlead/core/plugins';
import { flowControlConfig, instanceOf, modelEndpoint, VirtualClock } from '@fairlead/core/testing';
import { Lanes } from './lanes.ts';

test('a scorer that throws costs no request, and is told once', () => {
  const clock = new VirtualClock();
  const events: FlowEvent[] = [];
  const broken: Scorer = {
    type: 'broken-scorer',
    name: 'broken',
    score: () => {
      throw new Error('no idea');
    },
  };
  const profile = {
    name: 'default',
    filters: [],
    scorers: [{ scorer: broken, weight: 1 }],
    picker: instanceOf(maxScorePicker),
  };
  const lanes = new Lanes({
    config: {
      flowControl: flowControlConfig(),
      health: { slowStartMs: 0 },
      flowControlEnabled: true,
      detector: instanceOf(concurrencyDetector),
      scheduling: { handler: instanceOf(singleProfileHandler), profiles: [profile] },
    },
    clock,
    scrapeSoon: () => undefined,
    observer: (pool, event) => {
      assert.equal(pool, 'm');
      events.push(event);
    },
  });
  const pool = new Pool('m');
  pool.setEndpoints([modelEndpoint('one'), modelEndpoint('two')]);
  lanes.add(pool);
  const lane = lanes.get(pool);
  for (const id of ['r1', 'r2']) {
    const request = {
      id,
      fairnessId: 'a',
      priority: 0,
      model: 'm',
      targetModel: 'm',
      sizeBytes: 1,
      sequences: 1,
      receivedMs: 0,
    };
    lane?.controller.enqueue(request, () => undefined);
  }
  clock.settle();
  assert.equal(lane?.controller.inFlight, 2);
  assert.deepEqual(
    events.filter((event) => event.kind === 'plugin-fault'),
    [{ kind: 'plugin-fault', plugin: 'broken', band: undefined, message: 'Error: no idea', atMs: 0 }],
  );
});
