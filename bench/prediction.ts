// SPDX-License-Identifier: Apache-2.0

/**
 * Does a simulation predict what happens? The same tenants and the same configuration, over sockets (model servers,
 * gateway and clients, each for real) and in `fairlead simulate`: shares of tenants and medians of waits are compared.
 * The simulation comes first, and knows of the servers what they were told, or what `--fit` found. Each round has new
 * servers; one in which others took much more of the processors, or much less, than when these were fitted says nothing
 * of the simulation, and is not counted.
 */

import { noLlamaServer } from '../test/kit/llama-server.ts';
import type { Benchmark, BenchmarkContext } from './harness/benchmark.ts';
import { measurement } from './harness/benchmark.ts';
import { llamaServer, modelServers } from './harness/predicted-stage.ts';
import type { Stage } from './harness/predicted-stage.ts';
import { really, rehearsed, simulated, TENANTS } from './harness/prediction-run.ts';
import type { Figures } from './harness/prediction-run.ts';
import { runAsMain } from './harness/run-benchmark.ts';

const ROUNDS = 3;
/** Begun, until there are so many that count. */
const MOST_ROUNDS = 5;
/** A run of shorter rounds only shows that all of this works, with one round. */
const SHORT_S = 15;

/** Of the real share, and of the real wait: how far off a prediction may be. */
const ALLOWED = { 'model-servers': { share: 0.03, wait: 0.15 }, 'llama.cpp': { share: 0.05, wait: 0.25 } } as const;

interface Round {
  readonly real: Figures;
  readonly said: Figures;
}

const prediction: Benchmark = {
  name: 'prediction',
  summary:
    'three tenants of unlike requests and weights, for real and simulated: model servers, and llama.cpp as it was fitted',
  seconds: 30,
  scenarios: Object.keys(ALLOWED),
  targets: Object.entries(ALLOWED).flatMap(([scenario, { share, wait }]) =>
    TENANTS.flatMap(({ name }) => [
      { scenario: `${scenario}/${name}-share`, atLeast: 1 - share, atMost: 1 + share },
      { scenario: `${scenario}/${name}-wait-p50`, atLeast: 1 - wait, atMost: 1 + wait },
    ]),
  ),
  async run(context) {
    if (context.wants('model-servers')) await compare('model-servers', modelServers, context);
    if (!context.wants('llama.cpp')) return;
    if (noLlamaServer === false) await compare('llama.cpp', (seed) => llamaServer(context, seed), context);
    else context.say(noLlamaServer);
  },
};

/** Reports the medians of the rounds that count. */
async function compare(
  scenario: string,
  start: (seed: number) => Promise<Stage>,
  context: BenchmarkContext,
): Promise<void> {
  const rounds: Round[] = [];
  const most = context.seconds < SHORT_S ? 1 : MOST_ROUNDS;
  for (let seed = 1; seed <= most && rounds.length < ROUNDS && !context.stop.aborted; seed += 1) {
    const round = await played(await start(seed), seed, context);
    if (round !== undefined) rounds.push(round);
  }
  if (rounds.length === 0) return context.say(`${scenario}: nothing was measured, others disturbed every round`);
  for (const { name } of TENANTS) {
    const report = (what: string, of: 'share' | 'waitP50Ms'): void => {
      const ratios = rounds.map(({ real, said }) => said.get(name)![of] / real.get(name)![of]);
      context.report(measurement(`${scenario}/${name}-${what}`, '× the real', ratios));
    };
    report('share', 'share');
    report('wait-p50', 'waitP50Ms');
  }
}

/** Undefined when others disturbed it. Ends the stage. */
async function played(stage: Stage, seed: number, context: BenchmarkContext): Promise<Round | undefined> {
  const { seconds, stop, say } = context;
  try {
    const sizes = await rehearsed(stage, seed, stop);
    const said = await simulated(stage, { sizes, seconds, seed });
    const { figures: real, foreign } = await really(stage, { seed, seconds, stop });
    for (const { name } of TENANTS) {
      say(`${stage.name}, ${name}: ${figureText(real, name)} for real, ${figureText(said, name)} simulated`);
    }
    const { name, foreignBefore, mostChange } = stage;
    say(`${name}: others took ${foreign.toFixed(2)} processors, and ${foreignBefore.toFixed(2)} before`);
    if (!(Math.abs(foreign - foreignBefore) > mostChange)) return { real, said };
    say(`${name}: not counted, a difference of more than ${mostChange}`);
    return undefined;
  } finally {
    await stage.stop();
  }
}

function figureText(figures: Figures, name: string): string {
  const { share, waitP50Ms } = figures.get(name)!;
  return `${(share * 100).toFixed(1)} % and ${Math.round(waitP50Ms)} ms`;
}

await runAsMain(prediction);
