// SPDX-License-Identifier: Apache-2.0

/**
 * The instances made from one configuration. A plugin is made once, after those that its parameters refer to, and found
 * by name and kind ever after. A name without an entry that is a registered type is that type with its defaults, made
 * the first time somebody refers to it.
 */

import type { Random } from '../clock.ts';
import { checkParameters } from './check-parameters.ts';
import type { CheckPlace } from './check-parameters.ts';
import { instanceFault, referencesIn } from './instance.ts';
import { KINDS, nounsOf } from './kinds.ts';
import type { PluginKind } from './kinds.ts';
import { nearestName } from './nearest-name.ts';
import { PluginError } from './plugin.ts';
import type { Plugin, PluginDefinition, PluginLookup } from './plugin.ts';
import { dotted, meant } from './problem.ts';
import type { Path, Problem } from './problem.ts';
import type { PluginRegistry } from './registry.ts';

/** One plugin to make, as configured. */
export interface PluginEntry {
  readonly name: string;
  readonly type: string;
  readonly parameters?: unknown;
  /** Where the entry is. */
  readonly path: Path;
}

/** One plugin that was made. */
export interface PluginRecord {
  readonly instance: Plugin;
  readonly definition: PluginDefinition;
  /** Checked, defaults included. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface HandleOptions {
  readonly registry: PluginRegistry;
  readonly random: Random;
  /** Alpha plugins may be used. */
  readonly allowExperimental: boolean;
}

type Slot = { readonly state: 'waiting' | 'making' | 'failed' } | ({ readonly state: 'made' } & PluginRecord);

export class PluginHandle implements PluginLookup {
  readonly #options: HandleOptions;
  readonly #entries = new Map<string, PluginEntry>();
  /** In configuration order, then as first referred to. */
  readonly #slots = new Map<string, Slot>();
  /** What is being made, outermost first: a reference back into it is a cycle. */
  readonly #making: string[] = [];

  /** Knows the entries (their names differ); makes nothing yet. */
  constructor(entries: readonly PluginEntry[], options: HandleOptions) {
    this.#options = options;
    for (const entry of entries) {
      this.#entries.set(entry.name, entry);
      this.#slots.set(entry.name, { state: 'waiting' });
    }
  }

  get(name: string, kind: PluginKind): Plugin {
    const slot = this.#slots.get(name);
    if (slot?.state !== 'made') throw new PluginError(`there is no plugin '${name}' made before this one`);
    if (slot.definition.kinds.includes(kind)) return slot.instance;
    throw new PluginError(`'${name}' is ${nounsOf(slot.definition.kinds)}, not ${nounsOf([kind])}`);
  }

  all(kind: PluginKind): readonly Plugin[] {
    return this.records(kind).map(({ instance }) => instance);
  }

