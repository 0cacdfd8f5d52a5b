// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FORGET_AFTER_MS, OVERFLOW_TENANT, UnverifiedTenants } from './unverified-tenants.ts';

describe('unverified tenants', () => {
  it('are told apart up to the limit, and share one name beyond it', () => {
    const tenants = new UnverifiedTenants(2);
    assert.deepEqual(
      ['a', 'b', 'c', 'd', 'a'].map((name) => tenants.admit(name, 0)),
      ['a', 'b', OVERFLOW_TENANT, OVERFLOW_TENANT, 'a'],
    );
  });

  it('keep their place while they are seen, and lose it to a new one after a long silence', () => {
    let nowMs = 0;
    const tenants = new UnverifiedTenants(2);
    tenants.admit('quiet', nowMs);
    tenants.admit('busy', nowMs);
    nowMs = FORGET_AFTER_MS - 1;
    assert.equal(tenants.admit('busy', nowMs), 'busy');
    assert.equal(tenants.admit('new', nowMs), OVERFLOW_TENANT);
    nowMs = FORGET_AFTER_MS;
    assert.equal(tenants.admit('new', nowMs), 'new');
    assert.equal(tenants.admit('quiet', nowMs), OVERFLOW_TENANT);
    assert.equal(tenants.admit('busy', nowMs), 'busy');
  });

  it('never are more than the limit', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4 }),
        fc.array(fc.tuple(fc.nat(9), fc.nat(FORGET_AFTER_MS))),
        (max, steps) => {
          let nowMs = 0;
          const tenants = new UnverifiedTenants(max);
          for (const [name, waitMs] of steps) {
            nowMs += waitMs;
            const admitted = tenants.admit(`t${name}`, nowMs);
            assert.ok(admitted === `t${name}` || admitted === OVERFLOW_TENANT);
            assert.ok(tenants.size <= max);
          }
        },
      ),
    );
  });
});
