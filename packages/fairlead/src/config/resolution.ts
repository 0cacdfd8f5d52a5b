// SPDX-License-Identifier: Apache-2.0

/** What the sections of a configuration share while names become instances. */

import type {
  BandSelectionPolicy,
  FairnessPolicy,
  Filter,
  OrderingPolicy,
  Path,
  Picker,
  Plugin,
  PluginHandle,
  PluginKind,
  Problem,
  ProfileHandler,
  SaturationDetector,
  Scorer,
  UsageLimitPolicy,
} from '@fairlead/core';
import type { DefaultSet, Defaults } from './defaults.ts';
import type { ConfigFields } from './schema.ts';

export interface Resolution {
  /** Checked as far as it goes: there may be problems already. */
  readonly fields: ConfigFields;
  readonly defaultSet: DefaultSet;
  readonly defaults: Defaults;
  readonly handle: PluginHandle;
  /** Folder that relative paths start from. */
  readonly directory: string;
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

/** A section as it runs, and as the file would say it with every default written out. */
export interface Section<T, D = Readonly<Record<string, unknown>>> {
  readonly resolved: T;
  readonly document: D;
}

interface InstanceOf extends Record<PluginKind, Plugin> {
  'band-selection': BandSelectionPolicy;
  fairness: FairnessPolicy;
  ordering: OrderingPolicy;
  saturation: SaturationDetector;
  'usage-limit': UsageLimitPolicy;
  filter: Filter;
  scorer: Scorer;
  picker: Picker;
  'profile-handler': ProfileHandler;
}

/** A name, what it should be, and where it stands. */
export interface Reference<K extends PluginKind> {
  readonly name: string;
  readonly kind: K;
  readonly path: Path;
}

/**
 * The instance a reference names. A plugin's methods were checked when it was made, so its kind is its type. When there
 * is none a problem has been added and the answer is undefined under a false type: nothing is ever handed out of a
 * configuration with problems.
 */
export function refer<K extends PluginKind>(resolution: Resolution, { name, kind, path }: Reference<K>): InstanceOf[K] {
  return resolution.handle.refer(name, kind, { path, problems: resolution.problems }) as InstanceOf[K];
}

/** Adds a problem for every value that came before, naming it. */
export function refuseDuplicates(
  resolution: Resolution,
  items: readonly { readonly value: unknown; readonly path: Path }[],
  message: (value: unknown) => string,
): void {
  const seen = new Set<unknown>();
  for (const { value, path } of items) {
    if (value === undefined) continue;
    if (seen.has(value)) resolution.problems.push({ path, message: message(value), value });
    seen.add(value);
  }
}
