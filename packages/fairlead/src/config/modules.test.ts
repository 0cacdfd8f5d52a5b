// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { stringify } from 'yaml';
import { loadConfig } from './load.ts';

const head = 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n';

const policy = (type: string) => `{
  type: '${type}', kinds: ['ordering'], stability: 'beta', summary: 'Longest first.',
  parameters: { factor: { type: 'number', default: 1, doc: 'A factor.' } },
  create: ({ type, name, parameters }) => ({ type, name, rank: (waiting) => -waiting.request.sizeBytes * parameters.factor }),
}`;

describe("a user's own plugin", () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'fairlead-modules-'));
    const files: Record<string, string> = {
      'policy.mjs': `export default ${policy('longest-first')};`,
      'named.mjs': `export const plugin = [${policy('one')}, ${policy('two')}];`,
      'nothing.mjs': 'export const other = 1;',
      'wrong.mjs': "export default { type: 'x', kinds: ['wheel'] };",
      'throws.mjs': "throw new Error('no luck');",
      'clash.mjs': `export default ${policy('fcfs-ordering-policy')};`,
      'hollow.mjs':
        "export default { type: 'hollow', kinds: ['ordering'], stability: 'beta', summary: '', parameters: {}, create: ({ type, name }) => ({ type, name }) };",
      'node_modules/esm-policy/package.json': JSON.stringify({
        name: 'esm-policy',
        type: 'module',
        exports: { '.': { import: './index.js' } },
      }),
      'node_modules/esm-policy/index.js': `export default ${policy('from-package')};`,
      'node_modules/main-policy/package.json': JSON.stringify({
        name: 'main-policy',
        type: 'module',
        main: './main.js',
      }),
      'node_modules/main-policy/main.js': `export default ${policy('from-main')};`,
    };
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      writeFileSync(path.join(folder, name), text);
    }
  });

  after(() => rmSync(folder, { recursive: true }));

  function load(text: string) {
    const file = path.join(folder, 'fairlead.yaml');
    writeFileSync(file, head + text);
    return loadConfig({ file, defaults: 'serve' });
  }

  async function problems(text: string): Promise<string[]> {
    const { problems: found = [] } = await load(text);
    return found.map(({ line, column, path: at, message }) => `${line}:${column} ${at}: ${message}`);
  }

  it('is loaded from a path beside the file, with parameters, and used by its name', async () => {
    const { ok } = await load(`plugins:
  - {name: longest, type: longest-first, module: ./policy.mjs, parameters: {factor: 2}}
flowControl: {defaultPriorityBand: {orderingPolicyRef: longest}}`);
    const { ordering } = ok!.flowControl.defaultBand;
    assert.equal(ordering.name, 'longest');
    assert.equal(ordering.rank({ request: { sizeBytes: 3 } } as never), -6);
  });

  it('is loaded from a package found from the file, also one that can only be imported', async () => {
    const { ok } = await load(
      `plugins: [{type: from-package, module: esm-policy}, {type: from-main, module: main-policy}]`,
    );
    assert.deepEqual(
      ok?.plugins.slice(0, 2).map(({ type }) => type),
      ['from-package', 'from-main'],
    );
  });

  it('need not be told its type again when the module defines one', async () => {
    const { ok } = await load('plugins: [{module: ./policy.mjs}]');
    assert.equal(ok?.plugins[0]?.name, 'longest-first');
  });

  it('may come with others in one module, imported once', async () => {
    const { ok } = await load('plugins: [{type: one, module: ./named.mjs}, {type: two, module: ./named.mjs}]');
    assert.deepEqual(
      ok?.plugins.slice(0, 2).map(({ name }) => name),
      ['one', 'two'],
    );
  });

  it('is still found when the whole configuration is written out elsewhere', async () => {
    const first = await load(
      'plugins: [{name: longest, module: ./policy.mjs}]\nflowControl: {defaultPriorityBand: {orderingPolicyRef: longest}}',
    );
    const second = await loadConfig({ text: stringify(first.ok && first.document), defaults: 'reference' });
    assert.equal(second.ok?.flowControl.defaultBand.ordering.name, 'longest');
  });

  it('that cannot be loaded is one problem at its place, and no more for those who refer to it', async () => {
    const use = (module: string, type = 'x') =>
      problems(
        `plugins:\n  - {type: ${type}, module: ${module}}\nflowControl: {defaultPriorityBand: {orderingPolicyRef: ${type}}}`,
      );
    const at = '4:23 plugins[0].module: cannot load plugin module';
    assert.match(
      (await use('./missing.mjs')).join('\n'),
      /^4:23 plugins\[0\]\.module: cannot load plugin module '\.\/missing\.mjs': there is no file [^\n]*missing\.mjs$/,
    );
    assert.match((await use('no-such-package')).join('\n'), /^4:23 plugins\[0\]\.module: [^\n]*no-such-package[^\n]*$/);
    assert.deepEqual(await use('./throws.mjs'), [`${at} './throws.mjs': no luck`]);
    assert.deepEqual(await use('./nothing.mjs'), [
      `${at} './nothing.mjs': exports no plugin: its default export, or \`plugin\`, must be a definition or a list of them`,
    ]);
    assert.match(
      (await use('./wrong.mjs')).join('\n'),
      /^4:23 [^\n]*'x': `kinds` must be a list of [^\n]*fairness, [^\n]*$/,
    );
    assert.match(
      (await problems('plugins: [{type: fcfs-ordering-policy, module: ./clash.mjs}]'))[0] ?? '',
      /'fcfs-ordering-policy' is registered twice/,
    );
    assert.match(
      (await use('./hollow.mjs', 'hollow')).join('\n'),
      /^4:5 plugins\[0\]: failed to create plugin 'hollow' \(type: hollow\): an ordering policy must have rank\(\)$/,
    );
  });
});
