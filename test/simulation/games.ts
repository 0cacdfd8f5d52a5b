// SPDX-License-Identifier: Apache-2.0

/** What seeds can be played of, and the bugs that each of them has to find. */

import { configsWith } from './director/configs.ts';
import { DirectorRun } from './director/director-run.ts';
import { DIRECTOR_MUTATIONS } from './director/director-mutations.ts';
import { drawDirectorPlan } from './director/plan.ts';
import { Dice } from './dice.ts';
import { MUTATIONS } from './mutations.ts';
import type { Mutation } from './mutation.ts';
import { drawPlan } from './plan.ts';
import type { Game } from './seeds.ts';
import { SimulatedRun } from './simulated-run.ts';

/** The flow controller with its placement and plugins. */
const flowControl: Game<ReturnType<typeof drawPlan>> = {
  name: 'flow-control',
  draw: drawPlan,
  start: (plan, onEvent) => Promise.resolve(new SimulatedRun(plan, onEvent)),
};

/** The director with all of that, in front of servers. */
const director: Game<ReturnType<typeof drawDirectorPlan>> = {
  name: 'director',
  draw: drawDirectorPlan,
  start: async (plan, onEvent) => new DirectorRun(plan, await configsWith(new Dice(plan.seed + 0.25).random), onEvent),
};

export interface Played {
  readonly game: Game;
  readonly mutations: readonly Mutation[];
}

export const GAMES: readonly Played[] = [
  { game: flowControl, mutations: MUTATIONS },
  { game: director, mutations: DIRECTOR_MUTATIONS },
];
