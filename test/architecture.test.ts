// SPDX-License-Identifier: Apache-2.0

/**
 * The arrows that must never exist (ARCHITECTURE.md, "Rooms"), checked against every source. Each rule is also shown
 * an example that breaks it, so that a renamed folder or a parser's change cannot make it pass for nothing.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { arrows, breaches, cycles, impurities } from '../tools/arrows.ts';
import { isCode, readSources } from '../tools/sources.ts';
import type { Breach } from '../tools/sources.ts';

const root = path.dirname(import.meta.dirname);
const sources = readSources(root).filter(isCode);

function lines(found: readonly Breach[]): string[] {
  return found.map((breach) => `${breach.path}:${breach.line}: ${breach.message}`);
}

describe('the architecture', () => {
  it('is read from real sources of both packages', () => {
    for (const folder of ['packages/core/src/', 'packages/fairlead/src/']) {
      assert.ok(
        sources.some((source) => source.path.startsWith(folder)),
        `no source in ${folder}`,
      );
    }
  });

  for (const arrow of arrows) {
    it(`holds that ${arrow.rule}`, () => {
      assert.deepEqual(lines(breaches(arrow, sources)), []);
      const [file, specifier] = arrow.example;
      for (const text of [
        `import { x } from '${specifier}';`,
        `import type { X } from '${specifier}';`,
        `export { x } from '${specifier}';`,
        `const x = await import('${specifier}');`,
        `let x: import('${specifier}').X;`,
      ]) {
        assert.equal(breaches(arrow, [{ path: file, text }]).length, 1, `blind to: ${text} in ${file}`);
      }
      const harmless = { path: file, text: `import { x } from './beside.ts'; // from '${specifier}'` };
      assert.deepEqual(breaches(arrow, [harmless]), []);
    });
  }

  it('keeps clock, timers, randomness, host and output out of the core', () => {
    assert.deepEqual(lines(impurities(sources)), []);
    const file = 'packages/core/src/flow-control/expiry.ts';
    for (const text of [
      'const now = Date.now();',
      'const at = new Date();',
      'const r = Math.random();',
      'setTimeout(() => 1, 5);',
      'queueMicrotask(f);',
      'const t = performance.now();',
      'console.log(1);',
      'const env = process.env;',
      'globalThis.setInterval(f, 1);',
    ]) {
      assert.equal(impurities([{ path: file, text }]).length, 1, `blind to: ${text}`);
    }
    const harmless =
      'clock.performance; const o = { process: 1 }; interface P { console: number } Math.max(1, 2); // Date.now()';
    assert.deepEqual(impurities([{ path: file, text: harmless }]), []);
    assert.deepEqual(impurities([{ path: file.replace('.ts', '.test.ts'), text: 'Date.now();' }]), []);
  });

  it('has no import cycles', () => {
    assert.deepEqual(cycles(sources), []);
    const ring = ['a', 'b', 'c'].map((name, index) => ({
      path: `x/${name}.ts`,
      text: `import type { T } from './${['b', 'c', 'a'][index]}.ts';`,
    }));
    assert.deepEqual(cycles(ring), [['x/a.ts', 'x/b.ts', 'x/c.ts', 'x/a.ts']]);
    assert.deepEqual(cycles(ring.slice(0, 2)), []);
  });

  it('gives the core no dependencies at all', () => {
    const manifest = JSON.parse(readFileSync(path.join(root, 'packages/core/package.json'), 'utf8')) as object;
    const kinds = Object.keys(manifest).filter((key) => /dependencies$/i.test(key));
    assert.deepEqual(kinds, []);
  });
});
