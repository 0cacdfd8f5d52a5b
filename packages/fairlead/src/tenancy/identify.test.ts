// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { IdentityConfig } from '../config/resolved.ts';
import { hashKey } from './hash-key.ts';
import { createIdentify } from './identify.ts';
import type { Identify } from './identify.ts';
import type { Identity } from './identity.ts';
import type { CallerHead } from './presented.ts';
import { FORGET_AFTER_MS, OVERFLOW_TENANT } from './unverified-tenants.ts';

const open: IdentityConfig = {
  keys: [],
  tenants: [],
  trustedSources: [],
  trustedProxies: [],
  maxUnverifiedTenants: 100,
};
const alice = { sha256: hashKey('sk-alice'), tenant: 'alice', priority: 5, weight: 2, maxInFlight: 4 };
const bob = { sha256: hashKey('sk-bob').toUpperCase(), tenant: 'bob', priority: 0, weight: 1 };
const keyed: IdentityConfig = { ...open, keys: [alice, bob] };
const objectives = [
  { name: 'interactive', priority: 10 },
  { name: 'batch', priority: -1 },
];

/** Where requests come from unless a test says otherwise. */
const direct = { address: '192.0.2.1', viaProxy: false };

/** What nobody has unless somebody says so. */
const plain = { path: undefined, cap: undefined, tokenBucket: undefined, unknownObjective: false, ...direct };

function accept(identify: Identify, headers: Record<string, string>, remoteAddress = '192.0.2.1'): Identity {
  const identity = identify({ headers }, remoteAddress, 0);
  assert.ok(!(identity instanceof Promise), 'a promise without a token');
  assert.ok(!('status' in identity), 'refused');
  return identity;
}

function tenantOf(config: IdentityConfig, headers: Record<string, string>, remoteAddress?: string): string {
  return accept(createIdentify(config, objectives), headers, remoteAddress).tenant;
}

describe('a key table', () => {
  it('names the tenant of a key, shown in either header', () => {
    const identify = createIdentify(keyed, objectives);
    const { cap, ...rest } = accept(identify, { authorization: 'Bearer sk-alice' });
    assert.deepEqual(
      { ...rest, cap: undefined },
      { tenant: 'alice', priority: 5, weight: 2, verified: true, trusted: false, ...plain },
    );
    assert.equal(cap?.max, 4);
    assert.deepEqual(accept(identify, { 'x-api-key': 'sk-bob' }), {
      tenant: 'bob',
      priority: 0,
      weight: 1,
      verified: true,
      trusted: false,
      ...plain,
    });
    assert.equal(accept(identify, { authorization: 'bearer  sk-bob ' }).tenant, 'bob');
    assert.equal(accept(identify, { authorization: 'Basic abc', 'x-api-key': 'sk-bob' }).tenant, 'bob');
    assert.equal(accept(identify, { authorization: 'Bearer other', 'x-api-key': 'sk-bob' }).tenant, 'bob');
  });

  it('refuses everyone else, always in the same words', () => {
    const identify = createIdentify({ ...keyed, trustedSources: ['192.0.2.0/24'] }, objectives);
    const heads = [
      {},
      { authorization: 'Bearer sk-alic' },
      { authorization: 'sk-alice' },
      { authorization: `Bearer ${alice.sha256}` },
      { 'x-api-key': '' },
    ];
    const refusals = heads.map((headers) => identify({ headers }, '192.0.2.1', 0));
    for (const refusal of refusals) assert.equal(refusal, refusals[0]);
    assert.ok('status' in refusals[0]! && refusals[0].status === 401);
  });

  it('gives all keys of a tenant one cap, the lowest', () => {
    const second = { ...alice, sha256: hashKey('sk-alice-2'), maxInFlight: 3 };
    const third = { sha256: hashKey('sk-alice-3'), tenant: 'alice', priority: 0, weight: 1 };
    const identify = createIdentify({ ...open, keys: [alice, second, third] }, objectives);
    const caps = ['sk-alice', 'sk-alice-2', 'sk-alice-3'].map((key) => accept(identify, { 'x-api-key': key }).cap);
    assert.equal(caps[0]?.max, 3);
    assert.equal(caps[1], caps[0]);
    assert.equal(caps[2], caps[0]);
  });

  it('finds keys by their bytes, as headers carry them', () => {
    const key = 'schlüssel-✓';
    const config = { ...open, keys: [{ ...bob, sha256: hashKey(key) }] };
    assert.equal(tenantOf(config, { 'x-api-key': Buffer.from(key).toString('latin1') }), 'bob');
  });
});

