// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PHASES, phaseTimes } from './phases.ts';

test('phases share the time that is left, whoever takes less leaves more to those after it', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 8_000, max: 600_000 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true })),
      (allMs, used) => {
        let leftMs = allMs;
        for (const index of PHASES.keys()) {
          const { sendMs, tailMs } = phaseTimes(PHASES.slice(index), leftMs);
          assert.ok(sendMs > 0 && tailMs >= 0 && tailMs <= 6_000);
          assert.ok(sendMs + tailMs <= leftMs + 1e-6);
          if (index === PHASES.length - 1) assert.ok(Math.abs(sendMs + tailMs - leftMs) < 1e-6);
          leftMs -= sendMs + tailMs * (used[index] ?? 1);
        }
      },
    ),
  );
});

test('without time left a phase is over at once', () => {
  assert.deepEqual(phaseTimes(PHASES, -5), { sendMs: 0, tailMs: 0 });
});

test('only a phase that goes on with the load before it kills', () => {
  assert.deepEqual(
    PHASES.map(({ name }) => name),
    ['alone', 'unprotected', 'protected', 'one server killed'],
  );
  for (const phase of PHASES) assert.equal(phase.kills, phase.goesOn);
});
