// SPDX-License-Identifier: Apache-2.0

/**
 * Flow control, and the director with all of it, under everything at once, a few hundred times:
 * `npm run simulate:seeds` does the same with 10 000 seeds. And the proof that the simulations are not blind.
 */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GAMES } from './games.ts';
import { firstFailure, playPlan, storyOf, type Game } from './seeds.ts';

const SEEDS = 300;

for (const { game, mutations } of GAMES) {
  describe(`A simulation of ${game.name}`, () => {
    it('finds every invariant kept under arrivals, clients that leave, deadlines, reloads, faults and shutdown', async () => {
      const failure = await firstFailure(game, 1, SEEDS);
      if (failure !== undefined) assert.fail(await storyOf(game, failure.seed));
    });

    it('does the same again for the same seed', async () => {
      for (const seed of [3, 14, 15]) assert.deepEqual(await eventsOf(game, seed), await eventsOf(game, seed));
    });

    for (const mutation of mutations) {
      it(`notices one that would ${mutation.does}`, async (t) => {
        const undo = mutation.apply();
        try {
          const failure = await firstFailure(game, 1, SEEDS);
          assert.ok(failure !== undefined, `${SEEDS} seeds did not find it`);
          t.diagnostic(`found by seed ${failure.seed}: ${failure.error.message.split('\n')[0]}`);
        } finally {
          undo();
        }
      });
    }

    it('tells of a seed that fails in few steps, with the command that does it again', async () => {
      const undo = mutations[0]!.apply();
      try {
        const { seed } = (await firstFailure(game, 1, SEEDS))!;
        const story = await storyOf(game, seed);
        assert.match(story, new RegExp(`seed ${seed}: \\d+ of its \\d+ steps are enough`));
        assert.match(story, /\d+ ms enqueued r\d+ \w+ band -?\d+\n/);
        assert.match(story, new RegExp(`replay: npm run simulate:seeds -- --of ${game.name} --seed ${seed}$`));
      } finally {
        undo();
      }
    });
  });
}

async function eventsOf(game: Game, seed: number): Promise<string[]> {
  const events: string[] = [];
  const error = await playPlan(game, game.draw(seed), (event) => events.push(`${event.atMs} ${event.kind}`));
  assert.equal(error, undefined);
  assert.ok(events.length > 0);
  return events;
}
