// SPDX-License-Identifier: Apache-2.0

/** Pools through changes of endpoints and models: who stays, who goes, who is told, and in which order. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Endpoint } from '@fairlead/core';
import { PoolBook } from './pool-book.ts';

function server(name: string, models: readonly string[], adapters: readonly string[] = []): Endpoint {
  const endpoint = new Endpoint({ name, url: `http://${name}`, labels: {} });
  endpoint.baseModels = new Set(models);
  endpoint.adapters = new Set(adapters);
  return endpoint;
}

function book() {
  const pools = new PoolBook();
  const told: string[] = [];
  pools.onPools((added, removed) => {
    told.push(
      ...added.map((pool) => `+${pool.name}:${pool.endpoints.length}`),
      ...removed.map((pool) => `-${pool.name}`),
    );
  });
  return { pools, told };
}

describe('the pools', () => {
  it('are one for each set of endpoints that share a base model, named after it, told with their members', () => {
    const { pools, told } = book();
    pools.regroup([server('a', ['x']), server('b', ['x']), server('c', ['y'])]);
    assert.deepEqual(told, ['+x:2', '+y:1']);
    assert.equal(pools.poolFor('x'), pools.pools[0]);
    assert.equal(pools.poolFor('z'), undefined);
  });

  it('serve adapters beside base models, and a base model of the same name wins', () => {
    const { pools } = book();
    pools.regroup([server('a', ['x'], ['lora', 'y']), server('b', ['y'])]);
    assert.equal(pools.poolFor('lora')?.name, 'x');
    assert.equal(pools.poolFor('y')?.name, 'y');
    assert.deepEqual(
      pools.models().map(({ id, pool, parent }) => [id, pool.name, parent]),
      [
        ['x', 'x', undefined],
        ['y', 'y', undefined],
        ['lora', 'x', 'x'],
      ],
    );
  });

  it('keep a pool while members and models change around it', () => {
    const { pools, told } = book();
    const [a, b] = [server('a', ['x']), server('b', ['x'])];
    pools.regroup([a]);
    const pool = pools.poolFor('x')!;
    pools.regroup([a, b]);
    pools.regroup([b]);
    b.baseModels = new Set(['renamed']);
    pools.regroup([b]);
    assert.equal(pools.poolFor('renamed'), pool);
    assert.equal(pools.poolFor('x'), undefined);
    assert.deepEqual(pool.endpoints, [b]);
    assert.deepEqual(told, ['+x:1']);
  });

  it('keep an emptied pool with its models, and fill it again', () => {
    const { pools, told } = book();
    pools.regroup([server('a', ['x'], ['lora'])]);
    const pool = pools.poolFor('x')!;
    pools.regroup([]);
    assert.deepEqual(pool.endpoints, []);
    assert.equal(pools.poolFor('lora'), pool);
    const back = server('b', ['x']);
    pools.regroup([back]);
    assert.deepEqual(pool.endpoints, [back]);
    assert.deepEqual(told, ['+x:1']);
  });

  it('forget the pools that are longest without endpoints beyond a hundred', () => {
    const { pools } = book();
    for (let number = 0; number < 110; number++) pools.regroup([server(`s${number}`, [`m${number}`])]);
    assert.equal(pools.pools.length, 101);
    assert.equal(pools.poolFor('m0'), undefined);
    assert.ok(pools.poolFor('m108') && pools.poolFor('m109'));
  });

  it('become one when an endpoint joins them, and the other keeps its endpoints while requests wait there', () => {
    const { pools, told } = book();
    const [a, b, c] = [server('a', ['x']), server('b', ['y']), server('c', ['x', 'y'])];
    pools.regroup([a, b]);
    const [first, second] = pools.pools;
    pools.regroup([a, b, c]);
    assert.equal(pools.poolFor('y'), first);
    assert.deepEqual(told, ['+x:1', '+y:1', '-y']);
    assert.deepEqual(second!.endpoints, [b]);
    let changes = 0;
    second!.onChange(() => changes++);
    b.up = false;
    pools.refresh(b);
    assert.deepEqual(second!.available, []);
    pools.regroup([a, c]);
    assert.deepEqual(second!.endpoints, []);
    assert.equal(changes, 2);
  });

  it('get names of their own when one falls apart', () => {
    const { pools } = book();
    const [a, b] = [server('a', ['x', 'y']), server('b', ['y'])];
    pools.regroup([a, b]);
    a.baseModels = new Set(['x']);
    pools.regroup([a, b]);
    assert.deepEqual(pools.pools.map((pool) => pool.name).sort(), ['x', 'y']);
    b.baseModels = new Set(['x']);
    a.baseModels = new Set(['z']);
    pools.regroup([a, b]);
    assert.equal(new Set(pools.pools.map((pool) => pool.name)).size, pools.pools.length);
  });

  it('tell a pool of its members only when they changed', () => {
    const { pools } = book();
    const a = server('a', ['x']);
    pools.regroup([a]);
    let changes = 0;
    pools.poolFor('x')!.onChange(() => changes++);
    pools.regroup([a]);
    assert.equal(changes, 0);
    pools.refresh(a);
    assert.equal(changes, 1);
  });

  it('that left long ago have no endpoints: nobody tells them any more which are down', () => {
    const { pools } = book();
    const shared = server('shared', ['x']);
    const left = [];
    for (let round = 0; round < 25; round += 1) {
      const other = server(`other-${round}`, [`y-${round}`]);
      pools.regroup([shared, other]);
      left.push(pools.poolFor(`y-${round}`));
      // The two grow together, and the pool of one of them is left over.
      other.baseModels = new Set(['x', `y-${round}`]);
      pools.regroup([shared, other]);
    }
    const gone = left.filter((pool) => pool !== undefined && !pools.pools.includes(pool));
    assert.equal(gone.length, 25);
    assert.deepEqual(
      gone.slice(0, 5).flatMap((pool) => pool?.endpoints ?? []),
      [],
    );
  });
});
