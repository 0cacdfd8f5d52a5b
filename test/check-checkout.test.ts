// SPDX-License-Identifier: Apache-2.0

/** What `tools/check-checkout.cjs` says before the project's scripts run, in a checkout of its own. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';

const root = path.dirname(import.meta.dirname);

/** A folder with the tools and the manifests of the packages. */
function checkout(t: TestContext): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'fairlead-checkout-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const file of ['tools', 'packages/core/package.json', 'packages/fairlead/package.json']) {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    cpSync(path.join(root, file), path.join(folder, file), { recursive: true });
  }
  return folder;
}

function check(folder: string): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, ['tools/check-checkout.cjs'], { cwd: folder, encoding: 'utf8' });
}

describe('before a script of the project runs', () => {
  it('nothing is said when all is well', (t) => {
    const { status, stderr } = check(checkout(t));
    assert.deepEqual([status, stderr], [0, '']);
  });

  it('a packing that was cut off is named, with the command that puts the manifest back', (t) => {
    const folder = checkout(t);
    const manifest = path.join(folder, 'packages/core/package.json');
    const before = readFileSync(manifest, 'utf8');
    const cwd = path.dirname(manifest);
    spawnSync(process.execPath, ['../../tools/manifest.ts', 'publish'], { cwd });
    assert.notEqual(readFileSync(manifest, 'utf8'), before);
    const { status, stderr } = check(folder);
    assert.equal(status, 1);
    assert.match(stderr, /^`npm pack` is under way here, or was cut off: .*\n$/);
    const [, command] = /Put it back: (.*)\n$/.exec(stderr) ?? [];
    spawnSync('sh', ['-c', command!], { cwd: folder });
    assert.equal(readFileSync(manifest, 'utf8'), before);
    assert.ok(!existsSync(path.join(cwd, '.cache/package.json')));
    assert.equal(check(folder).status, 0);
  });
});
