// SPDX-License-Identifier: Apache-2.0

/**
 * `npm run simulate:seeds -- [--of NAME] [--seeds N] [--from SEED] [--seed SEED]`: plays seeds of the simulations in
 * `test/simulation/` until one fails, then each mutation until a seed finds it; of one simulation or of all. With
 * `--seed` one seed alone, told step by step when it fails. Exits 1 when a seed failed or a mutation was not found.
 */

import { parseArgs } from 'node:util';
import { GAMES, type Played } from '../test/simulation/games.ts';
import { firstFailure, storyOf } from '../test/simulation/seeds.ts';

/** Seeds within which every mutation has to be found. */
const MUTATION_SEEDS = 300;

const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { of: text, seeds: text, from: text, seed: text } });

function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}

function numberOf(name: 'seeds' | 'from' | 'seed', least: number): number | undefined {
  const given = values[name];
  if (given === undefined) return undefined;
  const number = Number(given);
  if (Number.isSafeInteger(number) && number >= least) return number;
  return refuse(`--${name} must be a whole number of at least ${least}, got ${given}`);
}

async function playSeeds({ game }: Played, first: number, count: number): Promise<boolean> {
  const startedMs = performance.now();
  const failure = await firstFailure(game, first, count);
  if (failure !== undefined) console.log(await storyOf(game, failure.seed));
  const played = failure === undefined ? count : failure.seed - first + 1;
  const verdict = failure === undefined ? 'ok' : 'FAILED';
  console.log(`${game.name}: ${played} seeds from ${first} in ${seconds(startedMs)} s: ${verdict}`);
  return failure === undefined;
}

async function findMutations({ game, mutations }: Played): Promise<boolean> {
  const startedMs = performance.now();
  let survivors = 0;
  for (const { does, apply } of mutations) {
    const undo = apply();
    const failure = await firstFailure(game, 1, MUTATION_SEEDS);
    undo();
    if (failure === undefined) survivors += 1;
    const seeds = failure === undefined ? 'SURVIVED' : `${failure.seed} seeds`;
    console.log(`${seeds.padStart(9)}  ${does}`);
  }
  const found = mutations.length - survivors;
  console.log(`${game.name}: ${found} of ${mutations.length} mutations found in ${seconds(startedMs)} s`);
  return survivors === 0;
}

function seconds(sinceMs: number): string {
  return ((performance.now() - sinceMs) / 1000).toFixed(1);
}

const names = GAMES.map(({ game }) => game.name);
const chosen = GAMES.filter(({ game }) => values.of === undefined || game.name === values.of);
if (chosen.length === 0) refuse(`--of must be one of ${names.join(', ')}, got ${values.of}`);
const one = numberOf('seed', 0);
let isSound = true;
for (const played of chosen) {
  if (one !== undefined) {
    console.log(await storyOf(played.game, one));
    isSound = (await firstFailure(played.game, one, 1)) === undefined && isSound;
  } else {
    const areKept = await playSeeds(played, numberOf('from', 0) ?? 1, numberOf('seeds', 1) ?? 10_000);
    isSound = areKept && (await findMutations(played)) && isSound;
  }
}
process.exit(isSound ? 0 : 1);
