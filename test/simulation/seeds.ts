// SPDX-License-Identifier: Apache-2.0

/** Seeds are played, and one that fails is told of in as few steps as still fail, as lines that fit a terminal. */

import type { FlowEvent } from '@fairlead/core';
import { drawPlan, type Plan, type Step } from './plan.ts';
import { SimulatedRun } from './simulated-run.ts';

/** What went wrong; undefined when nothing did. */
export async function playPlan(plan: Plan, onEvent?: (event: FlowEvent) => void): Promise<Error | undefined> {
  try {
    const run = new SimulatedRun(plan, onEvent);
    for (const step of plan.steps) run.play(step);
    await run.finish();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** The first of the seeds that fails, with what went wrong; undefined when none does. */
export async function firstFailure(
  first: number,
  count: number,
): Promise<{ readonly seed: number; readonly error: Error } | undefined> {
  for (let seed = first; seed < first + count; seed += 1) {
    const error = await playPlan(drawPlan(seed));
    if (error !== undefined) return { seed, error };
  }
  return undefined;
}

/** A plan that still fails with as few of its steps as leaving out ever smaller runs of them gives. */
async function shrunk(plan: Plan): Promise<Plan> {
  let { steps } = plan;
  for (let length = steps.length >> 1; length >= 1; length >>= 1) {
    for (let from = 0; from < steps.length;) {
      const fewer = [...steps.slice(0, from), ...steps.slice(from + length)];
      if ((await playPlan({ ...plan, steps: fewer })) === undefined) from += length;
      else steps = fewer;
    }
  }
  return { ...plan, steps };
}

/** The story of a seed that fails: steps, what happened in each, and what was wrong at the end. */
export async function storyOf(seed: number): Promise<string> {
  const whole = drawPlan(seed);
  if ((await playPlan(whole)) === undefined) return `seed ${seed}: nothing is wrong`;
  const plan = await shrunk(whole);
  const { judge, endpoints } = plan;
  const lines = [
    `seed ${seed}: ${plan.steps.length} of its ${whole.steps.length} steps are enough`,
    `  ${endpoints} endpoints, ${compact(judge)}`,
    `  ${compact(plan.config)}`,
  ];
  const error = await playPlan(withLines(plan, lines), (event) => lines.push(`      ${lineOf(event)}`));
  return [...lines, `  ${error?.message ?? 'nothing is wrong any more'}`, `replay: ${replayCommand(seed)}`].join('\n');
}

export function replayCommand(seed: number): string {
  return `npm run simulate:seeds -- --seed ${seed}`;
}

/** The plan, whose steps leave a line when they are taken. */
function withLines(plan: Plan, lines: string[]): Plan {
  const steps: Iterable<Step> = {
    *[Symbol.iterator]() {
      for (const step of plan.steps) {
        lines.push(`  ${compact(step)}`);
        yield step;
      }
      lines.push('  finish');
    },
  };
  return { ...plan, steps: steps as Plan['steps'] };
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