describe('without keys', () => {
  it('callers are told apart by a hash of the key they present', () => {
    const expected = `key-${createHash('sha256').update('sk-x').digest('hex').slice(0, 12)}`;
    assert.equal(tenantOf(open, { authorization: 'Bearer sk-x' }), expected);
    assert.equal(tenantOf(open, { 'x-api-key': 'sk-x' }), expected);
    assert.equal(accept(createIdentify(open, []), { 'x-api-key': 'sk-x' }).verified, false);
  });

  it('or by their address', () => {
    assert.equal(tenantOf(open, {}), 'addr-192.0.2.1');
    assert.equal(tenantOf(open, { authorization: 'Basic abc' }, '2001:db8::1'), 'addr-2001:db8:0:0::/64');
  });

  it('only as many as there may be', () => {
    const identify = createIdentify({ ...open, maxUnverifiedTenants: 1 }, []);
    assert.equal(accept(identify, {}).tenant, 'addr-192.0.2.1');
    assert.equal(accept(identify, { 'x-api-key': 'made-up' }).tenant, OVERFLOW_TENANT);
    assert.equal(accept(identify, {}).tenant, 'addr-192.0.2.1');
  });

  it('never by a header that anyone can send', () => {
    const headers = { 'x-llm-d-inference-fairness-id': 'alice', 'x-llm-d-inference-objective': 'interactive' };
    const identity = accept(createIdentify(open, objectives), headers);
    assert.deepEqual(identity, {
      tenant: 'addr-192.0.2.1',
      priority: 0,
      weight: 1,
      verified: false,
      trusted: false,
      ...plain,
    });
  });
});

describe('a trusted source', () => {
  const trusting = { ...open, trustedSources: ['192.0.2.0/24'] };

  it('names the tenant and the objective', () => {
    const headers = { 'x-llm-d-inference-fairness-id': 'carol', 'x-gateway-inference-objective': 'batch' };
    const identity = accept(createIdentify(trusting, objectives), headers);
    assert.deepEqual(identity, { tenant: 'carol', priority: -1, weight: 1, verified: true, trusted: true, ...plain });
  });

  it('gets priority 0 for an objective nobody knows, and for none', () => {
    const identify = createIdentify(trusting, objectives);
    const unknown = accept(identify, { 'x-llm-d-inference-objective': 'no-such' });
    assert.deepEqual([unknown.priority, unknown.unknownObjective], [0, true]);
    assert.equal(accept(identify, { 'x-llm-d-inference-objective': '' }).unknownObjective, false);
    assert.equal(accept(identify, {}).priority, 0);
  });

  it('does not name a tenant with an empty or a bad name', () => {
    const older = { 'x-gateway-inference-fairness-id': 'old' };
    assert.equal(tenantOf(trusting, older), 'old');
    for (const name of ['', 'a\u0000b', 'x'.repeat(257)]) {
      assert.equal(tenantOf(trusting, { ...older, 'x-llm-d-inference-fairness-id': name }), 'addr-192.0.2.1');
    }
  });

  it('with a key names a tenant, who gets what the table says of it, else what the key has', () => {
    const identify = createIdentify({ ...keyed, trustedSources: ['192.0.2.1'] }, objectives);
    const named = (tenant: string, more = {}) =>
      accept(identify, { 'x-api-key': 'sk-bob', 'x-llm-d-inference-fairness-id': tenant, ...more });
    const { cap, ...asAlice } = named('alice');
    assert.deepEqual(
      { ...asAlice, cap: undefined },
      { tenant: 'alice', priority: 5, weight: 2, verified: true, trusted: true, ...plain },
    );
    assert.equal(cap?.max, 4);
    assert.deepEqual(named('carol'), {
      tenant: 'carol',
      priority: 0,
      weight: 1,
      verified: true,
      trusted: true,
      ...plain,
    });
    assert.equal(named('alice', { 'x-llm-d-inference-objective': 'interactive' }).priority, 10);
    assert.equal(named('alice', { 'x-llm-d-inference-objective': 'no-such' }).priority, 0);
  });

  it('has to be written as a range', () => {
    assert.throws(
      () => createIdentify({ ...open, trustedSources: ['gateway.local'] }, []),
      /not an address range: 'gateway.local'/,
    );
  });
});

