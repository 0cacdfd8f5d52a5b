// SPDX-License-Identifier: Apache-2.0

/**
 * One run of a load against one target: warm-up, the measured window, the answers still owed to the interactive tenant,
 * and an idle fleet at the end.
 */

import type { EngineLoad } from '../../packages/fairlead/src/demo/fleet/engine-load.ts';
import { INTERACTIVE } from '../../packages/fairlead/src/demo/demo-tenants.ts';
import { Load } from '../../packages/fairlead/src/demo/load/load.ts';
import { nearestRank } from '../../packages/fairlead/src/demo/load/percentile.ts';
import { Tally } from '../../packages/fairlead/src/demo/load/tally.ts';
import type { Tenant } from '../../packages/fairlead/src/demo/load/tenant.ts';
import { rest } from '../../packages/fairlead/src/demo/rest.ts';

/** Requests asked within the window may take so long after it. */
const LAST_ANSWERS_MS = 15_000;
const IDLE_LIMIT_MS = 10_000;
const IDLE_POLL_MS = 50;
/** The run is looked at in so many parts of equal length for its spread. */
const PARTS = 3;
/** One client, before anything is counted: first requests compile code on both sides. */
const WARM_UP_MS = 500;

export interface FloodRun {
  readonly baseUrl: string;
  readonly model: string;
  readonly tenants: readonly Tenant[];
  readonly seed: number;
  readonly seconds: number;
  readonly stop: AbortSignal;
  readonly fleetLoad: () => Promise<EngineLoad | undefined>;
}

/** A figure of the whole run, and how far its parts lie apart. */
export interface Spread {
  readonly value: number;
  readonly spread: number;
}

export interface FloodFigures {
  readonly tokensPerS: Spread;
  /** Of the interactive tenant; NaN without one. */
  readonly ttftP50Ms: Spread;
  readonly ttftP99Ms: Spread;
  readonly failed: number;
  /** For people. */
  readonly summary: string;
}

/** Runs it to its end, or until stopped; the fleet is idle before and after. */
export async function runFlood(run: FloodRun): Promise<FloodFigures> {
  await warmUp(run);
  await fleetIdle(run);
  const whole = new Tally();
  const parts: Part[] = [];
  const load = new Load({ ...run, tally: whole });
  try {
    load.start();
    for (let part = 0; part < PARTS && !run.stop.aborted; part++) {
      const from = mark(whole);
      await rest(((part + 1) * run.seconds * 1000) / PARTS - whole.secondsSinceStart * 1000, run.stop);
      parts.push(between(from, mark(whole)));
    }
    whole.closeWindow();
    load.pauseArrivals();
    await rest(LAST_ANSWERS_MS, run.stop, load.openRequestsBegun());
  } finally {
    await load.stop();
  }
  await fleetIdle(run);
  return figuresOf(whole, parts);
}

interface Mark {
  readonly seconds: number;
  readonly tokens: number;
  readonly ttfts: number;
}

interface Part {
  readonly tokensPerS: number;
  readonly ttftMs: readonly number[];
}

function mark(tally: Tally): Mark & { ttftMs: readonly number[] } {
  const { ttftMs } = tally.of(INTERACTIVE.name);
  let tokens = 0;
  for (const tenant of tally.tenants.values()) tokens += tenant.tokens;
  return { seconds: tally.secondsSinceStart, tokens, ttfts: ttftMs.length, ttftMs };
}

function between(from: Mark, to: Mark & { ttftMs: readonly number[] }): Part {
  return {
    tokensPerS: (to.tokens - from.tokens) / (to.seconds - from.seconds),
    ttftMs: to.ttftMs.slice(from.ttfts, to.ttfts),
  };
}

function figuresOf(whole: Tally, parts: readonly Part[]): FloodFigures {
  const interactive = whole.of(INTERACTIVE.name);
  const percentile = (share: number): Spread => {
    const at = (ttftMs: readonly number[]): number =>
      nearestRank(
        ttftMs.toSorted((a, b) => a - b),
        share,
      ) ?? NaN;
    return { value: at(interactive.ttftMs), spread: range(parts.map((part) => at(part.ttftMs))) };
  };
  const tenants = [...whole.tenants].filter(([, tenant]) => tenant.requests > 0);
  const failed = tenants.reduce((sum, [, tenant]) => sum + tenant.failed, 0);
  const counts = tenants.map(
    ([name, { ok, failed: bad, cancelled, unanswered, reasons }]) =>
      `${name} ${ok} ok, ${bad} failed${[...reasons].map(([why, count]) => ` (${count} × ${why})`).join('')}, ` +
      `${cancelled} cancelled at the end${unanswered > 0 ? ` (${unanswered} unanswered)` : ''}`,
  );
  return {
    tokensPerS: { value: whole.tokensPerS, spread: range(parts.map((part) => part.tokensPerS)) },
    ttftP50Ms: percentile(0.5),
    ttftP99Ms: percentile(0.99),
    failed,
    summary: `${Math.round(whole.tokensPerS)} tokens/s; ${counts.join('; ')}`,
  };
}

function range(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.length === 0 ? 0 : Math.max(...known) - Math.min(...known);
}

async function warmUp(run: FloodRun): Promise<void> {
  const tenants = run.tenants.map((tenant): Tenant => ({
    ...tenant,
    arrivals: { kind: 'closed', loops: 1, thinkMs: 0 },
    outputTokens: { min: 2, max: 2 },
  }));
  const load = new Load({ ...run, tenants, tally: new Tally() });
  load.start();
  await rest(WARM_UP_MS, run.stop);
  await load.stop();
}

/** What one run left in the engines' queues would be charged to the next. */
export async function fleetIdle(run: Pick<FloodRun, 'stop' | 'fleetLoad'>): Promise<void> {
  const untilMs = performance.now() + IDLE_LIMIT_MS;
  while (!run.stop.aborted) {
    const load = await run.fleetLoad();
    if (load !== undefined && load.running + load.waiting === 0) return;
    if (performance.now() > untilMs) throw new Error(`the fleet is not idle after ${IDLE_LIMIT_MS / 1000} s`);
    await rest(IDLE_POLL_MS, run.stop);
  }
}
