// SPDX-License-Identifier: Apache-2.0

/** The kinds of plugins: what messages call them, and what an instance must be able to do to be one. */

/** The roles an instance can be referenced in. */
export type PluginKind =
  | 'band-selection'
  | 'fairness'
  | 'ordering'
  | 'saturation'
  | 'usage-limit'
  | 'filter'
  | 'scorer'
  | 'picker'
  | 'profile-handler'
  | 'data-source'
  | 'extractor'
  | 'producer'
  | 'discovery'
  | 'parser';

interface KindFacts {
  readonly noun: string;
  /** Methods without which an instance is not of this kind: a user's plugin is checked for them when it is made. */
  readonly methods: readonly string[];
}

/** Every kind. */
export const KINDS: Readonly<Record<PluginKind, KindFacts>> = {
  'band-selection': { noun: 'band selection policy', methods: ['newState', 'newBandState', 'pick'] },
  fairness: { noun: 'fairness policy', methods: ['newState', 'newMemberState', 'ready', 'unready', 'pick'] },
  ordering: { noun: 'ordering policy', methods: ['rank'] },
  saturation: { noun: 'saturation detector', methods: ['newEndpointState', 'saturation', 'limit', 'room'] },
  'usage-limit': { noun: 'usage limit policy', methods: ['newState', 'ceilings'] },
  filter: { noun: 'filter', methods: ['filter'] },
  scorer: { noun: 'scorer', methods: ['score'] },
  picker: { noun: 'picker', methods: ['pick'] },
  'profile-handler': { noun: 'profile handler', methods: ['check', 'choose'] },
  'data-source': { noun: 'data source', methods: [] },
  extractor: { noun: 'extractor', methods: [] },
  producer: { noun: 'data producer', methods: [] },
  discovery: { noun: 'discovery plugin', methods: [] },
  parser: { noun: 'parser', methods: [] },
};

/** `a fairness policy`, `a saturation detector and a filter`, `a filter or a scorer`. */
export function nounsOf(kinds: readonly PluginKind[], joint: 'and' | 'or' = 'and'): string {
  const nouns = kinds.map((kind) => `${/^[aeiou]/.test(KINDS[kind].noun) ? 'an' : 'a'} ${KINDS[kind].noun}`);
  return nouns.join(` ${joint} `);
}
