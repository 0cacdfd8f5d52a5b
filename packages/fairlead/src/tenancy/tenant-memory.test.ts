// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TenantMemory } from './tenant-memory.ts';
import { OVERFLOW_TENANT } from './unverified-tenants.ts';

describe('what outlives a configuration', () => {
  it('is what a tenant has in flight: another limit counts on, and one that comes back does', () => {
    const memory = new TenantMemory();
    const cap = memory.caps(new Map([['a', 2]])).get('a')!;
    cap.take();
    cap.take();
    assert.equal(cap.full, true);
    assert.equal(memory.caps(new Map([['a', 3]])).get('a'), cap);
    assert.equal(cap.full, false);
    assert.deepEqual([...memory.caps(new Map())], []);
    assert.equal(cap.max, Infinity);
    assert.equal(memory.caps(new Map([['a', 1]])).get('a'), cap);
    assert.equal(cap.full, true);
  });

  it('is not the cap of a tenant without a limit who has nothing in flight', () => {
    const memory = new TenantMemory();
    const cap = memory.caps(new Map([['a', 2]])).get('a');
    memory.caps(new Map());
    assert.notEqual(memory.caps(new Map([['a', 2]])).get('a'), cap);
  });

  it('is which strangers are told apart', () => {
    const memory = new TenantMemory(() => 0);
    assert.equal(memory.unverified(1).admit('x', 0), 'x');
    const fewer = memory.unverified(1);
    assert.deepEqual([fewer.admit('y', 0), fewer.admit('x', 0)], [OVERFLOW_TENANT, 'x']);
    assert.equal(memory.unverified(2).admit('y', 0), 'y');
  });
});
