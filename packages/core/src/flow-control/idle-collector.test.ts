// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import { FlowControlKit } from '../testing/flow-control-kit.ts';

test('a band that was made for a request that found no place is forgotten like any other', () => {
  const kit = new FlowControlKit({ config: { knownPriorities: [5], maxRequests: 1, bandIdleMs: 1_000 } });
  const bands = (): readonly number[] => kit.controller.snapshot().bands.map(({ priority }) => priority);
  kit.enqueue();
  kit.settle();
  kit.enqueue();
  kit.enqueue({ priority: 5 });
  assert.deepEqual(kit.outcomes, ['r1 dispatched', 'r3 capacity']);
  assert.deepEqual(bands(), [5, 0]);
  kit.clock.advance(1_000);
  assert.deepEqual(bands(), [0]);
});

test('a band that is new stays while something of it waits, and for so long after that', () => {
  const kit = new FlowControlKit({ config: { knownPriorities: [5], flowIdleMs: 300, bandIdleMs: 1_000 } });
  const bands = (): readonly number[] => kit.controller.snapshot().bands.map(({ priority }) => priority);
  kit.enqueue({ priority: 5 });
  kit.clock.advance(5_000);
  assert.deepEqual(bands(), [5, 0]);
  kit.finishOne();
  kit.clock.advance(999);
  assert.deepEqual(bands(), [5, 0]);
  kit.clock.advance(1);
  assert.deepEqual(bands(), [0]);
});
