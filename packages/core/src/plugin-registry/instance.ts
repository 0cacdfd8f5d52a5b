// SPDX-License-Identifier: Apache-2.0

/** What a loader has to know of one plugin: whom its parameters refer to, and whether what was made is what was promised. */

import { KINDS, nounsOf } from './kinds.ts';
import type { PluginKind } from './kinds.ts';
import type { ParameterSpec, ParameterSpecs } from './parameters.ts';
import type { PluginDefinition } from './plugin.ts';
import type { Path } from './problem.ts';

/** A parameter that names another plugin. */
export interface PluginReference {
  readonly name: string;
  readonly kind: PluginKind;
  readonly path: Path;
}

/** Every plugin that checked parameters name, nested ones included. */
export function referencesIn(
  specs: ParameterSpecs,
  values: Readonly<Record<string, unknown>>,
  path: Path,
): PluginReference[] {
  return Object.entries(specs).flatMap(([key, spec]) => referencesOf(spec, values[key], [...path, key]));
}

function referencesOf(spec: ParameterSpec, value: unknown, path: Path): PluginReference[] {
  if (value === undefined) return [];
  if (spec.type === 'plugin-ref') return [{ name: value as string, kind: spec.kind, path }];
  if (spec.type === 'object') return referencesIn(spec.fields, value as Record<string, unknown>, path);
  if (spec.type !== 'list') return [];
  return (value as readonly unknown[]).flatMap((item, index) => referencesOf(spec.of, item, [...path, index]));
}

/** What an instance lacks to be what its definition promises; undefined when it is right. */
export function instanceFault(instance: unknown, definition: PluginDefinition, name: string): string | undefined {
  if (typeof instance !== 'object' || instance === null) return '`create` must return an object';
  const made = instance as Readonly<Record<string, unknown>>;
  if (made['type'] !== definition.type || made['name'] !== name) {
    return `its \`type\` and \`name\` must be those that \`create\` was given ('${definition.type}', '${name}')`;
  }
  for (const kind of definition.kinds) {
    const missing = KINDS[kind].methods.filter((method) => typeof made[method] !== 'function');
    if (missing.length > 0) return `${nounsOf([kind])} must have ${missing.map((method) => `${method}()`).join(', ')}`;
  }
  return undefined;
}
