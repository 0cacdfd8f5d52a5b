// SPDX-License-Identifier: Apache-2.0

/** A fleet model from a real model server: the figures of the model with which it would have answered as it did. */

import { besides, contextSlopeMs, contextTokens, deviation, firstMs, lastMs, median } from './probe-times.ts';
import { LEAST_SHARE, othersRead, readTokens, tokenMs, ttft } from './probe-times.ts';
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
  const [aloneMs, aloneTokens] = [median(short.map((result) => tokenMs(result))), median(short.map(contextTokens))];
  const contextMs = Math.min(contextSlopeMs(shallow, deep), (MOST_CONTEXT_SHARE * aloneMs) / aloneTokens);
  const ownMs = aloneMs - contextMs * aloneTokens;
  const [prefillMs, promptMs, farMs] = prefillOf(full);
  const readMs = (result: ProbeResult): number => promptMs * readTokens(result) + farMs * pairsRead(result);
  const others = new Map(full.map((result) => [result, othersRead(result, full, readMs)]));
  const prefillStopsDecode = promptMs > 0 && heldBack(full, (result) => others.get(result)!.duringMs) > STOPS;
  const heldMs = (result: ProbeResult, when: 'beforeMs' | 'duringMs'): number =>
    prefillStopsDecode ? others.get(result)![when] : 0;
  /** What its tokens took, all prompts and contexts apart, and how full the batch was meanwhile. */
  const paces = full.map((result) => {
    const beside = besides(result, full);
    const took = tokenMs(result, heldMs(result, 'duringMs'));
    return { paceMs: took - contextMs * beside.tokens, fullness: beside.sequences / Math.max(1, slots - 1) };
  });
  const slowdowns = paces
    .filter(({ fullness }) => fullness > 0)
    .map(({ paceMs, fullness }) => (paceMs / ownMs - 1) / fullness);
  const batchSlowdown = slots === 1 || slowdowns.length === 0 ? 0 : Math.max(0, median(slowdowns));
  return {
    slots,
    hasMoreSlots,
    prefillMs,
    prefillTokensPerS: promptMs === 0 ? 0 : 1000 / promptMs,
    prefillSlowdown: promptMs === 0 ? 0 : (1000 * farMs) / promptMs,
    prefillStopsDecode,
    tokenMs: ownMs,
    batchSlowdown,
    contextSlowdown: (1000 * contextMs) / ownMs,
    ...cacheOf(observed),
    noise: deviation(full, (result) => {
      const { sequences, tokens } = besides(result, full);
      const stepMs = ownMs * (1 + (batchSlowdown * sequences) / Math.max(1, slots - 1)) + contextMs * tokens;
      const reading = readMs(result) + heldMs(result, 'beforeMs') + heldMs(result, 'duringMs');
      return prefillMs + reading + stepMs * (result.tokensMs.length - 1);
    }),
  };
}

/** How much of the time that others' prompts take is added to an answer: 0 when it is not held back, 1 when it stands still. */
function heldBack(full: readonly ProbeResult[], othersMs: (result: ProbeResult) => number): number {
  const sightings = full.map((result) => ({
    causes: [result.tokensMs.length - 1, othersMs(result)],
    seen: Math.max(0.01, lastMs(result) - firstMs(result)),
  }));
  return leastDeviations(sightings, 2)[1]!;
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
