// SPDX-License-Identifier: Apache-2.0

/** Makes one plugin instance without a configuration file, for tests and benches. */

import type { Random } from '../clock.ts';
import type { ParameterSpecs } from '../plugin-registry/parameters.ts';
import { type Plugin, type PluginDefinition, PluginError, type PluginLookup } from '../plugin-registry/plugin.ts';

/** Knows these and nothing else. */
function lookupOf(others: readonly Plugin[]): PluginLookup {
  return {
    get(name) {
      const found = others.find((other) => other.name === name);
      if (found !== undefined) return found;
      throw new PluginError(`there is no plugin ${name} among the others that this instance was made with`);
    },
    all: () => others,
  };
}

/** An instance with the defaults of its parameters, or what is given instead; nothing is checked. */
export function instanceOf<S extends ParameterSpecs, T extends Plugin>(
  definition: PluginDefinition<S, T>,
  options: {
    readonly parameters?: Readonly<Record<string, unknown>>;
    readonly name?: string;
    readonly random?: Random;
    /** The plugins that its parameters name. */
    readonly others?: readonly Plugin[];
  } = {},
): T {
  const parameters = { ...defaultsOf(definition.parameters), ...options.parameters };
  return definition.create({
    type: definition.type,
    name: options.name ?? definition.type,
    // The specs say what the parameters are; here they are trusted instead of checked.
    parameters: parameters as Parameters<typeof definition.create>[0]['parameters'],
    handle: lookupOf(options.others ?? []),
    random: options.random ?? (() => 0.5),
  });
}

/** The defaults of objects within are those of their fields. */
function defaultsOf(specs: ParameterSpecs): Record<string, unknown> {
  const defaults = Object.entries(specs).map(([name, spec]) => {
    const isFilled = spec.type === 'object' && spec.default !== undefined;
    return [name, isFilled ? defaultsOf(spec.fields) : spec.default] as const;
  });
  return Object.fromEntries(defaults);
}
