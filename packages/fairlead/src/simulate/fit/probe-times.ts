// SPDX-License-Identifier: Apache-2.0

/** What answers to probes say of a server, each by itself or beside others. Times are in milliseconds. */

import { nearestRank } from '../../demo/load/percentile.ts';
import { sum } from '../../demo/sum.ts';
import type { ProbeResult } from './prober.ts';

/** Differences that are less than this share of a time are noise. */
export const LEAST_SHARE = 0.1;
/** Steps of a whole batch: fewer say little of how long one takes. */
const FEWEST_STEPS = 8;

/** NaN of none. */
export function median(values: readonly number[]): number {
  return (
    nearestRank(
      values.toSorted((a, b) => a - b),
      0.5,
    ) ?? NaN
  );
}

/** When its first token came. */
export function firstMs({ tokensMs }: ProbeResult): number {
  return tokensMs[0]!;
}

export function lastMs({ tokensMs }: ProbeResult): number {
  return tokensMs.at(-1)!;
}

/** Time to first token. */
export function ttft(result: ProbeResult): number {
  return firstMs(result) - result.sentMs;
}

/** Between two tokens, less what they were held back by; never nothing. */
export function tokenMs(result: ProbeResult, heldMs = 0): number {
  return Math.max(0.01, (lastMs(result) - firstMs(result) - heldMs) / Math.max(1, result.tokensMs.length - 1));
}

/** Of its prompt, what the server had to read. */
export function readTokens({ promptTokens, cachedTokens }: ProbeResult): number {
  return promptTokens - cachedTokens;
}

/** Tokens that it had, prompt and answer, half-way through its answer. */
export function contextTokens({ promptTokens, tokensMs }: ProbeResult): number {
  return promptTokens + tokensMs.length / 2;
}

/** A step of a batch that was asked for at once: while all of its answers came, or each by itself when that was too short. */
export function stepMs(batch: readonly ProbeResult[]): number {
  const fromMs = Math.max(...batch.map(firstMs));
  const toMs = Math.min(...batch.map(lastMs));
  const tokens = sum(batch, ({ tokensMs }) => tokensMs.filter((atMs) => atMs > fromMs && atMs <= toMs).length);
  const steps = tokens / batch.length;
  return steps < FEWEST_STEPS ? median(batch.map((result) => tokenMs(result))) : (toMs - fromMs) / steps;
}

/** For each token that is read of a prompt alone; never more than a short one would then have taken in all. */
export function promptSlopeMs(short: readonly ProbeResult[], long: readonly ProbeResult[]): number {
  if (long.length === 0) return 0;
  const [shortMs, longMs] = [median(short.map(ttft)), median(long.map(ttft))];
  if (longMs - shortMs < LEAST_SHARE * longMs) return 0;
  const [shortTokens, longTokens] = [median(short.map(readTokens)), median(long.map(readTokens))];
  // The longer a prompt, the slower its tokens are read; most prompts are nearer to the short one.
  return longTokens <= shortTokens
    ? 0
    : Math.min((longMs - shortMs) / (longTokens - shortTokens), shortMs / shortTokens);
}

/** For each token that a batch has in its prompts and answers, how much longer its steps take. */
export function contextSlopeMs(
  shallow: readonly (readonly ProbeResult[])[],
  deep: readonly (readonly ProbeResult[])[],
): number {
  const [shallowMs, deepMs] = [median(shallow.map(stepMs)), median(deep.map(stepMs))];
  const [shallowTokens, deepTokens] = [median(shallow.map(batchTokens)), median(deep.map(batchTokens))];
  return deepTokens <= shallowTokens || deepMs - shallowMs < LEAST_SHARE * deepMs
    ? 0
    : (deepMs - shallowMs) / (deepTokens - shallowTokens);
}

/** Of all its answers, half-way. */
function batchTokens(batch: readonly ProbeResult[]): number {
  return sum(batch, contextTokens);
}

/** What others' prompts took that were read before its first token came, and while its answer did. */
export function othersRead(
  result: ProbeResult,
  all: readonly ProbeResult[],
  readMs: (other: ProbeResult) => number,
): { readonly beforeMs: number; readonly duringMs: number } {
  const readWithin = (fromMs: number, toMs: number): number =>
    sum(
      all.filter((other) => other !== result && firstMs(other) > fromMs && firstMs(other) <= toMs),
      readMs,
    );
  return {
    beforeMs: readWithin(result.sentMs, firstMs(result)),
    duringMs: readWithin(firstMs(result), lastMs(result)),
  };
}

/** While its answer came, on average: how many other answers came, and what all of them had by then, its own included. */
export function besides(
  result: ProbeResult,
  all: readonly ProbeResult[],
): { readonly sequences: number; readonly tokens: number } {
  const [fromMs, toMs] = [firstMs(result), lastMs(result)];
  let [sequences, tokens] = [0, contextTokens(result)];
  for (const other of all) {
    const [beginMs, endMs] = [Math.max(fromMs, firstMs(other)), Math.min(toMs, lastMs(other))];
    if (other === result || endMs <= beginMs) continue;
    const share = (endMs - beginMs) / (toMs - fromMs);
    const midMs = (beginMs + endMs) / 2;
    sequences += share;
    tokens += share * (other.promptTokens + other.tokensMs.filter((atMs) => atMs <= midMs).length);
  }
  return { sequences, tokens };
}

/** Of the logarithm of how long each took, beside how long it should have. */
export function deviation(results: readonly ProbeResult[], expectedMs: (result: ProbeResult) => number): number {
  const logs = results.map((result) => Math.log((result.endMs - result.sentMs) / Math.max(0.01, expectedMs(result))));
  const mean = sum(logs, (log) => log) / logs.length;
  return Math.sqrt(sum(logs, (log) => (log - mean) ** 2) / logs.length);
}
