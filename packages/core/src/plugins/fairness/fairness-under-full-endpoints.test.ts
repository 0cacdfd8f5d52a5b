// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { FlowControlKit } from '../../testing/flow-control-kit.ts';

/** Turns in which so many permits end at once, on endpoints that are full all the time. */
const completions = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 40 });

test('round robin serves backlogged tenants equally often, however many places come free at once', () => {
  fc.assert(
    fc.property(completions, fc.integer({ min: 2, max: 5 }), (batches, tenants) => {
      const kit = new FlowControlKit({ endpoints: 2, limit: 4 });
      const names = Array.from({ length: tenants }, (_, index) => `tenant-${index}`);
      for (const [index, fairnessId] of names.entries()) {
        const backlog = index === 0 ? 400 : 200;
        for (let count = 0; count < backlog; count += 1) kit.enqueue({ fairnessId });
      }
      kit.settle();
      for (const batch of batches) {
        for (const permit of kit.permits.splice(0, batch)) permit.end('succeeded');
        kit.settle();
        const turns = names.map((name) => kit.dispatchedFlows.filter((flow) => flow === name).length);
        assert.ok(Math.max(...turns) - Math.min(...turns) <= 1, `turns were ${turns.join(', ')}`);
      }
    }),
    { numRuns: 30 },
  );
});
