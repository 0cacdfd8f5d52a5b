// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PluginEntry } from './entry.ts';
import { instantiate } from './instantiate.ts';
import type { PluginKind } from './kinds.ts';
import { definePlugin, PluginError } from './plugin.ts';
import type { PluginDefinition, Stability } from './plugin.ts';
import type { Problem } from './problem.ts';
import { dotted } from './problem.ts';
import { PluginRegistry } from './registry.ts';

/** Remembers the order in which instances are made. */
function kernel() {
  const made: string[] = [];
  const define = (type: string, kinds: readonly PluginKind[], stability: Stability = 'stable') =>
    definePlugin({
      type,
      kinds,
      stability,
      summary: 'A part.',
      parameters: {
        needs: { type: 'plugin-ref', kind: 'producer', doc: 'Another part.' },
        size: { type: 'integer', default: 1, min: 1, doc: 'A size.' },
      },
      create: ({ name, parameters, handle }) => {
        if (parameters.needs !== undefined) handle.get(parameters.needs, 'producer');
        made.push(name);
        return { type, name, size: parameters.size };
      },
    });
  const definitions: PluginDefinition[] = [
    define('part', ['producer']),
    define('other', ['parser']),
    define('young', ['producer'], 'alpha'),
    definePlugin({ ...define('hollow', ['fairness']) }),
  ];
  const registry = new PluginRegistry(definitions, { unavailable: new Map([['later', 'is not here yet']]) });
  const load = (entries: Omit<PluginEntry, 'path'>[], allowExperimental = false) => {
    const placed = entries.map((entry, index) => ({ ...entry, path: ['plugins', index] }));
    return instantiate(placed, registry, { random: () => 0, allowExperimental });
  };
  return { made, registry, load };
}

function texts(problems: readonly Problem[]): string[] {
  return problems.map(({ path, message }) => `${dotted(path)}: ${message}`);
}

describe('the plugin registry', () => {
  it('refuses a type that is there already, in any of its registries', () => {
    const { registry } = kernel();
    const twice = registry.get('part')!;
    assert.throws(() => registry.extend([twice]), new PluginError("plugin type 'part' is registered twice"));
    assert.deepEqual(registry.types('producer'), ['part', 'young']);
  });

  it('refuses what is not a definition, and says why', () => {
    const cases: [unknown, RegExp][] = [
      [null, /not a plugin definition/],
      [{ type: 'X y' }, /`type` must be/],
      [{ type: 'x', kinds: ['wheel'] }, /`kinds` must be a list of band-selection, fairness/],
      [{ type: 'x', kinds: ['filter'], stability: 'new' }, /`stability` must be/],
      [{ type: 'x', kinds: ['filter'], stability: 'beta' }, /`summary`/],
      [{ type: 'x', kinds: ['filter'], stability: 'beta', summary: '' }, /`create`/],
      [{ type: 'x', kinds: ['filter'], stability: 'beta', summary: '', create: () => ({}) }, /`parameters`/],
      [
        {
          type: 'x',
          kinds: ['filter'],
          stability: 'beta',
          summary: '',
          create: () => ({}),
          parameters: { a: { type: 'b' } },
        },
        /parameter `a`/,
      ],
    ];
    for (const [definition, expected] of cases)
      assert.throws(() => new PluginRegistry([definition as PluginDefinition]), expected);
  });
});

describe('instantiating plugins', () => {
  it('makes each once, those that others refer to first, and lists them in configuration order', () => {
    const { made, load } = kernel();
    const { handle, problems } = load([
      { name: 'a', type: 'part', parameters: { needs: 'c' } },
      { name: 'b', type: 'part' },
      { name: 'c', type: 'part', parameters: { needs: 'b' } },
    ]);
    assert.deepEqual(problems, []);
    assert.deepEqual(made, ['b', 'c', 'a']);
    assert.deepEqual(
      handle.all('producer').map(({ name }) => name),
      ['a', 'b', 'c'],
    );
    assert.deepEqual(handle.all('parser'), []);
  });

  it('makes a built-in type without an entry with its defaults, once, when something refers to it', () => {
    const { made, load } = kernel();
    const { handle, problems } = load([
      { name: 'a', type: 'part', parameters: { needs: 'part' } },
      { name: 'b', type: 'part', parameters: { needs: 'part' } },
    ]);
    assert.deepEqual(problems, []);
    assert.deepEqual(made, ['part', 'a', 'b']);
    assert.deepEqual({ ...handle.get('part', 'producer') }, { type: 'part', name: 'part', size: 1 });
  });

  it('finds instances by name and kind', () => {
    const { handle } = kernel().load([{ name: 'a', type: 'part' }]);
    assert.throws(() => handle.get('a', 'parser'), new PluginError("'a' is a data producer, not a parser"));
    assert.throws(() => handle.get('b', 'parser'), PluginError);
    const problems: Problem[] = [];
    assert.equal(handle.refer('a', 'parser', { path: ['x'], problems }), undefined);
    assert.deepEqual(texts(problems), ['x: plugin `a` at x is a data producer; wanted is a parser: other']);
  });

  it('reports every mistake, each at its place', () => {
    const { problems } = kernel().load([
      { name: 'a', type: 'prat' },
      { name: 'b', type: 'part', parameters: { size: 0, sise: 2 } },
      { name: 'b', type: 'part' },
      { name: 'c', type: 'later' },
      { name: 'd', type: 'young' },
      { name: 'e', type: 'part', parameters: { needs: 'prat' } },
      { name: 'f', type: 'part', parameters: { needs: 'other' } },
      { name: 'g', type: 'hollow' },
    ]);
    assert.deepEqual(texts(problems), [
      "plugins[2].name: duplicate plugin name 'b'",
      "plugins[0].type: plugin type 'prat' is not registered; did you mean `part`?",
      'plugins[1].parameters.sise: unknown field "sise"; did you mean `size`?',
      'plugins[1].parameters.size: must be an integer, at least 1, got 0',
      "plugins[3].type: plugin type 'later' is not here yet",
      "plugins[4].type: plugin 'd' (type: 'young') has Alpha stability level, but command line flag --allow-experimental-plugins is not set",
      'plugins[5].parameters.needs: unknown plugin `prat` at plugins[5].parameters.needs; did you mean `part`?',
      'plugins[6].parameters.needs: plugin `other` at plugins[6].parameters.needs is a parser; wanted is a data producer: b, d, e, f, part, young',
      "plugins[7]: failed to create plugin 'g' (type: hollow): a fairness policy must have newState(), newMemberState(), ready(), unready(), pick()",
    ]);
  });

  it('tells a mistake once: who refers to a broken plugin is not bothered', () => {
    const { made, load } = kernel();
    const { problems } = load([
      { name: 'a', type: 'part', parameters: { needs: 'b' } },
      { name: 'b', type: 'nothing' },
    ]);
    assert.deepEqual(texts(problems), ["plugins[1].type: plugin type 'nothing' is not registered"]);
    assert.deepEqual(made, []);
  });

  it('finds a circle and names it', () => {
    const { problems } = kernel().load([
      { name: 'a', type: 'part', parameters: { needs: 'b' } },
      { name: 'b', type: 'part', parameters: { needs: 'a' } },
    ]);
    assert.deepEqual(texts(problems), ['plugins[1].parameters.needs: cycle detected: graph is not a DAG: a → b → a']);
  });

  it('allows alpha plugins when told to', () => {
    assert.deepEqual(kernel().load([{ name: 'a', type: 'young' }], true).problems, []);
  });
});
