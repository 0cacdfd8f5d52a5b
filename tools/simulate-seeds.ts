// SPDX-License-Identifier: Apache-2.0

/**
 * `npm run simulate:seeds -- [--seeds N] [--from SEED] [--seed SEED]`: plays seeds of the simulation in
 * `test/simulation/` until one fails, then each mutation until a seed finds it. With `--seed` one seed alone, told step by
 * step when it fails. Exits 1 when a seed failed or a mutation was not found.
 */

import { parseArgs } from 'node:util';
import { MUTATIONS } from '../test/simulation/mutations.ts';
import { firstFailure, storyOf } from '../test/simulation/seeds.ts';

/** Seeds within which every mutation has to be found. */
const MUTATION_SEEDS = 300;

const numeral = { type: 'string' } as const;
const { values } = parseArgs({ options: { seeds: numeral, from: numeral, seed: numeral } });

function numberOf(name: 'seeds' | 'from' | 'seed', least: number): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= least) return number;
  console.error(`--${name} must be a whole number of at least ${least}, got ${text}`);
  process.exit(2);
}

async function playSeeds(first: number, count: number): Promise<boolean> {
  const startedMs = performance.now();
  const failure = await firstFailure(first, count);
  if (failure !== undefined) console.log(await storyOf(failure.seed));
  const played = failure === undefined ? count : failure.seed - first + 1;
  console.log(`${played} seeds from ${first} in ${seconds(startedMs)} s: ${failure === undefined ? 'ok' : 'FAILED'}`);
  return failure === undefined;
}

async function findMutations(): Promise<boolean> {
  const startedMs = performance.now();
  let survivors = 0;
  for (const { does, apply } of MUTATIONS) {
    const undo = apply();
    const failure = await firstFailure(1, MUTATION_SEEDS);
    undo();
    if (failure === undefined) survivors += 1;
    const seeds = failure === undefined ? 'SURVIVED' : `${failure.seed} seeds`;
    console.log(`${seeds.padStart(9)}  ${does}`);
  }
  const found = MUTATIONS.length - survivors;
  console.log(`${found} of ${MUTATIONS.length} mutations found in ${seconds(startedMs)} s`);
  return survivors === 0;
}

function seconds(sinceMs: number): string {
  return ((performance.now() - sinceMs) / 1000).toFixed(1);
}

const one = numberOf('seed', 0);
if (one !== undefined) {
  console.log(await storyOf(one));
  process.exit((await firstFailure(one, 1)) === undefined ? 0 : 1);
}
const isSound = await playSeeds(numberOf('from', 0) ?? 1, numberOf('seeds', 1) ?? 10_000);
process.exit(isSound && (await findMutations()) ? 0 : 1);
