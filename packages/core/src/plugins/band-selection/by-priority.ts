// SPDX-License-Identifier: Apache-2.0

/** What band selection policies are told of each band: a number for a priority, named once. */

import { PluginError } from '../../plugin-registry/plugin.ts';

/**
 * A list of priorities with a number each, as a map.
 *
 * @throws PluginError when a priority is named twice.
 */
export function byPriority<K extends string>(
  parameter: string,
  list: readonly ({ readonly priority: number } & Readonly<Record<K, number>>)[],
  key: K,
): ReadonlyMap<number, number> {
  const map = new Map<number, number>();
  for (const [index, { priority, [key]: value }] of list.entries()) {
    if (map.has(priority)) throw new PluginError(`${parameter}[${index}].priority: ${priority} is named twice`);
    map.set(priority, value);
  }
  return map;
}
