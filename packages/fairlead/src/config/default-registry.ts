// SPDX-License-Identifier: Apache-2.0

/** Every plugin type in the box: those of the core, and those that stand for input and output. */

import { PluginRegistry } from '@fairlead/core';
import { builtins } from '@fairlead/core/plugins';
import { dataPlugins } from './data-plugins.ts';
import { unavailableTypes } from './known-types.ts';

export function createDefaultRegistry(): PluginRegistry {
  const definitions = [...builtins, ...dataPlugins];
  return new PluginRegistry(definitions, { unavailable: unavailableTypes(definitions) });
}
