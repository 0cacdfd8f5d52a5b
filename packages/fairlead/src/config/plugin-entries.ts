// SPDX-License-Identifier: Apache-2.0

/** The `plugins` list: from what the file says to entries that can be made, and back. */

import path from 'node:path';
import { renderParameters } from '@fairlead/core';
import type { Path, PluginDefinition, PluginEntry, PluginHandle, Problem } from '@fairlead/core';
import { isPath } from './modules.ts';
import type { ModuleReference } from './modules.ts';
import type { ConfigFields } from './schema.ts';

/** Every `module` field. */
export function moduleReferences({ plugins }: ConfigFields): ModuleReference[] {
  return plugins.flatMap((plugin, index) =>
    plugin?.module === undefined ? [] : [{ module: plugin.module, path: ['plugins', index, 'module'] }],
  );
}

/** A module that defines one type need not be told it again. */
export function pluginEntries(
  { plugins }: ConfigFields,
  definitions: ReadonlyMap<string, readonly PluginDefinition[]>,
  problems: Problem[],
): PluginEntry[] {
  return plugins.flatMap((plugin, index): PluginEntry[] => {
    if (plugin === undefined) return [];
    const at: Path = ['plugins', index];
    const defined = plugin.module === undefined ? undefined : definitions.get(plugin.module);
    const type = plugin.type ?? (defined?.length === 1 ? defined[0]?.type : undefined);
    if (type !== undefined && type !== '' && defined?.length !== 0) {
      return [{ name: plugin.name ?? type, type, parameters: plugin.parameters, path: at }];
    }
    const typeAt = [...at, 'type'];
    // A module that cannot be loaded, or a type that is no text, was told already.
    if (defined?.length !== 0 && !problems.some((problem) => problem.path.join() === typeAt.join())) {
      problems.push({ path: typeAt, message: `plugin '${plugin.name ?? ''}' is missing a type` });
    }
    return [{ name: plugin.name ?? type ?? '', type: '', path: at, broken: true }];
  });
}

/** What was made, as a `plugins` list; `filled` are parameters that other sections gave. */
export function pluginDocuments(
  handle: PluginHandle,
  modules: ReadonlyMap<string, string>,
  filled: ReadonlyMap<string, Readonly<Record<string, unknown>>>,
): readonly Readonly<Record<string, unknown>>[] {
  return handle.records().map(({ instance, definition, parameters }) => {
    const given: Record<string, unknown> = {
      ...renderParameters(definition.parameters, parameters),
      ...filled.get(instance.name),
    };
    // In one order, whoever gave them: the document has to read the same when it is loaded and written again.
    const names = Object.keys(definition.parameters).filter((name) => given[name] !== undefined);
    const rendered = Object.fromEntries(names.map((name) => [name, given[name]]));
    const module = modules.get(instance.name);
    return {
      name: instance.name,
      type: instance.type,
      ...(module === undefined ? {} : { module }),
      ...(Object.keys(rendered).length === 0 ? {} : { parameters: rendered }),
    };
  });
}

/** A module's `module` field as it reads from anywhere: relative paths are relative to one file. */
export function portableModule(module: string, directory: string): string {
  return isPath(module) ? path.resolve(directory, module) : module;
}
