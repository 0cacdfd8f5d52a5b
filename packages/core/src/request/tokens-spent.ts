// SPDX-License-Identifier: Apache-2.0

/** What is known of a request's tokens when it is over: one reading of it for costs and for limits. */

/** More tokens than a request can have; what is reported beyond, or below zero, is a mistake of whoever reports it. */
export const MOST_TOKENS = 10_000_000;

/** How a request ended, as far as tokens are concerned. */
export interface TokensSpent {
  readonly ending: 'succeeded' | 'failed' | 'cancelled';
  /** What its model server reports. */
  readonly usage:
    { readonly promptTokens?: number | undefined; readonly completionTokens?: number | undefined } | undefined;
  /** Tokens of its answer that were seen to pass; undefined when nobody watched. */
  readonly streamedTokens?: number | undefined;
}

/**
 * Tokens of an answer as they were told or seen to pass; undefined when they were neither. A count is final only with the
 * answer: some servers tell a first one with the prompt, and the right one at an end that may not come.
 */
export function outputTold({ ending, usage, streamedTokens }: TokensSpent): number | undefined {
  const told = usage?.completionTokens;
  if (told === undefined) return streamedTokens === undefined ? undefined : boundedTokens(streamedTokens);
  return ending === 'succeeded' ? told : Math.max(told, boundedTokens(streamedTokens ?? 0));
}

/** Within what a request can have. */
export function boundedTokens(tokens: number): number {
  return tokens >= 0 ? Math.min(tokens, MOST_TOKENS) : 0;
}
