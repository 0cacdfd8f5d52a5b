// SPDX-License-Identifier: Apache-2.0

/** Makes one plugin instance without a configuration file, for tests and benches. */

import type { Random } from '../clock.ts';
import type { ParameterSpecs } from '../plugin-registry/parameters.ts';
import { type Plugin, type PluginDefinition, PluginError, type PluginLookup } from '../plugin-registry/plugin.ts';

/** A lookup that knows nothing. */
const NO_OTHERS: PluginLookup = {
  get(name) {
    throw new PluginError(`there is no plugin ${name}: this instance was made on its own`);
  },
  all: () => [],
};

/** An instance with the defaults of its parameters, or what is given instead; nothing is checked. */
export function instanceOf<S extends ParameterSpecs, T extends Plugin>(
  definition: PluginDefinition<S, T>,
  options: {
    readonly parameters?: Readonly<Record<string, unknown>>;
    readonly name?: string;
    readonly random?: Random;
  } = {},
): T {
  const defaults = Object.entries(definition.parameters).map(([name, spec]) => [name, spec.default] as const);
  const parameters = { ...Object.fromEntries(defaults), ...options.parameters };
  return definition.create({
    type: definition.type,
    name: options.name ?? definition.type,
    // The specs say what the parameters are; here they are trusted instead of checked.
    parameters: parameters as Parameters<typeof definition.create>[0]['parameters'],
    handle: NO_OTHERS,
    random: options.random ?? (() => 0.5),
  });
}
