// SPDX-License-Identifier: Apache-2.0

/**
 * Asks a server for a minute. Alone, short and long prompts, for what a prompt costs; some prompts twice, for what it keeps
 * of them; then ever more at once, until some have to wait for others, for its slots; then as many as it has slots, with
 * short prompts and with longer ones, for what a token costs in a full batch and by what the batch has read; at last as
 * many without a pause, with prompts of all lengths, for what those who join cost themselves and the others: who simulates
 * contention simulates that.
 */

import type { Random } from '@fairlead/core';
import { sum } from '../../demo/sum.ts';
import { firstMs, median, promptSlopeMs, readTokens, stepMs, tokenMs, ttft } from './probe-times.ts';
import { ProbeError } from './prober.ts';
import type { Probe, ProbePort, ProbeResult } from './prober.ts';

/** What came. */
export interface Observed {
  /** Alone. */
  readonly short: readonly ProbeResult[];
  /** Alone; none when it takes no long ones. */
  readonly long: readonly ProbeResult[];
  readonly slots: number;
  /** No number of requests that was tried had one of them wait: there are at least so many slots. */
  readonly hasMoreSlots: boolean;
  /** Full batches, each asked for at once, with short prompts. */
  readonly shallow: readonly (readonly ProbeResult[])[];
  /** The same with longer ones. */
  readonly deep: readonly (readonly ProbeResult[])[];
  /** One by one, so that all slots were always taken. */
  readonly full: readonly ProbeResult[];
  /** Tokens that it had of prompts when they came again. */
  readonly keptTokens: readonly number[];
  /** So many tokens later it still had a prompt; 0: no more. */
  readonly keptFor: number;
}

export interface ProbeOptions {
  readonly prober: ProbePort;
  readonly random: Random;
  readonly onStep: (what: string) => void;
  /** How long the last step takes, in which all slots are busy. */
  readonly fullMs?: number;
}

const SHORT_WORDS = 16;
/** Tried in turn until the server takes one. */
const LONG_WORDS = [1500, 400, 100] as const;
/** Of prompts that are asked twice. */
const TWICE_WORDS = [17, 24, 35, 47] as const;
const ALONE_TOKENS = 32;
const ALONE_TIMES = 12;
const LONG_TIMES = 2;
const BATCH_TIMES = 6;
/** No phase that repeats goes on for longer. */
const PHASE_MS = 12_000;
const MOST_AT_ONCE = 256;
const FULL_MS = 15_000;
/** An answer while slots are looked for takes at least so many times as long as a first token: all of a batch have theirs then. */
const ANSWER_PER_TTFT = 12;
/** Longer prompts of a full batch are as long as can be read in so much time, all together. */
const BATCH_READ_MS = 1000;
const BATCH_TOKENS = 128;
const MOST_BATCH_WORDS = 200;
/** Of an answer without a pause: so much time the longest of its prompts take. */
const FULL_READ_SHARE = 0.25;

/** @throws {ProbeError} when the server does not answer as it has to. */
export async function probeServer(options: ProbeOptions): Promise<Observed> {
  const { prober, onStep } = options;
  onStep('one short prompt after the other');
  await prober.ask({ promptWords: SHORT_WORDS, outputTokens: 2 });
  const short = await repeated(prober, ALONE_TIMES, () =>
    prober.ask({ promptWords: SHORT_WORDS, outputTokens: ALONE_TOKENS }),
  );
  onStep('long prompts');
  const { words, results: long } = await longPrompts(prober);
  onStep('prompts twice');
  const keptTokens: number[] = [];
  for (const promptWords of TWICE_WORDS) keptTokens.push((await askedAgain(prober, promptWords)).cachedTokens);
  const answerMs = ANSWER_PER_TTFT * median(short.map(ttft));
  const outputTokens = Math.min(
    256,
    Math.max(16, Math.ceil(answerMs / median(short.map((result) => tokenMs(result))))),
  );
  const found = await findSlots(options, outputTokens);
  const { slots } = found;
  onStep(`${slots} at once, with short prompts and with longer ones`);
  const wordMs = (promptSlopeMs(short, long) * median(short.map(readTokens))) / SHORT_WORDS;
  const readable = (inMs: number): number => Math.floor(Math.min(MOST_BATCH_WORDS, words, inMs / wordMs));
  const batchesOf = (promptWords: number): Promise<(readonly ProbeResult[])[]> =>
    repeated(prober, BATCH_TIMES, () => askAll(prober, slots, { promptWords, outputTokens: BATCH_TOKENS }));
  const shallow = await batchesOf(SHORT_WORDS);
  const deep = await batchesOf(Math.max(SHORT_WORDS, readable(BATCH_READ_MS / slots)));
  onStep(`${slots} at once without a pause`);
  const fullMs = outputTokens * median(shallow.map(stepMs));
  const full = await fullBatch(options, {
    slots,
    outputTokens,
    mostWords: Math.max(2 * SHORT_WORDS, readable(FULL_READ_SHARE * fullMs)),
  });
  const since = [...shallow.flat(), ...deep.flat(), ...full];
  const last = await prober.ask(twice(TWICE_WORDS.at(-1)!));
  const isKept = last.cachedTokens > 0 && last.cachedTokens >= keptTokens.at(-1)!;
  const keptFor = isKept ? sum(since, ({ promptTokens, tokensMs }) => promptTokens + tokensMs.length) : 0;
  return { short, long, ...found, shallow, deep, full, keptTokens, keptFor };
}

