// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { configFields } from '../packages/fairlead/src/config/schema.ts';
import { loadConfig } from '../packages/fairlead/src/config/load.ts';
import { configurationReference, configurationReferencePath, fieldPaths } from '../tools/configuration-reference.ts';

const page = readFileSync(configurationReferencePath, 'utf8');

test('docs/configuration.md is what the schema says (to write it again: node --conditions=development tools/configuration-reference.ts)', async () => {
  assert.equal(page, await configurationReference(configFields));
});

test('docs/configuration.md has every field of the schema, and the schema every field of the page', () => {
  const inSchema = fieldPaths(configFields);
  const onPage = [...page.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name!);
  assert.deepEqual([...new Set(onPage)].sort(), [...inSchema].sort());
});

test('the example of docs/configuration.md loads', async () => {
  const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1];
  assert.notEqual(example, undefined);
  assert.deepEqual((await loadConfig({ text: example, defaults: 'serve' })).problems, undefined);
});
