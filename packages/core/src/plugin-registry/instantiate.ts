// SPDX-License-Identifier: Apache-2.0

/** Entries of a configuration to instances: all of them in dependency order, with every problem there is. */

import type { PluginEntry } from './entry.ts';
import { PluginHandle } from './handle.ts';
import type { HandleOptions } from './handle.ts';
import type { Problem } from './problem.ts';
import type { PluginRegistry } from './registry.ts';

export interface Instantiated {
  /** Holds what could be made, also when there are problems. */
  readonly handle: PluginHandle;
  readonly problems: readonly Problem[];
}

/** Makes one instance per entry; plugins that parameters refer to come first. */
export function instantiate(
  entries: readonly PluginEntry[],
  registry: PluginRegistry,
  options: Omit<HandleOptions, 'registry'>,
): Instantiated {
  const problems: Problem[] = [];
  const byName = new Map<string, PluginEntry>();
  for (const entry of entries) {
    if (byName.has(entry.name)) {
      problems.push({
        path: [...entry.path, 'name'],
        message: `duplicate plugin name '${entry.name}'`,
        value: entry.name,
      });
    } else {
      byName.set(entry.name, entry);
    }
  }
  const handle = new PluginHandle([...byName.values()], { ...options, registry });
  handle.makeAll(problems);
  return { handle, problems };
}
