// SPDX-License-Identifier: Apache-2.0

/**
 * The instances made from one configuration. A plugin is made once, after those that its parameters refer to, and found
 * by name and kind ever after. A name without an entry that is a registered type is that type with its defaults, made
 * the first time somebody refers to it.
 */

import type { Random } from '../clock.ts';
import { checkParameters } from './check-parameters.ts';
import type { CheckPlace } from './check-parameters.ts';
import type { PluginEntry } from './entry.ts';
import { instanceFault, referencesIn } from './instance.ts';
import { nounsOf } from './kinds.ts';
import type { PluginKind } from './kinds.ts';
import { PluginError } from './plugin.ts';
import type { Plugin, PluginDefinition, PluginLookup } from './plugin.ts';
import { dotted } from './problem.ts';
import type { Problem } from './problem.ts';
import { cycle, experimental, unknownPlugin, unknownType, wrongKind } from './reference-problems.ts';
import type { KnownNames } from './reference-problems.ts';
import type { PluginRegistry } from './registry.ts';

/** One plugin that was made. */
export interface PluginRecord {
  readonly instance: Plugin;
  readonly definition: PluginDefinition;
  /** Checked, defaults included. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** The plugins it was made with; undefined when it looked at all of a kind. */
  readonly madeWith: readonly Plugin[] | undefined;
}

export interface HandleOptions {
  readonly registry: PluginRegistry;
  readonly random: Random;
  /** Alpha plugins may be used. */
  readonly allowExperimental: boolean;
  /**
   * What an earlier configuration made. An instance is used again, with all it remembers, when its name, type and
   * parameters are the same and so are the plugins it was made with.
   */
  readonly keep?: readonly PluginRecord[] | undefined;
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
      this.#slots.set(entry.name, { state: entry.broken === true ? 'failed' : 'waiting' });
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
    for (const [name, entry] of this.#entries) {
      // Making one may have made others before their turn.
      if (this.#slots.get(name)?.state === 'waiting') this.#make(entry, problems);
    }
  }

  /** What the plugin of this name is or would be; undefined when nobody knows it. */
  kindsOf(name: string): readonly PluginKind[] | undefined {
    return this.#options.registry.get(this.#entries.get(name)?.type ?? name)?.kinds;
  }

  /** The entries whose type is known, with what they are, in configuration order. */
  configured(): readonly (PluginEntry & { readonly kinds: readonly PluginKind[] })[] {
    return [...this.#entries.values()].flatMap((entry) => {
      const definition = this.#options.registry.get(entry.type);
      return definition === undefined ? [] : [{ ...entry, kinds: definition.kinds }];
    });
  }

  /**
   * The instance that the value at `place` names, made now if need be; of several kinds one is enough. Undefined, with a
   * problem, when there is none or it is of another kind; undefined without one when its own entry had a problem already.
   */
  refer(name: string, wanted: PluginKind | readonly PluginKind[], place: CheckPlace): Plugin | undefined {
    const kinds = typeof wanted === 'string' ? [wanted] : wanted;
    const entry = this.#entries.get(name);
    const definition = this.#options.registry.get(entry?.type ?? name);
    const reference = { name, kinds, path: place.path };
    if (definition === undefined && entry === undefined) {
      place.problems.push(unknownPlugin(reference, this.#names()));
    } else if (definition !== undefined && !kinds.some((kind) => definition.kinds.includes(kind))) {
      place.problems.push(wrongKind(reference, definition, this.#names()));
    } else if (this.#making.includes(name)) {
      place.problems.push(cycle(reference, this.#making));
    } else {
      if (!this.#slots.has(name) || this.#slots.get(name)?.state === 'waiting') {
        this.#make(entry ?? { name, type: name, path: place.path }, place.problems);
      }
      const slot = this.#slots.get(name);
      return slot?.state === 'made' ? slot.instance : undefined;
    }
    return undefined;
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
    if (definition === undefined) return void problems.push(unknownType(entry, this.#options.registry));
    const path = [...entry.path, 'parameters'];
    const checked = checkParameters(definition.parameters, entry.parameters, path);
    problems.push(...(checked.problems ?? []));
    if (definition.stability === 'alpha' && !this.#options.allowExperimental) problems.push(experimental(entry));
    if (checked.problems !== undefined) return undefined;
    const references = referencesIn(definition.parameters, checked.values, path).map(({ name, kind, path: at }) =>
      this.refer(name, kind, { path: at, problems }),
    );
    if (references.includes(undefined) || problems.length > 0) return undefined;
    return (
      this.#kept(entry, definition, checked.values) ??
      this.#create(entry, { definition, parameters: checked.values, madeWith: references as Plugin[] }, problems)
    );
  }

  /** What the earlier configuration made of the same. */
  #kept({ name }: PluginEntry, definition: PluginDefinition, parameters: unknown): PluginRecord | undefined {
    const record = this.#options.keep?.find(({ instance }) => instance.name === name);
    if (record?.definition !== definition || record.madeWith === undefined) return undefined;
    if (JSON.stringify(record.parameters) !== JSON.stringify(parameters)) return undefined;
    const isSame = record.madeWith.every((other) => this.#has(other));
    return isSame ? record : undefined;
  }

  #has(instance: Plugin): boolean {
    return this.records().some((record) => record.instance === instance);
  }

  #create(entry: PluginEntry, made: Omit<PluginRecord, 'instance'>, problems: Problem[]): PluginRecord | undefined {
    const { definition, parameters } = made;
    const { name, type } = entry;
    const handle = new NotedLookup(this, made.madeWith);
    try {
      const instance = definition.create({ name, type, parameters, handle, random: this.#options.random });
      const fault = instanceFault(instance, definition, name);
      if (fault !== undefined) throw new PluginError(fault);
      return { instance, definition, parameters, madeWith: handle.found };
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

  #names(): KnownNames {
    return { registry: this.#options.registry, entries: this.#entries };
  }
}

/** A lookup that notes what was found with it. */
class NotedLookup implements PluginLookup {
  readonly #handle: PluginHandle;
  /** Undefined when everything of a kind was looked at, which may be more the next time. */
  found: readonly Plugin[] | undefined;

  constructor(handle: PluginHandle, found: readonly Plugin[] | undefined) {
    this.#handle = handle;
    this.found = found;
  }

  get(name: string, kind: PluginKind): Plugin {
    const plugin = this.#handle.get(name, kind);
    this.found = this.found && [...this.found, plugin];
    return plugin;
  }

  all(kind: PluginKind): readonly Plugin[] {
    this.found = undefined;
    return this.#handle.all(kind);
  }
}

/** A problem of a plugin that has no entry of its own, told at the reference that asked for it. */
function withoutEntry(entry: PluginEntry, problem: Problem): Problem {
  const parameter = problem.path.slice(entry.path.length);
  if (parameter[0] !== 'parameters' || parameter.length < 2) return { ...problem, path: entry.path };
  const message = `\`${entry.type}\` needs an entry in plugins: ${dotted(parameter)} ${problem.message}`;
  return { ...problem, path: entry.path, value: entry.name, message };
}
