// SPDX-License-Identifier: Apache-2.0

/**
 * A fleet model from a real model server, by asking it for a minute. Alone it is asked short and long prompts, for what a
 * prompt costs; then ever more at once, until some have to wait for others, for its slots; then as many as it has slots
 * without a pause, for what a token and a first token cost in a full batch: who simulates contention simulates that.
 */

import type { Random } from '@fairlead/core';
import { nearestRank } from '../../demo/load/percentile.ts';
import { ProbeError } from './prober.ts';
import type { Probe, Prober, ProbeResult } from './prober.ts';

/** As in the section `fleet` of a scenario; times in milliseconds. */
export interface FittedFleet {
  readonly slots: number;
  /** No number of requests that was tried had one of them wait: there are at least so many slots. */
  readonly hasMoreSlots: boolean;
  readonly prefillMs: number;
  /** 0: prompts cost nothing by their length. */
  readonly prefillTokensPerS: number;
  readonly prefillStopsDecode: boolean;
  readonly tokenMs: number;
  readonly batchSlowdown: number;
  readonly noise: number;
}

const SHORT_WORDS = 16;
/** Tried in turn until the server takes one. */
const LONG_WORDS = [1500, 400, 100] as const;
const ALONE_TOKENS = 32;
const ALONE_TIMES = 6;
const LONG_TIMES = 4;
/** No phase that repeats goes on for longer. */
const PHASE_MS = 12_000;
const MOST_AT_ONCE = 256;
const FULL_MS = 15_000;
/** An answer while slots are looked for takes at least so many times as long as a first token: all of a batch have theirs then. */
const ANSWER_PER_TTFT = 12;
/** What joins a full batch keeps it back when tokens take so much longer than in one that nobody joins. */
const STOPS = 1.15;
/** Differences between prompts that are less than this share of their times are noise. */
const LEAST_SHARE = 0.1;

export interface FitOptions {
  readonly prober: Prober;
  readonly random: Random;
  readonly onStep: (what: string) => void;
  /** How long the last step takes, in which all slots are busy. */
  readonly fullMs?: number;
}

/** Probes. @throws {ProbeError} when the server does not answer as it has to. */
export async function fitFleet({ prober, random, onStep, fullMs = FULL_MS }: FitOptions): Promise<FittedFleet> {
  onStep('one short prompt after the other');
  await prober.ask({ promptWords: SHORT_WORDS, outputTokens: 2 });
  const short = await repeated(prober, { promptWords: SHORT_WORDS, outputTokens: ALONE_TOKENS }, ALONE_TIMES);
  const tokenMs = median(short.map(tokenTime));
  onStep('long prompts');
  const long = await longPrompts(prober);
  const msPerToken = promptSlope(short, long);
  const answerMs = ANSWER_PER_TTFT * median(short.map(ttft));
  const outputTokens = Math.min(256, Math.max(16, Math.ceil(answerMs / tokenMs)));
  const { slots, hasMoreSlots } = await findSlots({ prober, onStep, outputTokens });
  const still = await prober.askAll(slots, { promptWords: SHORT_WORDS, outputTokens });
  onStep(`${slots} at once without a pause`);
  const full = await fullBatch(prober, { slots, outputTokens, random, fullMs });
  const [stillTokenMs, joinedTokenMs] = [median(still.map(tokenTime)), median(full.map(tokenTime))];
  const prefillStopsDecode = msPerToken > 0 && joinedTokenMs > STOPS * stillTokenMs;
  const fullTokenMs = prefillStopsDecode ? stillTokenMs : joinedTokenMs;
  const fixed = (results: readonly ProbeResult[]): number =>
    median(results.map((result) => Math.max(0, ttft(result) - result.promptTokens * msPerToken)));
  // In a full batch it waits for the prompts of others as well, which are counted there then, and for the step under way.
  const prefillMs = prefillStopsDecode ? fixed(short) + stillTokenMs : fixed(full);
  return {
    slots,
    hasMoreSlots,
    prefillMs,
    prefillTokensPerS: msPerToken === 0 ? 0 : 1000 / msPerToken,
    prefillStopsDecode,
    tokenMs: Math.min(tokenMs, fullTokenMs),
    batchSlowdown: slots === 1 ? 0 : Math.max(0, fullTokenMs / tokenMs - 1),
    noise: deviation(
      full,
      (result) => prefillMs + result.promptTokens * msPerToken + joinedTokenMs * (result.outputTokens - 1),
    ),
  };
}