describe('behind trusted proxies', () => {
  const behind = { ...open, trustedProxies: ['10.0.0.0/8'] };
  const from = (address: string) => ({ 'x-forwarded-for': `6.6.6.6, ${address}` });

  it('callers are told apart by their own address', () => {
    assert.equal(tenantOf(behind, from('192.0.2.7'), '10.0.0.1'), 'addr-192.0.2.7');
    assert.equal(tenantOf(behind, from('192.0.2.7'), '198.51.100.1'), 'addr-198.51.100.1');
    const identity = accept(createIdentify(behind, []), from('192.0.2.7'), '10.0.0.1');
    assert.deepEqual([identity.address, identity.viaProxy], ['192.0.2.7', true]);
  });

  it('a trusted source stays one, and nobody else becomes one', () => {
    const config = { ...behind, trustedSources: ['192.0.2.0/24'] };
    const named = (address: string, peer = '10.0.0.1') =>
      tenantOf(config, { ...from(address), 'x-llm-d-inference-fairness-id': 'carol' }, peer);
    assert.equal(named('192.0.2.7'), 'carol');
    assert.equal(named('198.51.100.1'), 'addr-198.51.100.1');
    assert.equal(named('192.0.2.7', '198.51.100.9'), 'addr-198.51.100.9');
  });

  it('a proxy that is a trusted source itself says whatever it says', () => {
    const config = { ...behind, trustedSources: ['10.0.0.1'] };
    const headers = { ...from('198.51.100.1'), 'x-llm-d-inference-fairness-id': 'carol' };
    assert.equal(tenantOf(config, headers, '10.0.0.1'), 'carol');
  });
});

describe('identify', () => {
  it('never gives a key away, and never throws, whatever is sent', () => {
    const identifies = [open, keyed, { ...open, trustedSources: ['0.0.0.0/0'] }].map((config) =>
      createIdentify(config, objectives),
    );
    const secret = fc.string({ minLength: 6, maxLength: 40 }).filter((key) => /^[\x21-\x7e]+$/.test(key));
    fc.assert(
      fc.property(secret, fc.constantFrom(...identifies), fc.boolean(), (key, identify, isBearer) => {
        const headers = isBearer ? { authorization: `Bearer ${key}` } : { 'x-api-key': key };
        const result = identify({ headers }, '198.51.100.1', 0);
        assert.ok(!(result instanceof Promise));
        assert.ok('status' in result ? !result.message.includes(key) : !result.tenant.includes(key));
      }),
    );
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom('authorization', 'x-api-key', 'x-llm-d-inference-fairness-id'),
          fc.string({ unit: 'binary' }),
        ),
        fc.constantFrom(...identifies),
        (headers, identify) => {
          assert.ok(identify({ headers }, undefined, 0));
        },
      ),
    );
  });
});

