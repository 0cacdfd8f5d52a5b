// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { DROPS } from '@fairlead/core';
import { dropReference, dropReferencePath } from '../tools/drop-reference.ts';

const page = readFileSync(dropReferencePath, 'utf8');

test('docs/drop-reasons.md is what the core drops for (to write it again: node --conditions=development tools/drop-reference.ts)', async () => {
  assert.equal(page, await dropReference());
});

test('docs/drop-reasons.md has every reason, and no other', () => {
  const onPage = [...page.matchAll(/^\| `([a-z-]+)`/gm)].map(([, reason]) => reason);
  const inCore = Object.values(DROPS).flatMap((drop) => ('reason' in drop ? [drop.reason] : []));
  assert.deepEqual(new Set(onPage), new Set(inCore));
});
