// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { builtins } from '@fairlead/core/plugins';
import * as testing from '@fairlead/core/testing';
import { createDefaultRegistry } from '../packages/fairlead/src/config/default-registry.ts';

/** Kinds that are a matter of bytes and sockets, which have stories instead of a suite. */
const ADAPTERS = ['data-source', 'extractor', 'discovery', 'parser'];

test('whatever the default registry has beside the plugins of the core, which run the suites, is an adapter', () => {
  for (const definition of createDefaultRegistry().definitions()) {
    if (builtins.includes(definition)) continue;
    for (const kind of definition.kinds) assert.ok(ADAPTERS.includes(kind), `${definition.type} is a ${kind} plugin`);
  }
});

test('docs/plugin-conformance.md names every suite, and no other', () => {
  const page = readFileSync(path.join(import.meta.dirname, '../docs/plugin-conformance.md'), 'utf8');
  const suites = Object.keys(testing).filter((name) => name.endsWith('Conformance'));
  const named = [...page.matchAll(/`(\w+Conformance)`/g)].map(([, name]) => name);
  assert.deepEqual(named.sort(), suites.sort());
});