describe('a head that comes again', () => {
  const headOf = (key: string): CallerHead => ({ headers: { 'x-api-key': key } });
  const ask = (identify: Identify, head: CallerHead, { from = '192.0.2.1', atMs = 0 } = {}): Identity => {
    const identity = identify(head, from, atMs);
    assert.ok('tenant' in identity);
    return identity;
  };

  it('is the same caller without another look, from the same address', () => {
    const [identify, head] = [createIdentify(keyed, objectives), headOf('sk-alice')];
    const first = ask(identify, head);
    assert.equal(ask(identify, head), first);
    assert.equal(ask(identify, head, { from: '192.0.2.2' }).address, '192.0.2.2');
    assert.deepEqual(Object.values(head.presented ?? {})[0], [alice.sha256]);
  });

  it('is looked at again when the configuration is another', () => {
    const head = headOf('sk-alice');
    assert.equal(ask(createIdentify(keyed, objectives), head).priority, 5);
    const identify = createIdentify({ ...open, keys: [{ ...alice, priority: 7 }] }, objectives);
    assert.equal(ask(identify, head).priority, 7);
    assert.ok('status' in createIdentify({ ...open, keys: [bob] }, objectives)(head, '192.0.2.1', 0));
  });

  it('of a stranger is one among as many as there may be, each time', () => {
    const identify = createIdentify({ ...open, maxUnverifiedTenants: 1 }, []);
    const [first, second] = [headOf('first'), headOf('second')];
    const { tenant } = ask(identify, first);
    assert.equal(ask(identify, second).tenant, OVERFLOW_TENANT);
    assert.equal(ask(identify, first, { atMs: FORGET_AFTER_MS - 1 }).tenant, tenant);
    assert.equal(ask(identify, second, { atMs: FORGET_AFTER_MS }).tenant, OVERFLOW_TENANT);
    assert.notEqual(ask(identify, second, { atMs: 2 * FORGET_AFTER_MS }).tenant, OVERFLOW_TENANT);
    assert.equal(ask(identify, first, { atMs: 2 * FORGET_AFTER_MS }).tenant, OVERFLOW_TENANT);
  });
});

describe('a hierarchy of tenants', () => {
  const config: IdentityConfig = {
    ...open,
    keys: [{ ...bob, path: 'acme/research' }, alice],
    tenants: [{ tenant: 'batch', priority: 0, weight: 1, path: 'acme/ops' }],
    trustedSources: ['10.0.0.0/8'],
    fairness: { weights: [{ glob: 'prog-*', weight: 3 }], defaultWeight: 2 },
  };
  const pathOf = (headers: Record<string, string>, address?: string) =>
    accept(createIdentify(config, objectives), headers, address).path;

  it('has a key where its entry says', () => {
    assert.equal(pathOf({ 'x-api-key': 'sk-bob' }), 'acme/research/bob');
    assert.equal(pathOf({ 'x-api-key': 'sk-alice' }), undefined);
  });

  it('has what a trusted source names below the key, unless the configuration knows it', () => {
    const named = (id: string) => ({ 'x-api-key': 'sk-bob', 'x-llm-d-inference-fairness-id': id });
    assert.equal(pathOf(named('prog-7'), '10.0.0.1'), 'acme/research/bob/prog-7');
    assert.equal(pathOf(named('batch'), '10.0.0.1'), 'acme/ops/batch');
    assert.equal(pathOf(named('beta/team/k'), '10.0.0.1'), 'beta/team/k');
    assert.equal(pathOf(named('prog-7')), 'acme/research/bob');
  });
});

describe('the weight of a tenant', () => {
  it('is by its id when no entry says it', () => {
    const fairness = { weights: [{ glob: 'addr-*', weight: 3 }], defaultWeight: 2 };
    const identify = createIdentify({ ...open, fairness, trustedSources: ['10.0.0.0/8'] }, objectives);
    assert.equal(accept(identify, { 'x-llm-d-inference-fairness-id': 'addr-x' }, '10.0.0.1').weight, 3);
    assert.equal(accept(identify, { 'x-llm-d-inference-fairness-id': 'y' }, '10.0.0.1').weight, 2);
  });
});
