// SPDX-License-Identifier: Apache-2.0

/**
 * The flow controller, the placement and the built-in plugins under everything at once, a few hundred times:
 * `npm run simulate:seeds` does the same with 10 000 seeds. And the proof that the simulation is not blind.
 */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MUTATIONS } from './mutations.ts';
import { drawPlan } from './plan.ts';
import { firstFailure, playPlan, storyOf } from './seeds.ts';

const SEEDS = 300;

describe('A simulation of flow control', () => {
  it('finds every invariant kept under arrivals, cancels, deadlines, reloads, faults and shutdown', async () => {
    const failure = await firstFailure(1, SEEDS);
    if (failure !== undefined) assert.fail(await storyOf(failure.seed));
  });

  it('does the same again for the same seed', async () => {
    for (const seed of [3, 14, 15]) assert.deepEqual(await eventsOf(seed), await eventsOf(seed));
  });

  for (const mutation of MUTATIONS) {
    it(`notices a controller that would ${mutation.does}`, async (t) => {
      const undo = mutation.apply();
      try {
        const failure = await firstFailure(1, SEEDS);
        assert.ok(failure !== undefined, `${SEEDS} seeds did not find it`);
        t.diagnostic(`found by seed ${failure.seed}: ${failure.error.message.split('\n')[0]}`);
      } finally {
        undo();
      }
    });
  }

  it('tells of a seed that fails in few steps, with the command that does it again', async () => {
    const undo = MUTATIONS[0]!.apply();
    try {
      const { seed } = (await firstFailure(1, SEEDS))!;
      const story = await storyOf(seed);
      assert.match(story, new RegExp(`seed ${seed}: \\d+ of its \\d+ steps are enough`));
      assert.match(story, /\d+ ms dispatched r\d+ f\d band -?\d+ at e\d\n/);
      assert.match(story, new RegExp(`replay: npm run simulate:seeds -- --seed ${seed}$`));
    } finally {
      undo();
    }
  });
});

async function eventsOf(seed: number): Promise<string[]> {
  const events: string[] = [];
  const error = await playPlan(drawPlan(seed), (event) => events.push(`${event.atMs} ${event.kind}`));
  assert.equal(error, undefined);
  assert.ok(events.length > 0);
  return events;
}
