// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { staticUsageLimitPolicy } from './static-usage-limit-policy.ts';

test('every band has the same ceiling, the configured one', () => {
  const policy = instanceOf(staticUsageLimitPolicy, { parameters: { threshold: 0.8 } });
  const ceilings = new Float64Array(3).fill(1);
  policy.ceilings(policy.newState(), { priorities: [10, 0, -10], saturation: 0.5 }, ceilings);
  assert.deepEqual([...ceilings], [0.8, 0.8, 0.8]);
});

test('the ceiling is 1 unless configured', () => {
  const policy = instanceOf(staticUsageLimitPolicy);
  const ceilings = new Float64Array([0.1, 0.2]);
  policy.ceilings(policy.newState(), { priorities: [1, 0], saturation: 0 }, ceilings);
  assert.deepEqual([...ceilings], [1, 1]);
});
