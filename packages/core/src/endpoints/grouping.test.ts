// SPDX-License-Identifier: Apache-2.0

/** Grouping of endpoints into pools, and how pools outlive changes. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { continueGroups, groupEndpoints } from './grouping.ts';
import type { EndpointGroup } from './grouping.ts';

interface Named {
  readonly name: string;
  readonly baseModels: ReadonlySet<string>;
}

function server(name: string, ...models: string[]): Named {
  return { name, baseModels: new Set(models) };
}

function names(groups: readonly EndpointGroup<Named>[]): string[][] {
  return groups.map((group) => group.endpoints.map((endpoint) => endpoint.name));
}

describe('groupEndpoints', () => {
  it('puts endpoints that share a base model together, and others apart', () => {
    const groups = groupEndpoints([server('a', 'x'), server('b', 'y'), server('c', 'x')]);
    assert.deepEqual(names(groups), [['a', 'c'], ['b']]);
    assert.deepEqual([...groups[0]!.models], ['x']);
  });

  it('joins what a third endpoint connects', () => {
    const groups = groupEndpoints([server('a', 'x'), server('b', 'y'), server('c', 'x', 'y')]);
    assert.deepEqual(names(groups), [['a', 'b', 'c']]);
  });

  it('leaves out endpoints whose models are not known', () => {
    assert.deepEqual(groupEndpoints([server('a')]), []);
  });

  it('is a partition: two endpoints share a group exactly when a chain of shared models connects them', () => {
    const models = fc.uniqueArray(fc.integer({ min: 0, max: 12 }), { maxLength: 3 });
    fc.assert(
      fc.property(fc.array(models, { maxLength: 12 }), (lists) => {
        const servers = lists.map((list, index) => server(`s${index}`, ...list.map(String)));
        const groups = groupEndpoints(servers);
        const all = groups.flatMap((group) => group.endpoints);
        assert.equal(new Set(all).size, all.length);
        assert.equal(all.length, servers.filter((each) => each.baseModels.size > 0).length);
        for (const group of groups) {
          for (const other of groups) if (other !== group) assert.ok(!overlap(group.models, other.models));
          assert.deepEqual(reachable(group.endpoints), new Set(group.endpoints));
        }
      }),
    );
  });
});

function overlap(some: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  return [...some].some((each) => others.has(each));
}

/** All of `endpoints` that the first is connected with. */
function reachable(endpoints: readonly Named[]): Set<Named> {
  const found = new Set(endpoints.slice(0, 1));
  for (const from of found) {
    for (const to of endpoints) if (overlap(from.baseModels, to.baseModels)) found.add(to);
  }
  return found;
}

describe('continueGroups', () => {
  it('continues a group that keeps an endpoint, even when all its models changed', () => {
    const a = server('a', 'x');
    const before = groupEndpoints([a]);
    const renamed: EndpointGroup<Named>[] = [{ endpoints: [a], models: new Set(['y']) }];
    assert.deepEqual(continueGroups(renamed, before), [0]);
  });

  it('continues a group that keeps a model, even when all its endpoints changed', () => {
    assert.deepEqual(continueGroups(groupEndpoints([server('b', 'x')]), groupEndpoints([server('a', 'x')])), [0]);
  });

  it('gives a pool that falls apart to its larger part', () => {
    const [a, b, c] = [server('a', 'x'), server('b', 'y'), server('c', 'y')];
    const before: EndpointGroup<Named>[] = [{ endpoints: [a, b, c], models: new Set(['x', 'y']) }];
    assert.deepEqual(continueGroups(groupEndpoints([a, b, c]), before), [undefined, 0]);
  });

  it('keeps one of two pools that grow together', () => {
    const [a, b, c] = [server('a', 'x'), server('b', 'y'), server('c', 'y')];
    const before = groupEndpoints([a, b, c]);
    const merged = groupEndpoints([a, b, c, server('d', 'x', 'y')]);
    assert.deepEqual(continueGroups(merged, before), [1]);
  });

  it('never continues one pool twice', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 5 }), { maxLength: 2 }), { maxLength: 8 }),
        (lists) => {
          const servers = lists.map((list, index) => server(`s${index}`, ...list.map(String)));
          const before = groupEndpoints(servers.slice(0, 5));
          const continued = continueGroups(groupEndpoints(servers), before).filter((index) => index !== undefined);
          assert.equal(new Set(continued).size, continued.length);
        },
      ),
    );
  });
});
