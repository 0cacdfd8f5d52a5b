// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Grants } from './grants.ts';
import { hashKey } from './hash-key.ts';

const key = (name: string, tenant: string, more = {}) => ({
  sha256: hashKey(name),
  tenant,
  priority: 0,
  weight: 1,
  ...more,
});
const tenant = (name: string, more = {}) => ({ tenant: name, priority: 0, weight: 1, ...more });

describe('what a tenant gets', () => {
  it('has limits of its own, one object for all of its keys and for itself', () => {
    const grants = new Grants({
      tenants: [tenant('a', { priority: 3, maxInFlight: 5, tokensPerMinute: 60_000 })],
      keys: [key('k1', 'a'), key('k2', 'a', { maxInFlight: 2, burstTokens: 10, tokensPerMinute: 90_000 })],
    });
    const [one, two, itself] = [grants.keys.find(hashKey('k1')), grants.keys.find(hashKey('k2')), grants.ofTenant('a')];
    assert.equal(one?.cap, two?.cap);
    assert.equal(itself?.cap, one?.cap);
    assert.equal(itself?.tokenBucket, two?.tokenBucket);
    assert.equal(one?.cap?.max, 2, 'the lowest counts');
    assert.partialDeepStrictEqual(one?.tokenBucket, { tokensPerMinute: 60_000, burstTokens: 10 });
    assert.deepEqual([itself?.priority, one?.priority], [3, 0]);
  });

  it('is without limits where none are named, and nothing for a name that nobody wrote down', () => {
    const grants = new Grants({ tenants: [tenant('a')], keys: [key('k', 'b', { maxInFlight: 1 })] });
    assert.deepEqual(grants.ofTenant('a'), { tenant: 'a', priority: 0, weight: 1 });
    assert.equal(grants.ofTenant('b')?.cap?.max, 1);
    assert.equal(grants.ofTenant('c'), undefined);
  });
});
