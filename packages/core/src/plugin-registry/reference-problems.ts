// SPDX-License-Identifier: Apache-2.0

/** What to say of a plugin that is named but not there, of another kind, or not yet allowed. */

import type { PluginEntry } from './entry.ts';
import { nounsOf } from './kinds.ts';
import type { PluginKind } from './kinds.ts';
import { nearestName } from './nearest-name.ts';
import type { PluginDefinition } from './plugin.ts';
import { dotted, meant } from './problem.ts';
import type { Path, Problem } from './problem.ts';
import type { PluginRegistry } from './registry.ts';

/** A name used in place of a plugin. */
export interface NamedPlugin {
  readonly name: string;
  /** One of them is wanted. */
  readonly kinds: readonly PluginKind[];
  readonly path: Path;
}

export interface KnownNames {
  readonly registry: PluginRegistry;
  readonly entries: ReadonlyMap<string, PluginEntry>;
}

export function unknownType({ path, type }: PluginEntry, registry: PluginRegistry): Problem {
  const why = registry.whyUnavailable(type);
  const at = { path: [...path, 'type'], value: type, allowed: 'a registered plugin type' };
  if (why !== undefined) return { ...at, message: `plugin type '${type}' ${why}` };
  const suggestion = nearestName(type, registry.types());
  return suggesting({ ...at, message: `plugin type '${type}' is not registered${meant(suggestion)}` }, suggestion);
}

export function unknownPlugin({ name, kinds, path }: NamedPlugin, known: KnownNames): Problem {
  const why = known.registry.whyUnavailable(name);
  const names = namesOf(kinds, known);
  const at = { path, value: name, allowed: `the name of ${nounsOf(kinds, 'or')}: ${names.join(', ')}` };
  if (why !== undefined) return { ...at, message: `plugin \`${name}\` at ${dotted(path)} ${why}` };
  const suggestion = nearestName(name, names);
  const end = suggestion === undefined ? `; allowed is ${at.allowed}` : meant(suggestion);
  return suggesting({ ...at, message: `unknown plugin \`${name}\` at ${dotted(path)}${end}` }, suggestion);
}

export function wrongKind(
  { name, kinds, path }: NamedPlugin,
  definition: PluginDefinition,
  known: KnownNames,
): Problem {
  const names = namesOf(kinds, known);
  const wanted = nounsOf(kinds, 'or');
  const suggestion = nearestName(name, names);
  const end = suggestion === undefined ? `: ${names.join(', ')}` : meant(suggestion);
  const message = `plugin \`${name}\` at ${dotted(path)} is ${nounsOf(definition.kinds)}; wanted is ${wanted}${end}`;
  return suggesting({ path, message, value: name, allowed: `the name of ${wanted}: ${names.join(', ')}` }, suggestion);
}

/** `making` is what is being made, outermost first. */
export function cycle({ name, path }: NamedPlugin, making: readonly string[]): Problem {
  const circle = [...making.slice(making.indexOf(name)), name].join(' → ');
  return { path, message: `cycle detected: graph is not a DAG: ${circle}`, value: name };
}

export function experimental({ path, name, type }: PluginEntry): Problem {
  const flag = '--allow-experimental-plugins';
  const message = `plugin '${name}' (type: '${type}') has Alpha stability level, but command line flag ${flag} is not set`;
  return { path: [...path, 'type'], message, value: type, suggestion: flag };
}

/** What a reference could say: configured names first, then types that need no entry. */
function namesOf(kinds: readonly PluginKind[], { registry, entries }: KnownNames): string[] {
  const fits = (type: string) => registry.get(type)?.kinds.some((kind) => kinds.includes(kind)) === true;
  const configured = [...entries.values()].filter(({ type }) => fits(type)).map(({ name }) => name);
  return [...new Set([...configured, ...registry.types().filter(fits)])];
}

function suggesting(problem: Problem, suggestion: string | undefined): Problem {
  return suggestion === undefined ? problem : { ...problem, suggestion };
}
