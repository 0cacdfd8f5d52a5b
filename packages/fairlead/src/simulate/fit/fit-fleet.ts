// SPDX-License-Identifier: Apache-2.0

/** A fleet model from a real model server: the figures of the model with which it would have answered as it did. */

import { sum } from '../../demo/sum.ts';
import { batchTokens, contextSlopeMs, contextTokens, deviation, firstMs, lastMs, median } from './probe-times.ts';
import { LEAST_SHARE, othersRead, readTokens, stepMs, tokenMs, ttft } from './probe-times.ts';
import { leastDeviations } from './least-deviations.ts';
import { probeServer } from './probe-server.ts';
import type { Observed, ProbeOptions } from './probe-server.ts';
import type { ProbeResult } from './prober.ts';

/** As in the section `fleet` of a scenario; times in milliseconds. */
export interface FittedFleet {
  readonly slots: number;
  /** No number of requests that was tried had one of them wait: there are at least so many slots. */
  readonly hasMoreSlots: boolean;
  readonly prefillMs: number;
  /** 0: prompts cost nothing by their length. */
  readonly prefillTokensPerS: number;
  readonly prefillSlowdown: number;
  readonly prefillStopsDecode: boolean;
  readonly tokenMs: number;
  readonly batchSlowdown: number;
  readonly contextSlowdown: number;
  /** At least; 0: it keeps nothing of prompts, or does not say so. */
  readonly prefixCacheTokens: number;
  readonly prefixCacheBlockTokens: number;
  readonly noise: number;
}

/** Who joins a full batch keeps it back when others take longer by so much of the time that prompts take to be read. */
const STOPS = 0.5;
/** Prompts that joined a full batch: fewer say little of what one costs. */
const FEWEST = 12;
/** No more of a single sequence's token is due to its context. */
const MOST_CONTEXT_SHARE = 0.5;

/** Probes. @throws {ProbeError} when the server does not answer as it has to. */
export async function fitFleet(options: ProbeOptions): Promise<FittedFleet> {
  return fleetOf(await probeServer(options));
}

function fleetOf(observed: Observed): FittedFleet {
  const { short, slots, hasMoreSlots, shallow, deep, full } = observed;
  const [aloneMs, aloneTokens] = [median(short.map(tokenMs)), median(short.map(contextTokens))];
  const contextMs = Math.min(contextSlopeMs(shallow, deep), (MOST_CONTEXT_SHARE * aloneMs) / aloneTokens);
  const ownMs = aloneMs - contextMs * aloneTokens;
  const stillMs = median(shallow.map((batch) => stepMs(batch) - contextMs * batchTokens(batch)));
  const [prefillMs, promptMs, farMs] = prefillOf(full);
  const readMs = (result: ProbeResult): number => promptMs * readTokens(result) + farMs * pairsRead(result);
  // Of a batch that is always full: long answers are in it for longer.
  const tokens = sum(full, ({ tokensMs }) => tokensMs.length);
  const fullTokens = (slots * sum(full, (result) => result.tokensMs.length * contextTokens(result))) / tokens;
  const others = new Map(full.map((result) => [result, othersRead(result, full, readMs)]));
  /** Of its answer, what it takes at that pace. */
  const decodeMs = ({ tokensMs }: ProbeResult, paceMs: number): number =>
    (tokensMs.length - 1) * (paceMs + contextMs * fullTokens);
  const lateMs = sum(full, (result) => lastMs(result) - firstMs(result) - decodeMs(result, stillMs));
  const prefillStopsDecode = lateMs > STOPS * sum(full, (result) => others.get(result)!.duringMs) && promptMs > 0;
  const paceMs = prefillStopsDecode ? stillMs : median(full.map(tokenMs)) - contextMs * fullTokens;
  const leastMs = Math.min(ownMs, paceMs);
  return {
    slots,
    hasMoreSlots,
    prefillMs,
    prefillTokensPerS: promptMs === 0 ? 0 : 1000 / promptMs,
    prefillSlowdown: promptMs === 0 ? 0 : (1000 * farMs) / promptMs,
    prefillStopsDecode,
    tokenMs: leastMs,
    batchSlowdown: slots === 1 ? 0 : Math.max(0, paceMs / leastMs - 1),
    contextSlowdown: (1000 * contextMs) / leastMs,
    ...cacheOf(observed),
    noise: deviation(full, (result) => {
      const { beforeMs, duringMs } = others.get(result)!;
      const heldMs = prefillStopsDecode ? beforeMs + duringMs : 0;
      return prefillMs + readMs(result) + heldMs + decodeMs(result, paceMs);
    }),
  };
}

/** Of first tokens in a full batch: the fixed part, for each token, and for each token and token before it. */
function prefillOf(full: readonly ProbeResult[]): [fixedMs: number, tokenMs: number, pairMs: number] {
  // Who came alone had to wait for no other prompt.
  const alone = full.filter((result) => othersRead(result, full, () => 1).beforeMs === 0);
  const sightings = (alone.length < FEWEST ? full : alone).map((result) => ({
    causes: [1, readTokens(result), pairsRead(result)],
    seen: Math.max(0.01, ttft(result)),
  }));
  const [fixedMs = 0, promptMs = 0, pairMs = 0] = leastDeviations(sightings, 3);
  const widestMs = Math.max(...full.map((result) => promptMs * readTokens(result) + pairMs * pairsRead(result)));
  const medianMs = median(full.map(ttft));
  return widestMs < LEAST_SHARE * medianMs ? [medianMs, 0, 0] : [fixedMs, promptMs, pairMs];
}

/** Of its prompt, each token that had to be read with each that stands before it. */
function pairsRead({ promptTokens, cachedTokens }: ProbeResult): number {
  return (promptTokens ** 2 - cachedTokens ** 2) / 2;
}

/** What it had of prompts that came again is whole blocks. It has at least what its slots hold. */
function cacheOf({
  keptTokens,
  keptFor,
  slots,
  full,
}: Observed): Pick<FittedFleet, 'prefixCacheTokens' | 'prefixCacheBlockTokens'> {
  const block = keptTokens.reduce(commonDivisor, 0);
  const inSlots = slots * Math.max(...full.map(({ promptTokens, tokensMs }) => promptTokens + tokensMs.length));
  return {
    prefixCacheTokens: block === 0 ? 0 : Math.max(keptFor, inSlots),
    prefixCacheBlockTokens: block === 0 ? 16 : block,
  };
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
