// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { DROPS } from '@fairlead/core';
import { Routes } from '../packages/fairlead/src/gateway/routes.ts';

const page = readFileSync(path.join(import.meta.dirname, '../docs/http.md'), 'utf8');

test('docs/http.md has every path that is relayed, and no other', () => {
  const table = page.slice(page.indexOf('## Paths'), page.indexOf('`gateway.relayedPaths`'));
  const onPage = [...table.matchAll(/(?:POST )?(\/[a-z0-9/_]+)`/g)].map(([, found]) => found!);
  const posted = onPage.filter((found) => found !== '/v1/models');
  const routes = new Routes([]);
  for (const found of posted) assert.equal(routes.find('POST', found).kind, 'inference', found);
  assert.deepEqual([...posted].sort(), [...routes.inferencePaths].sort());
});

test('docs/http.md has every reason for which a request is dropped', () => {
  for (const drop of Object.values(DROPS)) {
    if ('reason' in drop) assert.ok(page.includes(`\`${drop.reason}\``), drop.reason);
  }
});
