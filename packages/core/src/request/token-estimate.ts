// SPDX-License-Identifier: Apache-2.0

/**
 * How many tokens a request is to its endpoint while it is in flight. Estimated once, when capacity is taken, and that
 * very number is given back: an estimate that changed in between would leave a rest for ever.
 */

import type { InferenceRequest } from './inference-request.ts';

/** Bytes of body to a token: English text in JSON is near it, and it is the reference's figure. */
const BYTES_PER_TOKEN = 4;

/** No request counts for more: sums of these stay whole numbers, whatever a client asks for. */
const MOST_TOKENS = 1_000_000_000;

/** Who estimates the tokens of requests: a data producer of the kind that counts what is in flight. */
export interface TokenEstimator {
  /** A whole number of at least 1; the same for the same request. */
  tokensOf(request: InferenceRequest): number;
}

/** Tokens of a request's input: as told, else by its size. */
export function inputTokensOf({ inputTokens, sizeBytes }: InferenceRequest): number {
  return wholeTokens(inputTokens ?? sizeBytes / BYTES_PER_TOKEN);
}

/** Any estimate as a whole number that can be summed: at least 1, and never more than a billion. */
export function wholeTokens(estimate: number): number {
  return estimate >= 1 ? Math.min(Math.ceil(estimate), MOST_TOKENS) : 1;
}

/** Counts the input alone: what is estimated when nothing is configured. */
export const INPUT_ALONE: TokenEstimator = { tokensOf: inputTokensOf };
