// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { createDefaultRegistry } from '../packages/fairlead/src/config/default-registry.ts';
import { pluginReference, pluginReferencePath } from '../tools/plugin-reference.ts';

const definitions = createDefaultRegistry().definitions();

test('docs/plugins.md is what the plugins say of themselves (to write it again: node --conditions=development tools/plugin-reference.ts)', async () => {
  assert.equal(readFileSync(pluginReferencePath, 'utf8'), await pluginReference(definitions));
});

test('docs/plugins.md has every plugin once, with all of its parameters', async () => {
  const page = await pluginReference(definitions);
  for (const { type, parameters } of definitions) {
    const sections = page.split('\n### ').filter((section) => section.startsWith(`${type}\n`));
    assert.equal(sections.length, 1, `${type} stands ${sections.length} times`);
    for (const name of Object.keys(parameters))
      assert.ok(sections[0]?.includes(`\`${name}\``), `${type} lacks ${name}`);
  }
});
