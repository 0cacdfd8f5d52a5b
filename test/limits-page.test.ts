// SPDX-License-Identifier: Apache-2.0

/** docs/limits.md against the schema, in both directions, and against the tests that it names. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { gatewayFields } from '../packages/fairlead/src/config/schema-gateway.ts';
import { configurationReferencePath } from '../tools/configuration-reference.ts';
import { readSources } from '../tools/sources.ts';

const root = path.dirname(import.meta.dirname);
const page = readFileSync(path.join(root, 'docs/limits.md'), 'utf8');
const configuration = readFileSync(configurationReferencePath, 'utf8');
const rows = (text: string): string[][] =>
  [...text.matchAll(/^\|(.+)\|$/gm)].map(([, cells = '']) => cells.split(/(?<!\\)\|/).map((cell) => cell.trim()));
const limits = rows(page).filter(([name]) => name !== undefined && !/^(-+|Limit)$/.test(name));

test('docs/limits.md has every size, number and time of the gateway', () => {
  const onPage = new Set(limits.map(([name]) => name));
  for (const [name, { type }] of Object.entries(gatewayFields)) {
    if (type === 'boolean' || type === 'list') continue;
    assert.ok(onPage.has(`\`gateway.${name}\``), `${name} is not in docs/limits.md`);
  }
});

test('docs/limits.md has no field that the configuration has not, and no other default', () => {
  const defaults = new Map(rows(configuration).map(([name, , value]) => [name, value]));
  const fields = limits.filter(([name]) => name?.startsWith('`'));
  assert.ok(fields.length > 0);
  for (const [name = '', value] of fields) assert.equal(value, defaults.get(name), name);
});

test('docs/limits.md names tests that exist', () => {
  const titles = readSources(root)
    .filter((source) => source.path.endsWith('.test.ts') && source.path !== 'test/limits-page.test.ts')
    .flatMap(({ text }) => [...text.matchAll(/(?:it\(|title: |\[)'((?:[^'\\]|\\.)+)'/g)].map(([, title]) => title));
  const known = new Set(titles);
  for (const row of limits) {
    const shown = /^"(.+)"$/.exec(row.at(-1) ?? '')?.[1];
    assert.ok(shown !== undefined && known.has(shown), `no test is called ${row.at(-1)}`);
  }
});
