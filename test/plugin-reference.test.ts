// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { createDefaultRegistry } from '../packages/fairlead/src/config/default-registry.ts';
import { REFERENCE_TYPES } from '../packages/fairlead/src/config/known-types.ts';
import { pluginReference, pluginReferencePath } from '../tools/plugin-reference.ts';

const definitions = createDefaultRegistry().definitions();

test('docs/plugins/ is what the plugins say of themselves (to write it again: node --conditions=development tools/plugin-reference.ts)', async () => {
  const pages = await pluginReference(definitions);
  assert.deepEqual(readdirSync(pluginReferencePath).sort(), [...pages.keys()].sort());
  for (const [name, text] of pages) {
    assert.equal(readFileSync(path.join(pluginReferencePath, name), 'utf8'), text, name);
  }
});

test('every plugin has a page with all of its parameters, and stands in the index', async () => {
  const pages = await pluginReference(definitions);
  for (const { type, parameters } of definitions) {
    const page = pages.get(`${type}.md`) ?? '';
    for (const name of Object.keys(parameters)) assert.ok(page.includes(`\`${name}\``), `${type} lacks ${name}`);
    assert.ok(pages.get('README.md')?.includes(`[${type}](${type}.md)`), `the index lacks ${type}`);
  }
  assert.equal(pages.size, definitions.length + 1);
});

test('docs/compatibility.md lists every plugin of the reference that is not in the box, and no other', () => {
  const page = readFileSync(path.join(pluginReferencePath, '..', 'compatibility.md'), 'utf8');
  const section = page.split('\n## ').find((text) => text.startsWith('Plugins that are not here\n')) ?? '';
  const listed = [...section.matchAll(/`([a-z0-9-]+)`/g)].map(([, type]) => type);
  const present = new Set(definitions.map(({ type }) => type));
  assert.deepEqual(listed.sort(), REFERENCE_TYPES.filter((type) => !present.has(type)).sort());
});
