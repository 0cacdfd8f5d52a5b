// SPDX-License-Identifier: Apache-2.0

/** Which plugins a second configuration takes over from the first. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PluginEntry } from './entry.ts';
import type { PluginRecord } from './handle.ts';
import { instantiate } from './instantiate.ts';
import { definePlugin } from './plugin.ts';
import { PluginRegistry } from './registry.ts';

const part = definePlugin({
  type: 'part',
  kinds: ['producer'],
  stability: 'stable',
  summary: 'A part.',
  parameters: {
    size: { type: 'integer', default: 1, doc: 'Its size.' },
    needs: { type: 'plugin-ref', kind: 'producer', doc: 'Another part.' },
  },
  create: ({ type, name }) => ({ type, name }),
});
const collector = definePlugin({
  type: 'collector',
  kinds: ['extractor'],
  stability: 'stable',
  summary: 'Looks at every part there is.',
  parameters: {},
  create: ({ type, name, handle }) => ({ type, name, parts: handle.all('producer') }),
});
const finder = definePlugin({
  type: 'finder',
  kinds: ['extractor'],
  stability: 'stable',
  summary: 'Finds one part by a name of its own.',
  parameters: {},
  create: ({ type, name, handle }) => ({ type, name, part: handle.get('a', 'producer') }),
});
const registry = new PluginRegistry([part, collector, finder]);

type Given = Omit<PluginEntry, 'path'>;

function load(entries: readonly Given[], keep: readonly PluginRecord[] = []): readonly PluginRecord[] {
  const placed = entries.map((entry, index) => ({ ...entry, path: ['plugins', index] }));
  const { handle, problems } = instantiate(placed, registry, { random: () => 0, allowExperimental: false, keep });
  assert.deepEqual(problems, []);
  return handle.records();
}

/** The names of what a second configuration takes over. */
function keptOf(first: readonly Given[], second: readonly Given[]): string[] {
  const before = load(first);
  const old = new Set(before.map(({ instance }) => instance));
  return load(second, before).flatMap(({ instance }) => (old.has(instance) ? [instance.name] : []));
}

describe('a second configuration', () => {
  it('takes over what has the same name, type and parameters, wherever it stands', () => {
    const a = { name: 'a', type: 'part', parameters: { size: 2 } };
    const b = { name: 'b', type: 'part' };
    assert.deepEqual(keptOf([a, b], [b, a]), ['b', 'a']);
    assert.deepEqual(keptOf([b], [{ ...b, parameters: { size: 1 } }]), ['b'], 'a default written out is the same');
    assert.deepEqual(keptOf([a], [{ ...a, parameters: { size: 3 } }]), []);
    assert.deepEqual(keptOf([a], [{ ...a, name: 'c' }]), []);
    assert.deepEqual(keptOf([{ name: 'x', type: 'part' }], [{ name: 'x', type: 'collector' }]), []);
  });

  it('makes anew what was made with something that is made anew', () => {
    const a = { name: 'a', type: 'part' };
    const b = { name: 'b', type: 'part', parameters: { needs: 'a' } };
    const c = { name: 'c', type: 'part', parameters: { needs: 'b' } };
    const f = { name: 'f', type: 'finder' };
    assert.deepEqual(keptOf([a, b, c, f], [a, b, c, f]), ['a', 'b', 'c', 'f']);
    assert.deepEqual(keptOf([a, b, c, f], [{ ...a, parameters: { size: 2 } }, b, c, f]), []);
  });

  it('makes anew what looked at all plugins of a kind: there may be others now', () => {
    const a = { name: 'a', type: 'part' };
    const all = { name: 'all', type: 'collector' };
    assert.deepEqual(keptOf([a, all], [a, all]), ['a']);
  });
});