  /** What was made, of a kind or all of it, in configuration order. */
  records(kind?: PluginKind): readonly PluginRecord[] {
    const made = [...this.#slots.values()].filter((slot) => slot.state === 'made');
    return kind === undefined ? made : made.filter(({ definition }) => definition.kinds.includes(kind));
  }

  /** Makes what every entry configures. */
  makeAll(problems: Problem[]): void {
    for (const [name, slot] of [...this.#slots])
      if (slot.state === 'waiting') this.#make(this.#entries.get(name)!, problems);
  }

  /**
   * The instance that the value at `place` names, made now if need be. Undefined, with a problem, when there is none or
   * it is of another kind; undefined without one when its own entry had a problem already.
   */
  refer(name: string, kind: PluginKind, place: CheckPlace): Plugin | undefined {
    const entry = this.#entries.get(name) ?? { name, type: name, path: place.path };
    const definition = this.#options.registry.get(entry.type);
    if (definition === undefined) {
      if (!this.#entries.has(name)) place.problems.push(this.#unknown(name, kind, place.path));
      this.#slots.set(name, { state: 'failed' });
      return undefined;
    }
    if (!definition.kinds.includes(kind)) {
      place.problems.push(this.#wrongKind(definition, kind, { path: place.path, name }));
      return undefined;
    }
    if (this.#making.includes(name)) {
      const circle = [...this.#making.slice(this.#making.indexOf(name)), name].join(' → ');
      place.problems.push({ path: place.path, message: `cycle detected: ${circle}`, value: name });
      return undefined;
    }
    if ((this.#slots.get(name) ?? { state: 'waiting' }).state === 'waiting') this.#make(entry, place.problems);
    const slot = this.#slots.get(name);
    return slot?.state === 'made' ? slot.instance : undefined;
  }

  #make(entry: PluginEntry, problems: Problem[]): void {
    this.#slots.set(entry.name, { state: 'making' });
    this.#making.push(entry.name);
    const found: Problem[] = [];
    const record = this.#tryMake(entry, found);
    this.#making.pop();
    problems.push(...(this.#entries.has(entry.name) ? found : found.map((problem) => withoutEntry(entry, problem))));
    this.#slots.set(entry.name, record === undefined ? { state: 'failed' } : { state: 'made', ...record });
  }

  #tryMake(entry: PluginEntry, problems: Problem[]): PluginRecord | undefined {
    const definition = this.#options.registry.get(entry.type);
    if (definition === undefined) return void problems.push(this.#unknownType(entry));
    const path = [...entry.path, 'parameters'];
    const checked = checkParameters(definition.parameters, entry.parameters, path);
    problems.push(...(checked.problems ?? []));
    if (definition.stability === 'alpha' && !this.#options.allowExperimental) problems.push(experimental(entry));
    if (checked.problems !== undefined) return undefined;
    for (const reference of referencesIn(definition.parameters, checked.values, path)) {
      this.refer(reference.name, reference.kind, { path: reference.path, problems });
    }
    return problems.length > 0 ? undefined : this.#create(entry, { definition, parameters: checked.values }, problems);
  }

  #create(entry: PluginEntry, made: Omit<PluginRecord, 'instance'>, problems: Problem[]): PluginRecord | undefined {
    const { definition, parameters } = made;
    const { name, type } = entry;
    try {
      const instance = definition.create({ name, type, parameters, handle: this, random: this.#options.random });
      const fault = instanceFault(instance, definition, name);
      if (fault !== undefined) throw new PluginError(fault);
      return { instance, definition, parameters };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      problems.push({
        path: entry.path,
        message: `failed to create plugin '${name}' (type: ${type}): ${why}`,
        value: name,
      });
      return undefined;
    }
  }

  #unknownType({ path, type }: PluginEntry): Problem {
    const { registry } = this.#options;
    const why = registry.whyUnavailable(type);
    const at = { path: [...path, 'type'], value: type, allowed: 'a registered plugin type' };
    if (why !== undefined) return { ...at, message: `plugin type '${type}' ${why}` };
    const suggestion = nearestName(type, registry.types());
    const message = `plugin type '${type}' is not registered${meant(suggestion)}`;
    return suggestion === undefined ? { ...at, message } : { ...at, message, suggestion };
  }

  #unknown(name: string, kind: PluginKind, path: Path): Problem {
    const { registry } = this.#options;
    const why = registry.whyUnavailable(name);
    const at = { path, value: name, allowed: `the name of ${nounsOf([kind])}: ${this.#namesOf(kind).join(', ')}` };
    if (why !== undefined) return { ...at, message: `plugin \`${name}\` ${why}` };
    const others = [...this.#entries.keys(), ...registry.types()];
    const suggestion = nearestName(name, this.#namesOf(kind)) ?? nearestName(name, others);
    const end = suggestion === undefined ? `; allowed is ${at.allowed}` : meant(suggestion);
    const message = `unknown plugin \`${name}\` at ${dotted(path)}${end}`;
    return suggestion === undefined ? { ...at, message } : { ...at, message, suggestion };
  }

  #wrongKind(definition: PluginDefinition, kind: PluginKind, at: { path: Path; name: string }): Problem {
    const suggestion = nearestName(at.name, this.#namesOf(kind));
    const allowed = this.#namesOf(kind).join(', ');
    const is = `plugin \`${at.name}\` at ${dotted(at.path)} is ${nounsOf(definition.kinds)}; wanted is ${nounsOf([kind])}`;
    const message = `${is}${suggestion === undefined ? ` (${allowed})` : meant(suggestion)}`;
    const problem = {
      path: at.path,
      message,
      value: at.name,
      allowed: `the name of a ${KINDS[kind].noun}: ${allowed}`,
    };
    return suggestion === undefined ? problem : { ...problem, suggestion };
  }

  /** What a reference of this kind could say: configured names first, then types that need no entry. */
  #namesOf(kind: PluginKind): string[] {
    const { registry } = this.#options;
    const configured = [...this.#entries.values()].filter(({ type }) => registry.get(type)?.kinds.includes(kind));
    return [...new Set([...configured.map(({ name }) => name), ...registry.types(kind)])];
  }
}

function experimental({ path, name, type }: PluginEntry): Problem {
  const flag = '--allow-experimental-plugins';
  const message = `plugin '${name}' (type: '${type}') has Alpha stability level, but command line flag ${flag} is not set`;
  return { path: [...path, 'type'], message, value: type, suggestion: flag };
}

/** A problem of a plugin that has no entry of its own, told at the reference that asked for it. */
function withoutEntry(entry: PluginEntry, problem: Problem): Problem {
  const parameter = problem.path.slice(entry.path.length);
  if (parameter[0] !== 'parameters' || parameter.length < 2) return { ...problem, path: entry.path };
  const message = `\`${entry.type}\` needs an entry in plugins: ${dotted(parameter)} ${problem.message}`;
  return { ...problem, path: entry.path, value: entry.name, message };
}
