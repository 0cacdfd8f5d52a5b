// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { cliReference, cliReferencePath, loadedCommands } from '../tools/cli-reference.ts';

const page = readFileSync(cliReferencePath, 'utf8');

test('docs/cli.md is what the commands say (to write it again: node --conditions=development tools/cli-reference.ts)', async () => {
  assert.equal(page, await cliReference(await loadedCommands()));
});

test('docs/cli.md has every command and flag, and no other', async () => {
  const all = await loadedCommands();
  const onPage = [...page.matchAll(/^\| `--([a-z0-9-]+)/gm)].map(([, name]) => name);
  assert.deepEqual(
    onPage,
    all.flatMap((command) => command.flags.map((flag) => flag.name)),
  );
  const headings = [...page.matchAll(/^## fairlead (\S+)$/gm)].map(([, name]) => name);
  assert.deepEqual(
    headings,
    all.map((command) => command.name),
  );
});
