// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { loadConfig } from './load.ts';
import { MAX_CONFIG_BYTES, readConfig } from './read.ts';
import { configFields } from './schema.ts';

function problemsOf(text: string): string[] {
  return readConfig(text).problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

describe('reading YAML', () => {
  it('knows the place of every key and value, and of what is around a missing one', () => {
    const read = readConfig('a:\n  b:\n    - c: 1\n    - c: two # here\n');
    assert.deepEqual(read.value, { a: { b: [{ c: 1 }, { c: 'two' }] } });
    assert.deepEqual(read.locate(['a', 'b', 1, 'c']), { line: 4, column: 10 });
    assert.deepEqual(read.locate(['a', 'b', 1, 'c'], 'key'), { line: 4, column: 7 });
    assert.deepEqual(read.locate(['a', 'b', 1, 'd']), { line: 4, column: 7 });
    assert.deepEqual(read.locate(['a', 'x', 'y']), { line: 1, column: 1 });
    assert.deepEqual(read.locate(['z']), { line: 1, column: 1 });
  });

  it('reads JSON, with its tabs', () => {
    assert.deepEqual(readConfig('{\n\t"a": [1, true, null, "x"]\n}').value, { a: [1, true, null, 'x'] });
  });

  it('follows aliases and merge keys, what is written out winning', () => {
    const { value } = readConfig('a: &x {p: 1, q: 2}\nb: *x\nc: {<<: *x, q: 3}\nd: {<<: [{p: 9}, *x]}\n');
    assert.deepEqual(value, { a: { p: 1, q: 2 }, b: { p: 1, q: 2 }, c: { p: 1, q: 3 }, d: { p: 9, q: 2 } });
  });

  it('refuses what would be read differently elsewhere, or is a mistake, at its place', () => {
    const cases: [string, string][] = [
      ['', '1:1 is empty: a configuration has apiVersion and kind'],
      ['# nothing\n', '1:1 is empty: a configuration has apiVersion and kind'],
      ['a: 1\nb: 2\na: 3\n', '3:1 duplicate key "a"'],
      ['a:\n\t- b\n', '2:1 a tab cannot indent YAML: use spaces'],
      ['a: 1\n---\nb: 2\n', '2:1 a second document starts here: a configuration is one document'],
      ['a: 010\n', '1:4 "010" is another number in other YAML versions: leave the leading 0 out'],
      ['a: *b\n', '1:4 there is no anchor "b" before this alias'],
      ['a: !foo b\n', '1:4 the tag "!foo" is not known here'],
      ['a: !!binary aGk=\n', '1:13 the tag "tag:yaml.org,2002:binary" is not used in configuration'],
      ['? [a]\n: 1\n', '1:3 a key must be plain text'],
      ['__proto__: {x: 1}\n', '1:1 the key "__proto__" is not allowed'],
      ['a: {constructor: 1}\n', '1:5 the key "constructor" is not allowed'],
      ['a: {<<: 1}\n', '1:9 a merge key (`<<`) must name a mapping or a list of them'],
    ];
    for (const [text, expected] of cases) assert.deepEqual(problemsOf(text), [expected], JSON.stringify(text));
    assert.match(problemsOf('a: [1, 2\n')[0] ?? '', /^2:1 not valid YAML: /);
  });

  it('is bounded in size, depth and aliases', () => {
    assert.match(problemsOf(' '.repeat(MAX_CONFIG_BYTES + 1))[0] ?? '', /larger than/);
    assert.match(problemsOf(`a: ${'['.repeat(200)}${']'.repeat(200)}`)[0] ?? '', /nested/);
    assert.match(problemsOf(`a: ${'['.repeat(3_000)}`)[0] ?? '', /nested/);
    const laughs = Array.from(
      { length: 9 },
      (_, level) => `l${level + 1}: &l${level + 1} [${`*l${level}, `.repeat(9)}]\n`,
    );
    assert.match(problemsOf(`l0: &l0 [x]\n${laughs.join('')}`).join(), /more than 50000 values/);
    assert.match(problemsOf('a: &a [*a]\n').join(), /nested more than|no anchor/);
  });

  it('finds duplicates among very many keys without delay', () => {
    const keys = Array.from({ length: 40_000 }, (_, index) => `k${index}: 1`).join('\n');
    assert.deepEqual(problemsOf(keys), []);
    assert.deepEqual(problemsOf(`${keys}\nk7: 2`), ['40001:1 duplicate key "k7"']);
  });
});

describe('whatever the text is', () => {
  const head = 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n';
  const settled = async (text: string) => {
    const loaded = await loadConfig({ text, defaults: 'serve' });
    if (loaded.ok === undefined) assert.ok(loaded.problems.length > 0);
    for (const { line, column } of loaded.problems ?? []) assert.ok(line >= 1 && column >= 1);
  };

  it('loading gives a configuration or problems, never an exception', async () => {
    const near = fc
      .array(fc.constantFrom(...'ab:-[]{}&*!|>\'"%@`#,?\n\t 01~<'), { maxLength: 60 })
      .map((parts) => parts.join(''));
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          near,
          near.map((text) => head + text),
        ),
        settled,
      ),
      { numRuns: 100 },
    );
  });

  it('the same holds for any data under known names', async () => {
    const scalar = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.double(),
      fc.boolean(),
      fc.constant(null),
      fc.constantFrom('1s', '1Mi', 'queue-scorer'),
    );
    const names = [
      'pluginRef',
      'name',
      'type',
      'parameters',
      'priority',
      'url',
      'sha256',
      'weight',
      'plugins',
      'sources',
      'extractors',
      'keys',
      'tenant',
      'fairnessPolicyRef',
      'maxBytes',
      'priorityBands',
      'parsers',
      'discovery',
      'labels',
      'models',
    ];
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        scalar,
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 5 }),
      ),
    }));
    const file = fc.dictionary(fc.constantFrom(...Object.keys(configFields)), value, { maxKeys: 6 });
    const texts = fc.oneof(
      file,
      file.map((fields) => ({ ...fields, apiVersion: 'llm-d.ai/v1alpha1', kind: 'EndpointPickerConfig' })),
    );
    await fc.assert(
      fc.asyncProperty(texts, (fields) => settled(stringify(fields))),
      { numRuns: 100 },
    );
  });
});
