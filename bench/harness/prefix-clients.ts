// SPDX-License-Identifier: Apache-2.0

/**
 * Clients that share system prompts: closed loops, each request with one of eight system prompts and a question of its
 * own. Counts the prompt tokens that the servers say were cached, beside those that an oracle would have had.
 */

import { request } from 'undici';
import { seededRandom } from '@fairlead/core/testing';
import { DEMO_MODEL } from '../../packages/fairlead/src/demo/fleet/model-servers.ts';
import { nearestRank } from '../../packages/fairlead/src/demo/load/percentile.ts';
import { PrefixCache, promptBlocks } from '../../packages/fairlead/src/model-server/prefix-cache.ts';

const PROMPTS = 8;
/** Four bytes stand for a token. */
const PROMPT_BYTES = 8000;
const QUESTION_BYTES = 400;
const OUTPUT_TOKENS = 20;
/** The run is looked at in so many parts for its spread. */
const PARTS = 3;

export interface PrefixRun {
  readonly baseUrl: string;
  readonly loops: number;
  readonly seed: number;
  readonly seconds: number;
  readonly stop: AbortSignal;
}

export interface PrefixFigures {
  /** Cached tokens ÷ those that the oracle would have had; the spread over parts of the run. */
  readonly hits: number;
  readonly hitsSpread: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly answered: number;
  readonly failed: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
}

interface Answered {
  readonly atMs: number;
  readonly tookMs: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly oracleTokens: number;
}

/** Runs until the time is over and every loop has its last answer. */
export async function runPrefixClients(run: PrefixRun): Promise<PrefixFigures> {
  const random = seededRandom(run.seed);
  const oracle = new PrefixCache(Infinity);
  const answers: Answered[] = [];
  let failed = 0;
  let asked = 0;
  const startedMs = performance.now();
  const loop = async (): Promise<void> => {
    while (performance.now() - startedMs < run.seconds * 1000 && !run.stop.aborted) {
      const messages = messagesOf(Math.floor(random() * PROMPTS), (asked += 1));
      const promptTokens = Math.ceil(messages.reduce((sum, { content }) => sum + content.length, 0) / 4);
      const oracleTokens = oracle.admit(promptBlocks(messages, ''), promptTokens);
      const sentMs = performance.now();
      const usage = await ask(run, messages);
      if (usage === undefined) failed += 1;
      else answers.push({ atMs: sentMs - startedMs, tookMs: performance.now() - sentMs, oracleTokens, ...usage });
    }
  };
  await Promise.all(Array.from({ length: run.loops }, loop));
  return figuresOf(answers, failed, run.seconds);
}

interface Message {
  readonly role: string;
  readonly content: string;
}

function messagesOf(prompt: number, number: number): readonly Message[] {
  const system = `You are assistant ${prompt}. `.padEnd(PROMPT_BYTES, `Rule ${prompt} of the house is kept. `);
  return [
    { role: 'system', content: system },
    { role: 'user', content: `${number} is my number. `.padEnd(QUESTION_BYTES, `What of ${number}? `) },
  ];
}

async function ask(
  { baseUrl, stop }: PrefixRun,
  messages: readonly Message[],
): Promise<Pick<Answered, 'promptTokens' | 'cachedTokens'> | undefined> {
  try {
    const { statusCode, body } = await request(`${baseUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: DEMO_MODEL, messages, max_tokens: OUTPUT_TOKENS }),
      signal: stop,
    });
    const { usage } = (await body.json()) as { usage: Usage };
    if (statusCode !== 200) return undefined;
    return { promptTokens: usage.prompt_tokens, cachedTokens: usage.prompt_tokens_details?.cached_tokens ?? 0 };
  } catch {
    return undefined;
  }
}

interface Usage {
  readonly prompt_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number } | null;
}

function figuresOf(answers: readonly Answered[], failed: number, seconds: number): PrefixFigures {
  const partMs = (seconds * 1000) / PARTS;
  const parts = Array.from({ length: PARTS }, (_, part) =>
    hitsOf(answers.filter(({ atMs }) => Math.floor(atMs / partMs) === part)),
  );
  const tookMs = answers.map((answer) => answer.tookMs).toSorted((a, b) => a - b);
  return {
    hits: hitsOf(answers),
    hitsSpread: Math.max(...parts) - Math.min(...parts),
    p50Ms: nearestRank(tookMs, 0.5) ?? NaN,
    p99Ms: nearestRank(tookMs, 0.99) ?? NaN,
    answered: answers.length,
    failed,
    promptTokens: sum(answers, 'promptTokens'),
    cachedTokens: sum(answers, 'cachedTokens'),
  };
}

function hitsOf(answers: readonly Answered[]): number {
  return sum(answers, 'cachedTokens') / sum(answers, 'oracleTokens');
}

function sum(answers: readonly Answered[], key: 'promptTokens' | 'cachedTokens' | 'oracleTokens'): number {
  return answers.reduce((total, answer) => total + answer[key], 0);
}