function ttft({ sentMs, firstMs }: ProbeResult): number {
  return firstMs - sentMs;
}

function tokenTime({ firstMs, endMs, outputTokens }: ProbeResult): number {
  return Math.max(0.01, (endMs - firstMs) / Math.max(1, outputTokens - 1));
}

async function repeated(prober: Prober, probe: Probe, times: number): Promise<ProbeResult[]> {
  const results: ProbeResult[] = [];
  const untilMs = performance.now() + PHASE_MS;
  while (results.length === 0 || (results.length < times && performance.now() < untilMs)) {
    results.push(await prober.ask(probe));
  }
  return results;
}

/** The longest that it takes; none when it takes no long ones. */
async function longPrompts(prober: Prober): Promise<ProbeResult[]> {
  for (const promptWords of LONG_WORDS) {
    try {
      return await repeated(prober, { promptWords, outputTokens: 2 }, LONG_TIMES);
    } catch (error) {
      if (!(error instanceof ProbeError)) throw error;
    }
  }
  return [];
}

/** Milliseconds for each token of a prompt; never more than a short one would then have taken in all. */
function promptSlope(short: readonly ProbeResult[], long: readonly ProbeResult[]): number {
  if (long.length === 0) return 0;
  const [shortMs, longMs] = [median(short.map(ttft)), median(long.map(ttft))];
  if (longMs - shortMs < LEAST_SHARE * longMs) return 0;
  const [shortTokens, longTokens] = [short, long].map((results) =>
    median(results.map((each) => each.promptTokens)),
  ) as [number, number];
  // The longer a prompt, the slower its tokens are read; most prompts are nearer to the short one.
  return longTokens <= shortTokens
    ? 0
    : Math.min((longMs - shortMs) / (longTokens - shortTokens), shortMs / shortTokens);
}

/** Who has his first token only after another one's last has waited for that one's slot. */
async function findSlots(parts: {
  readonly prober: Prober;
  readonly onStep: (what: string) => void;
  readonly outputTokens: number;
}): Promise<{ slots: number; hasMoreSlots: boolean }> {
  const { prober, onStep, outputTokens } = parts;
  const untilMs = performance.now() + 2 * PHASE_MS;
  let count = 2;
  for (; ; count *= 2) {
    onStep(`${count} at once`);
    const results = await prober.askAll(count, { promptWords: SHORT_WORDS, outputTokens });
    const firstEndMs = Math.min(...results.map(({ endMs }) => endMs));
    const waited = results.filter(({ firstMs }) => firstMs >= firstEndMs).length;
    if (waited > 0) return { slots: Math.max(1, count - waited), hasMoreSlots: false };
    if (count >= MOST_AT_ONCE || performance.now() > untilMs) return { slots: count, hasMoreSlots: true };
  }
}

/** Keeps all slots busy with answers of different lengths, so that they end at different times. */
async function fullBatch(
  prober: Prober,
  options: { readonly slots: number; readonly outputTokens: number; readonly random: Random; readonly fullMs: number },
): Promise<ProbeResult[]> {
  const { slots, outputTokens, random, fullMs } = options;
  const untilMs = performance.now() + fullMs;
  const results: ProbeResult[] = [];
  const loop = async (): Promise<void> => {
    do {
      const tokens = Math.ceil(outputTokens * (0.5 + random()));
      const result = await prober.ask({ promptWords: SHORT_WORDS, outputTokens: tokens });
      // When the first of the others has stopped, the batch is not full any more.
      if (result.endMs < untilMs || results.length === 0) results.push(result);
    } while (performance.now() < untilMs);
  };
  await Promise.all(Array.from({ length: slots }, loop));
  return results;
}

function median(values: readonly number[]): number {
  return (
    nearestRank(
      values.toSorted((a, b) => a - b),
      0.5,
    ) ?? NaN
  );
}

/** Of the logarithm of how long each took, beside how long it should have. */
function deviation(results: readonly ProbeResult[], expectedMs: (result: ProbeResult) => number): number {
  const logs = results.map((result) => Math.log((result.endMs - result.sentMs) / Math.max(0.01, expectedMs(result))));
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
  return Math.sqrt(logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / logs.length);
}
