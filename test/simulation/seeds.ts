// SPDX-License-Identifier: Apache-2.0

/** Seeds are played, and one that fails is told of in as few steps as still fail, as lines that fit a terminal. */

import type { FlowEvent } from '@fairlead/core';

type OnEvent = (event: FlowEvent) => void;

/** What is drawn from a seed: steps, and what they are taken in. */
export interface AnyPlan<S extends object = object> {
  readonly seed: number;
  readonly steps: readonly S[];
}

/** One way to play seeds. */
export interface Game<P extends AnyPlan = AnyPlan> {
  /** As `--of` calls it. */
  readonly name: string;
  draw(seed: number): P;
  /** Ready for the steps; `finish` is called when all have been taken. All throw when something is wrong. */
  start(plan: P, onEvent?: OnEvent): Promise<{ play(step: P['steps'][number]): void; finish(): Promise<void> }>;
}

/** What went wrong; undefined when nothing did. */
export async function playPlan<P extends AnyPlan>(
  game: Game<P>,
  plan: P,
  onEvent?: OnEvent,
): Promise<Error | undefined> {
  try {
    const run = await game.start(plan, onEvent);
    for (const step of plan.steps) run.play(step);
    await run.finish();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** The first of the seeds that fails, with what went wrong; undefined when none does. */
export async function firstFailure<P extends AnyPlan>(
  game: Game<P>,
  first: number,
  count: number,
): Promise<{ readonly seed: number; readonly error: Error } | undefined> {
  for (let seed = first; seed < first + count; seed += 1) {
    const error = await playPlan(game, game.draw(seed));
    if (error !== undefined) return { seed, error };
  }
  return undefined;
}

/** A plan that still fails with as few of its steps as leaving out ever smaller runs of them gives. */
async function shrunk<P extends AnyPlan>(game: Game<P>, plan: P): Promise<P> {
  let { steps } = plan;
  for (let length = steps.length >> 1; length >= 1; length >>= 1) {
    for (let from = 0; from < steps.length;) {
      const fewer = [...steps.slice(0, from), ...steps.slice(from + length)];
      if ((await playPlan(game, { ...plan, steps: fewer })) === undefined) from += length;
      else steps = fewer;
    }
  }
  return { ...plan, steps };
}

/** The story of a seed that fails: steps, what happened in each, and what was wrong at the end. */
export async function storyOf<P extends AnyPlan>(game: Game<P>, seed: number): Promise<string> {
  const whole = game.draw(seed);
  if ((await playPlan(game, whole)) === undefined) return `seed ${seed}: nothing is wrong`;
  const plan = await shrunk(game, whole);
  const about = Object.entries(plan).filter(([name]) => name !== 'seed' && name !== 'steps');
  const lines = [
    `seed ${seed}: ${plan.steps.length} of its ${whole.steps.length} steps are enough`,
    `  ${compact(Object.fromEntries(about))}`,
  ];
  const error = await playPlan(game, withLines(plan, lines), (event) => lines.push(`      ${lineOf(event)}`));
  const replay = `replay: ${replayCommand(game, seed)}`;
  return [...lines, `  ${error?.message ?? 'nothing is wrong any more'}`, replay].join('\n');
}

export function replayCommand(game: Pick<Game, 'name'>, seed: number): string {
  return `npm run simulate:seeds -- --of ${game.name} --seed ${seed}`;
}

/** The plan, whose steps leave a line when they are taken. */
function withLines<P extends AnyPlan>(plan: P, lines: string[]): P {
  const steps: Iterable<object> = {
    *[Symbol.iterator]() {
      for (const step of plan.steps) {
        lines.push(`  ${compact(step)}`);
        yield step;
      }
      lines.push('  finish');
    },
  };
  return { ...plan, steps: steps as P['steps'] };
}

function compact(value: object): string {
  return Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .map(([name, field]) => (name === 'do' ? String(field) : `${name}=${fieldOf(field)}`))
    .join(' ');
}

function fieldOf(field: unknown): string {
  if (Array.isArray(field)) return `[${field.map(fieldOf).join(' | ')}]`;
  return typeof field === 'object' && field !== null ? `{${compact(field)}}` : String(field);
}

function lineOf(event: FlowEvent): string {
  const { kind, atMs } = event;
  const words: (string | number | undefined)[] = [`${atMs} ms`, kind];
  if ('request' in event) words.push(event.request.id, event.request.fairnessId);
  if ('fairnessId' in event) words.push(event.fairnessId);
  if ('band' in event) words.push(`band ${event.band}`);
  if ('endpoint' in event) words.push(`at ${event.endpoint.name}`);
  if ('cause' in event) words.push(event.cause);
  if ('why' in event) words.push(event.why);
  if ('ending' in event) words.push(event.ending);
  return words.join(' ');
}
