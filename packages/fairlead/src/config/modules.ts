// SPDX-License-Identifier: Apache-2.0

/**
 * A user's own plugins: `plugins[].module` names a JavaScript module beside the configuration, which is imported, and
 * so run, when the configuration is loaded. Its default export, or `plugin`, is a definition or a list of them.
 */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire, findPackageJSON } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { definitionFault } from '@fairlead/core';
import type { Path, PluginDefinition, PluginRegistry, Problem } from '@fairlead/core';
import { isOutdated } from './imported-modules.ts';

/** One `module` field. */
export interface ModuleReference {
  readonly module: string;
  readonly path: Path;
}

export interface LoadedModules {
  /** The registry with the types that the modules define. */
  readonly registry: PluginRegistry;
  /** What each module defines, by the text of its `module` field. */
  readonly definitions: ReadonlyMap<string, readonly PluginDefinition[]>;
  /** `module` fields whose file is another than the one that runs: it counts after a restart. */
  readonly outdated: readonly Path[];
}

export interface ModulesPlace {
  /** Folder of the configuration file. */
  readonly directory: string;
  readonly registry: PluginRegistry;
  readonly problems: Problem[];
}

/** Imports every module once, in order. */
export async function loadModules(references: readonly ModuleReference[], place: ModulesPlace): Promise<LoadedModules> {
  let { registry } = place;
  const outdated: Path[] = [];
  const definitions = new Map<string, readonly PluginDefinition[]>();
  for (const reference of references) {
    if (definitions.has(reference.module)) continue;
    const found = await importDefinitions(reference, { ...place, outdated });
    const fresh = found.filter((definition) => registry.get(definition.type) !== definition);
    try {
      registry = registry.extend(fresh);
      definitions.set(reference.module, found);
    } catch (error) {
      refuse(reference, place, (error as Error).message);
      definitions.set(reference.module, []);
    }
  }
  return { registry, definitions, outdated };
}

async function importDefinitions(
  reference: ModuleReference,
  place: ModulesPlace & { readonly outdated: Path[] },
): Promise<readonly PluginDefinition[]> {
  try {
    const file = resolveModule(reference.module, place.directory);
    if (!existsSync(file)) {
      refuse(reference, place, `there is no file ${file}`);
      return [];
    }
    if (isOutdated(file)) place.outdated.push(reference.path);
    const module = (await import(pathToFileURL(file).href)) as {
      readonly default?: unknown;
      readonly plugin?: unknown;
    };
    const exported = module.default ?? module.plugin;
    if (exported === undefined) {
      refuse(
        reference,
        place,
        'exports no plugin: its default export, or `plugin`, must be a definition or a list of them',
      );
      return [];
    }
    const candidates: readonly unknown[] = Array.isArray(exported) ? exported : [exported];
    const faults = candidates.map(definitionFault).filter((fault) => fault !== undefined);
    for (const fault of faults) refuse(reference, place, fault);
    return faults.length === 0 ? (candidates as readonly PluginDefinition[]) : [];
  } catch (error) {
    refuse(reference, place, error instanceof Error ? error.message : String(error));
    return [];
  }
}

function refuse({ module, path: at }: ModuleReference, { problems }: ModulesPlace, why: string): void {
  problems.push({
    path: at,
    message: `cannot load plugin module '${module}': ${why.split('\n')[0] ?? ''}`,
    value: module,
  });
}

/** The file a `module` field means: a path when it looks like one, else a package found from the folder. */
export function resolveModule(module: string, directory: string): string {
  if (isPath(module)) return path.resolve(directory, module);
  const base = pathToFileURL(path.join(directory, 'configuration.js'));
  try {
    return createRequire(base).resolve(module);
  } catch (error) {
    // Packages that only offer `import` are not found by `require`, which is all that Node lets one ask from a folder.
    const found = importOnlyEntry(module, base);
    if (found === undefined) throw error;
    return found;
  }
}

/** Whether a `module` field is a path rather than the name of a package. */
export function isPath(module: string): boolean {
  return /^\.{0,2}[/\\]/.test(module) || path.isAbsolute(module);
}

function importOnlyEntry(name: string, base: URL): string | undefined {
  const manifestPath = findPackageJSON(name, base);
  if (manifestPath === undefined) return undefined;
  const manifest = JSON.parse(readFileSync(manifestPath, 'utf8')) as {
    readonly name?: string;
    readonly exports?: unknown;
  };
  const subpath = `.${name.slice(manifest.name?.length ?? name.length)}`;
  const { exports } = manifest;
  const isTable =
    typeof exports === 'object' && exports !== null && Object.keys(exports).some((key) => key.startsWith('.'));
  const target = entryOf(isTable ? (exports as Record<string, unknown>)[subpath] : exports);
  return target === undefined ? undefined : path.resolve(path.dirname(manifestPath), target);
}

function entryOf(target: unknown): string | undefined {
  if (typeof target === 'string') return target;
  if (typeof target !== 'object' || target === null) return undefined;
  const conditions = target as Record<string, unknown>;
  return entryOf(conditions['node'] ?? conditions['import'] ?? conditions['default']);
}
