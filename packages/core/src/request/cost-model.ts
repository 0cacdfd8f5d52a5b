// SPDX-License-Identifier: Apache-2.0

/**
 * What a request costs, in one unit for everybody who shares fairly: an input token. A model server sells prefill and
 * decode, and decode is the dearer; what it finds in its cache is nearly free. The weights are the ones that
 * token-counting schedulers are usually given (Sheng et al., Fairness in Serving Large Language Models, OSDI 2024).
 *
 * The price is known when all is over, and the turn has to be decided before. So a request is charged an estimate when it
 * is dispatched, more when it streams beyond that, and the rest, up or down, when it ends.
 */

import type { Ending } from './permit.ts';
import { boundedTokens, MOST_TOKENS, outputTold } from './tokens-spent.ts';
import type { InferenceRequest, Usage } from './inference-request.ts';

/** What each thing costs; whoever makes one checks that they are finite, and no cost is negative. */
export interface CostWeights {
  readonly inputToken: number;
  /** A token of input that the server had in its cache. */
  readonly cachedInputToken: number;
  readonly outputToken: number;
  /** An image in the prompt, on top of the tokens that the server counts for it. */
  readonly image: number;
}

export const DEFAULT_COST_WEIGHTS: CostWeights = Object.freeze({
  inputToken: 1,
  cachedInputToken: 0.1,
  outputToken: 2,
  image: 0,
});

/** Bytes of body to a token while a flow has not shown its own: English text in JSON is near it. */
const BYTES_PER_TOKEN = 4;
/** What a sequence is thought to produce of which nothing is known. */
const UNKNOWN_OUTPUT_TOKENS = 256;
/** How much one request counts in what is remembered of its flow. */
const LEARNING = 0.2;
/** Nothing is free: who is served for ever at no cost would be served for ever. */
const LEAST_COST = 1;

/** What a flow's requests really were: lives and dies with the flow. */
export class CostHistory {
  /** Output tokens of a sequence; NaN while nothing is known, as the next. */
  outputTokens = NaN;
  tokensPerByte = NaN;
  /** Share of the input that the servers had in their caches. */
  cachedShare = NaN;
}

/** Of a flow that has shown nothing yet. */
const UNKNOWN: Readonly<CostHistory> = Object.freeze(new CostHistory());

/** What is thought of a request when it is dispatched. */
export interface CostEstimate {
  readonly cost: number;
  readonly inputCost: number;
  /** Over all of its sequences. */
  readonly outputTokens: number;
}

/** How a request ended, as far as its cost is concerned. */
export interface CostFacts {
  readonly estimate: CostEstimate;
  readonly ending: Ending;
  readonly usage: Usage | undefined;
  /** Tokens of its answer that were seen to pass; undefined when nobody watched. */
  readonly streamedTokens: number | undefined;
}

export class CostModel {
  readonly weights: CostWeights;

  constructor(weights: CostWeights = DEFAULT_COST_WEIGHTS) {
    this.weights = weights;
  }

  /** By the size of its body, what its caller allows and what its flow's earlier requests were. */
  estimate(request: InferenceRequest, history: CostHistory = UNKNOWN): CostEstimate {
    const { inputToken, cachedInputToken, outputToken } = this.weights;
    const perByte = known(history.tokensPerByte, 1 / BYTES_PER_TOKEN);
    const inputTokens = boundedTokens(request.inputTokens ?? request.sizeBytes * perByte);
    const cachedShare = known(history.cachedShare, 0);
    const inputCost =
      inputTokens * (inputToken + (cachedInputToken - inputToken) * cachedShare) + this.#imageCost(request);
    const each = Math.min(request.maxOutputTokens ?? MOST_TOKENS, known(history.outputTokens, UNKNOWN_OUTPUT_TOKENS));
    const outputTokens = boundedTokens(each * request.sequences);
    return { cost: Math.max(LEAST_COST, inputCost + outputTokens * outputToken), inputCost, outputTokens };
  }

  /** What a request has cost of which so many tokens have been streamed, when that is more than was estimated. */
  soFar(estimate: CostEstimate, streamedTokens: number): number {
    return Math.max(estimate.cost, estimate.inputCost + boundedTokens(streamedTokens) * this.weights.outputToken);
  }

  /**
   * What it was in the end. The server's own figures count (`saneUsage`); where it gives none, as when the client left
   * before they came, what was seen of the answer, and else the estimate, except that an answer that failed before it
   * began is as good as free.
   */
  actual(request: InferenceRequest, facts: CostFacts): number {
    const { usage, estimate } = facts;
    const { inputToken, cachedInputToken, outputToken } = this.weights;
    const { promptTokens, cachedTokens = 0 } = usage ?? {};
    const output = outputOf(facts) * outputToken;
    if (promptTokens === undefined) {
      const isNothing = facts.ending === 'failed' && output === 0;
      return Math.max(LEAST_COST, (isNothing ? 0 : estimate.inputCost) + output);
    }
    const cached = Math.min(cachedTokens, promptTokens);
    const images = promptTokens > 0 ? this.#imageCost(request) : 0;
    return Math.max(LEAST_COST, (promptTokens - cached) * inputToken + cached * cachedInputToken + images + output);
  }

  /** Remembers what a request of the flow really was. */
  learn(history: CostHistory, request: InferenceRequest, { ending, usage }: CostFacts): void {
    if (usage === undefined || ending === 'failed') return;
    const { promptTokens, completionTokens, cachedTokens } = usage;
    if (promptTokens !== undefined && promptTokens > 0) {
      if (request.sizeBytes > 0) {
        history.tokensPerByte = moved(history.tokensPerByte, promptTokens / request.sizeBytes);
      }
      history.cachedShare = moved(history.cachedShare, Math.min(1, (cachedTokens ?? 0) / promptTokens));
    }
    // An answer that was cut off says nothing of how long they are.
    if (completionTokens !== undefined && ending === 'succeeded') {
      history.outputTokens = moved(history.outputTokens, completionTokens / request.sequences);
    }
  }

  #imageCost({ images = 0 }: InferenceRequest): number {
    return images * this.weights.image;
  }
}

/** Usage as it can be reckoned with: the same object when it is, another with every count within bounds when not. */
export function saneUsage(usage: Usage | undefined): Usage | undefined {
  if (
    usage === undefined ||
    (isSane(usage.promptTokens) && isSane(usage.completionTokens) && isSane(usage.cachedTokens))
  )
    return usage;
  return Object.fromEntries(
    Object.entries(usage)
      .filter(([, tokens]) => tokens !== undefined)
      .map(([name, tokens]) => [name, boundedTokens(tokens as number)]),
  );
}

function outputOf(facts: CostFacts): number {
  const isNone = facts.usage?.promptTokens !== undefined || facts.ending === 'failed';
  return outputTold(facts) ?? (isNone ? 0 : facts.estimate.outputTokens);
}

function isSane(tokens: number | undefined): boolean {
  return tokens === undefined || (tokens >= 0 && tokens <= MOST_TOKENS);
}

function known(value: number, otherwise: number): number {
  return Number.isNaN(value) ? otherwise : value;
}

function moved(mean: number, value: number): number {
  return Number.isNaN(mean) ? value : mean + LEARNING * (value - mean);
}
