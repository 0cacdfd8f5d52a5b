// SPDX-License-Identifier: Apache-2.0

/**
 * The scheduling contracts: filter → score → pick. All of them are synchronous by type, because the choice of the
 * endpoint and the taking of the permit are one turn.
 */

import type { InferenceRequest } from '../request/inference-request.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import type { Plugin } from '../plugin-registry/plugin.ts';

/** Narrows the candidates; returning none makes the request wait. */
export interface Filter extends Plugin {
  filter(request: InferenceRequest, endpoints: readonly Endpoint[]): readonly Endpoint[];
}

/** Rates the candidates. */
export interface Scorer extends Plugin {
  /** Writes a score in [0, 1] for each endpoint at its index; what lies outside is clamped, NaN counts as 0. */
  score(request: InferenceRequest, endpoints: readonly Endpoint[], scores: Float64Array): void;
}

/** Chooses among the rated candidates. */
export interface Picker extends Plugin {
  /** Best first; never empty for a non-empty input. `scores` are the weighted sums by index. */
  pick(endpoints: readonly Endpoint[], scores: Float64Array): readonly Endpoint[];
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
