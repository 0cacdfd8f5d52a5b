// SPDX-License-Identifier: Apache-2.0

/** Why an endpoint was chosen: the steps of one scheduling decision in order, as plain data with plugin and endpoint names. */

export interface EndpointScore {
  readonly endpoint: string;
  readonly score: number;
}

export type TrailStep =
  | { readonly kind: 'profile'; readonly plugin: string; readonly profile: string }
  | {
      readonly kind: 'filter';
      readonly plugin: string;
      readonly kept: readonly string[];
      readonly dropped: readonly string[];
    }
  /** One scorer's scores as they counted, before its weight. */
  | {
      readonly kind: 'score';
      readonly plugin: string;
      readonly weight: number;
      readonly scores: readonly EndpointScore[];
    }
  /** The weighted sums, and who was picked. */
  | {
      readonly kind: 'pick';
      readonly plugin: string;
      readonly scores: readonly EndpointScore[];
      readonly picked: readonly string[];
    }
  /** The plugin threw and did not count. */
  | { readonly kind: 'fault'; readonly plugin: string; readonly message: string };
