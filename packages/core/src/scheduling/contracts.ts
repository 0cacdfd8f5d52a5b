// SPDX-License-Identifier: Apache-2.0

/**
 * The scheduling contracts: filter → score → pick. All of them are synchronous by type, because the choice of the
 * endpoint and the taking of the permit are one turn.
 */

import type { InferenceRequest } from '../request/inference-request.ts';
import type { PrefixMatch } from '../request/prompt-prefix.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import type { Plugin } from '../plugin-registry/plugin.ts';

/** Narrows the candidates; returning none makes the request wait. */
export interface Filter extends Plugin {
  filter(request: InferenceRequest, endpoints: readonly Endpoint[]): readonly Endpoint[];
}

/** Rates the candidates. */
export interface Scorer extends Plugin {
  /** Writes a score in [0, 1] for each endpoint at its index, where 0 stands already; what lies outside is clamped, NaN counts as 0. */
  score(request: InferenceRequest, endpoints: readonly Endpoint[], scores: Float64Array): void;
}

/** Chooses among the rated candidates. */
export interface Picker extends Plugin {
  /** Best first; never empty for a non-empty input. `scores` are the weighted sums by index. */
  pick(endpoints: readonly Endpoint[], scores: Float64Array): readonly Endpoint[];
}

/**
 * Knows something that scorers and filters ask for, and learns it from where requests go. Any plugin of a profile may
 * have these methods too.
 */
export interface Producer extends Plugin {
  /** The request headers it reads, in lower case: only these are kept with a request. */
  readonly requestHeaders?: readonly string[] | undefined;
  /** How it wants the prompts of requests to these endpoints hashed; undefined when it wants none. */
  prompts?(endpoints: readonly Endpoint[]): PromptWish | undefined;
  /** Told of every dispatch in its turn; says what it knew of the request at that endpoint until now. */
  dispatched?(request: InferenceRequest, endpoint: Endpoint, nowMs: number): PrefixMatch | undefined;
  /** Headers, lower-case names, to be added to the answer. */
  answerHeaders?(request: InferenceRequest, endpoint: Endpoint): Readonly<Record<string, string>> | undefined;
  /** Blocks it holds of an endpoint, for metrics. */
  remembered?(endpoint: Endpoint): number;
}

/** A producer that knows how much of a prompt a server should have in its cache. */
export interface PrefixProducer extends Producer {
  /** Blocks of the request's prompt that can be matched; 0 when it has none. */
  blocksOf(request: InferenceRequest): number;
  /** How many of them, from the first, the endpoint should have. */
  matchedBlocks(request: InferenceRequest, endpoint: Endpoint): number;
}

/** Which blocks a prompt is to be hashed in, and how many bytes of it. */
export interface PromptWish {
  readonly blockBytes: number;
  readonly maxBytes: number;
}

/** Filters, weighted scorers and a picker under a name. */
export interface SchedulingProfile {
  readonly name: string;
  readonly filters: readonly Filter[];
  readonly scorers: readonly { readonly scorer: Scorer; readonly weight: number }[];
  readonly picker: Picker;
}

/** Decides which profiles run for a request, and whose result counts. */
export interface ProfileHandler extends Plugin {
  /** @throws PluginError at load when it cannot work with these profiles. */
  check(profiles: readonly SchedulingProfile[]): void;
  /** The profile to run. */
  choose(request: InferenceRequest, profiles: readonly SchedulingProfile[]): SchedulingProfile;
}
