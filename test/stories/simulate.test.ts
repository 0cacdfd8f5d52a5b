// SPDX-License-Identifier: Apache-2.0

/** `fairlead simulate` as it is typed, with the examples. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { SimulationResult } from '../../packages/fairlead/src/simulate/result.ts';

const root = path.resolve(import.meta.dirname, '../..');
const examples = globSync('examples/scenarios/*.yaml', { cwd: root });

function fairlead(...words: readonly string[]): { code: number | null; stdout: string; stderr: string } {
  const main = path.join(root, 'packages/fairlead/src/cli/main.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--conditions=development', main, ...words], {
    cwd: root,
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}

describe('fairlead simulate', () => {
  for (const example of examples) {
    it(`plays ${example}, and says what became of each tenant`, () => {
      const { code, stdout, stderr } = fairlead('simulate', example, '--json');
      assert.equal(code, 0, stderr);
      const { schema, tenants } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as SimulationResult;
      assert.equal(schema, 1);
      assert.ok(tenants.length > 1);
      for (const { name, share, entitlement, maxLagTokens } of tenants) {
        assert.ok(share > 0 && entitlement > 0 && maxLagTokens >= 0, name);
      }
    });
  }

  it('names every mistake of a scenario with its place, and plays nothing', () => {
    const { code, stdout, stderr } = fairlead('simulate', 'examples/configuration/fairlead.yaml');
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /^examples\/configuration\/fairlead.yaml:\d+:\d+: apiVersion: unknown field/m);
    assert.match(stderr, /^fairlead simulate: \d+ problems$/m);
  });
});
