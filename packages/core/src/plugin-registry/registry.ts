// SPDX-License-Identifier: Apache-2.0

/**
 * The plugin types there are, as an explicit value: made from an ordered list, extended into a new one, never changed.
 */

import { KINDS } from './kinds.ts';
import type { PluginKind } from './kinds.ts';
import { PluginError } from './plugin.ts';
import type { PluginDefinition } from './plugin.ts';

export interface RegistryOptions {
  /** Types that somebody may well name although they are not here, each with what to tell them. */
  readonly unavailable?: ReadonlyMap<string, string>;
}

export class PluginRegistry {
  readonly #definitions: ReadonlyMap<string, PluginDefinition>;
  readonly #unavailable: ReadonlyMap<string, string>;

  /** @throws PluginError when a type is defined twice or a definition is not one. */
  constructor(definitions: Iterable<PluginDefinition>, { unavailable = new Map() }: RegistryOptions = {}) {
    const byType = new Map<string, PluginDefinition>();
    for (const definition of definitions) {
      const fault = definitionFault(definition);
      if (fault !== undefined) throw new PluginError(fault);
      if (byType.has(definition.type)) throw new PluginError(`plugin type '${definition.type}' is registered twice`);
      byType.set(definition.type, definition);
    }
    this.#definitions = byType;
    this.#unavailable = unavailable;
  }

  get(type: string): PluginDefinition | undefined {
    return this.#definitions.get(type);
  }

  /** Why a type that is known by name is not here; undefined for other types. */
  whyUnavailable(type: string): string | undefined {
    return this.#definitions.has(type) ? undefined : this.#unavailable.get(type);
  }

  /** The types of a kind, or all of them, in registration order. */
  types(kind?: PluginKind): string[] {
    return this.definitions(kind).map(({ type }) => type);
  }

  definitions(kind?: PluginKind): PluginDefinition[] {
    const all = [...this.#definitions.values()];
    return kind === undefined ? all : all.filter(({ kinds }) => kinds.includes(kind));
  }

  /** A registry with more types. @throws PluginError as the constructor. */
  extend(definitions: Iterable<PluginDefinition>): PluginRegistry {
    return new PluginRegistry([...this.#definitions.values(), ...definitions], { unavailable: this.#unavailable });
  }
}

const stabilities: readonly unknown[] = ['stable', 'beta', 'alpha'];
const parameterTypes: readonly unknown[] = [
  'number',
  'integer',
  'duration',
  'quantity',
  'string',
  'boolean',
  'plugin-ref',
  'list',
  'map',
  'object',
  'any',
];

/** What keeps a value, such as a user's default export, from being a plugin definition; undefined when it is one. */
export function definitionFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return 'not a plugin definition: make one with definePlugin({ … })';
  const { type, kinds, stability, summary, parameters, create } = value as Readonly<Record<string, unknown>>;
  if (typeof type !== 'string' || !/^[a-z0-9][a-z0-9.-]{0,127}$/.test(type)) {
    return '`type` must be lower-case letters, digits and dashes';
  }
  if (!Array.isArray(kinds) || kinds.length === 0 || !kinds.every((kind) => Object.hasOwn(KINDS, String(kind)))) {
    return `'${type}': \`kinds\` must be a list of ${Object.keys(KINDS).join(', ')}`;
  }
  if (!stabilities.includes(stability)) return `'${type}': \`stability\` must be stable, beta or alpha`;
  if (typeof summary !== 'string') return `'${type}': \`summary\` must be a sentence`;
  if (typeof create !== 'function') return `'${type}': \`create\` must be a function`;
  return parametersFault(type, parameters);
}

function parametersFault(type: string, parameters: unknown): string | undefined {
  if (typeof parameters !== 'object' || parameters === null) return `'${type}': \`parameters\` must be an object`;
  for (const [name, spec] of Object.entries(parameters as Record<string, { type?: unknown } | null>)) {
    if (!parameterTypes.includes(spec?.type)) {
      return `'${type}': the type of parameter \`${name}\` must be one of ${parameterTypes.join(', ')}`;
    }
  }
  return undefined;
}
