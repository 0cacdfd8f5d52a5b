// SPDX-License-Identifier: Apache-2.0

/**
 * What a plugin is: a frozen definition (type, kinds, stability, parameters as data, `create`) and the instance made
 * from it once, when configuration is loaded. Definitions are values in an explicit registry; importing one has no effect.
 */

import type { Random } from '../clock.ts';
import type { PluginKind } from './kinds.ts';
import type { ParameterSpecs, ParametersOf } from './parameters.ts';

/** `alpha` needs `--allow-experimental-plugins`. */
export type Stability = 'stable' | 'beta' | 'alpha';

/** One instance: immutable, shared by everything that names it. What must be remembered per band or endpoint is made by the plugin and kept by its owner. */
export interface Plugin {
  /** The registered type, such as `round-robin-fairness-policy`. */
  readonly type: string;
  /** The name in the configuration; the type when none is given. */
  readonly name: string;
}

/** What `create` is given. */
export interface PluginContext<P> {
  readonly type: string;
  readonly name: string;
  readonly parameters: P;
  readonly handle: PluginLookup;
  readonly random: Random;
}

/** Finds the instances that were created before this one. */
export interface PluginLookup {
  /** @throws PluginError when there is no instance of that name, or it is of another kind. */
  get(name: string, kind: PluginKind): Plugin;
  /** Every instance of a kind, in configuration order. */
  all(kind: PluginKind): readonly Plugin[];
}

/** A plugin type, as registered. */
export interface PluginDefinition<S extends ParameterSpecs = ParameterSpecs, T extends Plugin = Plugin> {
  readonly type: string;
  /** What an instance can be used as; usually one. */
  readonly kinds: readonly PluginKind[];
  readonly stability: Stability;
  /** One sentence: which question it answers. */
  readonly summary: string;
  readonly parameters: S;
  /** @throws PluginError when parameters contradict each other. */
  create(context: PluginContext<ParametersOf<S>>): T;
}

/** Freezes a definition and gives its parameters their types. */
export function definePlugin<const S extends ParameterSpecs, T extends Plugin>(
  definition: PluginDefinition<S, T>,
): PluginDefinition<S, T> {
  return Object.freeze(definition);
}

/** A mistake in how plugins are registered, configured or referenced. */
export class PluginError extends Error {
  override readonly name = 'PluginError';
}
