// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { scenarioReference, scenarioReferencePath } from '../tools/scenario-reference.ts';

test('docs/simulate.md has every field of a scenario as it is checked', async () => {
  const page = readFileSync(scenarioReferencePath, 'utf8');
  assert.equal(page, await scenarioReference(page), 'run: node --conditions=development tools/scenario-reference.ts');
});