async function repeated<T>(prober: ProbePort, times: number, ask: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  const untilMs = prober.now() + PHASE_MS;
  while (results.length === 0 || (results.length < times && prober.now() < untilMs)) results.push(await ask());
  return results;
}

function askAll(prober: ProbePort, count: number, probe: Probe): Promise<ProbeResult[]> {
  return Promise.all(Array.from({ length: count }, () => prober.ask(probe)));
}

/** The longest that it takes. */
async function longPrompts(prober: ProbePort): Promise<{ words: number; results: ProbeResult[] }> {
  for (const promptWords of LONG_WORDS) {
    try {
      const ask = (): Promise<ProbeResult> => prober.ask({ promptWords, outputTokens: 2 });
      return { words: promptWords, results: await repeated(prober, LONG_TIMES, ask) };
    } catch (error) {
      if (!(error instanceof ProbeError)) throw error;
    }
  }
  return { words: SHORT_WORDS, results: [] };
}

function twice(promptWords: number): Probe {
  return { promptWords, outputTokens: 2, name: 'twice' };
}

async function askedAgain(prober: ProbePort, promptWords: number): Promise<ProbeResult> {
  await prober.ask(twice(promptWords));
  return prober.ask(twice(promptWords));
}

/** Who has his first token only after another one's last has waited for that one's slot. */
async function findSlots(
  { prober, onStep }: ProbeOptions,
  outputTokens: number,
): Promise<Pick<Observed, 'slots' | 'hasMoreSlots'>> {
  const untilMs = prober.now() + 2 * PHASE_MS;
  let count = 2;
  for (; ; count *= 2) {
    onStep(`${count} at once`);
    const results = await askAll(prober, count, { promptWords: SHORT_WORDS, outputTokens });
    const firstEndMs = Math.min(...results.map(({ endMs }) => endMs));
    const waited = results.filter((result) => firstMs(result) >= firstEndMs).length;
    if (waited > 0) return { slots: Math.max(1, count - waited), hasMoreSlots: false };
    if (count >= MOST_AT_ONCE || prober.now() > untilMs) return { slots: count, hasMoreSlots: true };
  }
}

/** Keeps all slots busy with prompts and answers of different lengths, so that they end at different times. */
async function fullBatch(
  { prober, random, fullMs = FULL_MS }: ProbeOptions,
  batch: { readonly slots: number; readonly outputTokens: number; readonly mostWords: number },
): Promise<ProbeResult[]> {
  const untilMs = prober.now() + fullMs;
  const results: ProbeResult[] = [];
  const loop = async (): Promise<void> => {
    do {
      // More short ones than long ones.
      const promptWords = Math.ceil(batch.mostWords * random() ** 2);
      const result = await prober.ask({ promptWords, outputTokens: Math.ceil(batch.outputTokens * (0.5 + random())) });
      // When the first of the others has stopped, the batch is not full any more.
      if (result.endMs < untilMs || results.length === 0) results.push(result);
    } while (prober.now() < untilMs);
  };
  await Promise.all(Array.from({ length: batch.slots }, loop));
  return results;
}
