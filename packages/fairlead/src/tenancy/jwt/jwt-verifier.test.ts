// SPDX-License-Identifier: Apache-2.0

/** Real tokens, signed here, checked as the gateway checks them. */

import assert from 'node:assert/strict';
import { createHmac, createPublicKey } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { SignJWT, createLocalJWKSet, exportJWK, exportPKCS8, exportSPKI, generateKeyPair, importPKCS8 } from 'jose';
import type { CryptoKey, JWTPayload, JWTVerifyGetKey } from 'jose';
import { hashKey } from '../hash-key.ts';
import { JwtVerifier } from './jwt-verifier.ts';
import { NoKeysError } from './remote-keys.ts';

const config = {
  issuer: 'https://issuer.test',
  audience: ['fairlead'],
  algorithms: ['RS256', 'ES256'],
  tenantClaim: 'sub',
  priorityClaim: 'prio',
  weightClaim: 'w',
  clockToleranceMs: 10_000,
};
const START_S = 1_800_000_000;
const good = { sub: 'alice', iss: 'https://issuer.test', aud: 'fairlead', exp: START_S + 600 };

let nowS = START_S;
let pair: { readonly publicKey: CryptoKey; readonly privateKey: CryptoKey };
let keys: JWTVerifyGetKey;
let asked = 0;

const key: JWTVerifyGetKey = (header, token) => {
  asked += 1;
  return keys(header, token);
};

function sign(claims: JWTPayload, alg = 'RS256', by: CryptoKey | Uint8Array = pair.privateKey): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg, kid: 'k1' }).sign(by);
}

const sameKeyAs = async (alg: string) => importPKCS8(await exportPKCS8(pair.privateKey), alg);
const newVerifier = (more = {}) => new JwtVerifier({ config, key, nowS: () => nowS, ...more });
const verify = (token: string, verifier = newVerifier()) => verifier.verify(token, hashKey(token));
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

before(async () => {
  pair = await generateKeyPair('RS256', { extractable: true });
  keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1' }] });
});

describe('a token', () => {
  it('proves a tenant, and what its claims say of priority and weight', async () => {
    assert.deepEqual(await verify(await sign(good)), { tenant: 'alice' });
    const more = { ...good, aud: ['other', 'fairlead'], prio: -5, w: 2.5 };
    assert.deepEqual(await verify(await sign(more)), { tenant: 'alice', priority: -5, weight: 2.5 });
    const nonsense = { ...good, prio: 1.5, w: -1 };
    assert.deepEqual(await verify(await sign(nonsense)), { tenant: 'alice' });
  });

  const wrong: readonly (readonly [what: string, make: () => string | Promise<string>])[] = [
    ['for somebody else', () => sign({ ...good, aud: 'other' })],
    ['for nobody', () => sign({ ...good, aud: undefined as never })],
    ['of another issuer', () => sign({ ...good, iss: 'https://issuer.test.evil' })],
    ['that has expired', () => sign({ ...good, exp: START_S - 11 })],
    ['that never expires', () => sign({ ...good, exp: undefined as never })],
    ['that is not valid yet', () => sign({ ...good, nbf: START_S + 11 })],
    ['without a tenant', () => sign({ ...good, sub: undefined as never })],
    ['whose tenant is no name', () => sign({ ...good, sub: 'a\nb' })],
    ['whose tenant is no text', () => sign({ ...good, sub: ['alice'] as never })],
    ['with an algorithm that is not configured', async () => sign(good, 'RS512', await sameKeyAs('RS512'))],
    ['of nobody (alg none)', () => `${part({ alg: 'none' })}.${part(good)}.`],
    ['of nobody, with something for a signature', () => `${part({ alg: 'none' })}.${part(good)}.AAAA`],
    [
      'with a critical header that nobody knows',
      () => `${part({ alg: 'RS256', crit: ['x'], x: 1 })}.${part(good)}.AAAA`,
    ],
    ['whose header is no JSON', () => `AAAA.${part(good)}.AAAA`],
    ['that is too long', () => `${part(good)}.${'A'.repeat(20_000)}.AAAA`],
    ['that is none', () => 'flk_not-a-token'],
  ];
  for (const [what, make] of wrong) {
    it(`is refused ${what}`, async () => {
      assert.equal(await verify(await make()), 'refused');
    });
  }

  it('counts with every algorithm that is configured', async () => {
    const all = newVerifier({ config: { ...config, algorithms: ['RS512'] } });
    assert.deepEqual(await verify(await sign(good, 'RS512', await sameKeyAs('RS512')), all), { tenant: 'alice' });
  });

  it('is refused when its claims were changed, or somebody else signed it', async () => {
    const [head, , signature] = (await sign(good)).split('.');
    assert.equal(await verify(`${head}.${part({ ...good, sub: 'bob' })}.${signature}`), 'refused');
    const { privateKey } = await generateKeyPair('RS256');
    assert.equal(await verify(await sign(good, 'RS256', privateKey)), 'refused');
  });

  it('is refused when it was signed with the public key as a secret', async () => {
    const pem = await exportSPKI(pair.publicKey);
    const signed = `${part({ alg: 'HS256', kid: 'k1' })}.${part(good)}`;
    const secrets = [pem, pem.trim(), createPublicKey(pem).export({ type: 'spki', format: 'der' })];
    for (const secret of secrets) {
      const token = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
      assert.equal(await verify(token), 'refused');
      // Even with the algorithm let in by mistake: a public key is no secret to jose either.
      const careless = { ...config, algorithms: ['RS256', 'HS256'] };
      assert.equal(await verify(token, newVerifier({ config: careless })), 'refused');
      const one = newVerifier({ config: careless, key: () => createPublicKey(pem) });
      assert.equal(await verify(token, one), 'refused');
    }
  });
});

describe('the check of tokens', () => {
  it('remembers what a token proved until it expires', async () => {
    const verifier = newVerifier();
    const token = await sign(good);
    assert.ok(verify(token, verifier) instanceof Promise);
    await verify(token, verifier);
    asked = 0;
    assert.deepEqual(verify(token, verifier), { tenant: 'alice' }, 'at once, without a promise');
    nowS = good.exp + 9;
    assert.deepEqual(verify(token, verifier), { tenant: 'alice' });
    nowS = good.exp + 10;
    assert.equal(await verify(token, verifier), 'refused');
    nowS = START_S;
    assert.equal(asked, 1);
  });

  it('remembers nothing of what was refused, and not by the digest of anything else', async () => {
    const verifier = newVerifier();
    const expired = await sign({ ...good, exp: START_S - 60 });
    assert.equal(await verify(expired, verifier), 'refused');
    assert.ok(verify(expired, verifier) instanceof Promise);
    const token = await sign(good);
    await verify(token, verifier);
    assert.equal(await verify(`${token.slice(0, -4)}AAAA`, verifier), 'refused');
  });

  it('checks a token once, however often it comes meanwhile', async () => {
    const verifier = newVerifier();
    const token = await sign(good);
    asked = 0;
    const all = await Promise.all(Array.from({ length: 50 }, async () => verify(token, verifier)));
    assert.equal(asked, 1);
    assert.ok(all.every((claims) => typeof claims === 'object' && claims.tenant === 'alice'));
    assert.equal(verifier.pending, 0);
  });

  it('is bounded in how many run and wait, and says that it cannot say', async () => {
    const held = Promise.withResolvers<void>();
    let running = 0;
    let most = 0;
    const slow: JWTVerifyGetKey = async (header, token) => {
      running += 1;
      most = Math.max(most, running);
      await held.promise;
      running -= 1;
      return keys(header, token);
    };
    const verifier = newVerifier({ key: slow });
    const token = (index: number) => `${part({ alg: 'RS256', kid: 'k1' })}.${part({ ...good, index })}.AAAA`;
    const answers = Array.from({ length: 1_070 }, (_, index) => verify(token(index), verifier));
    assert.equal(answers.filter((answer) => answer === 'unknown').length, 6);
    held.resolve();
    const refused = (await Promise.all(answers.map(async (answer) => answer))).filter((answer) => answer === 'refused');
    assert.deepEqual([refused.length, most, verifier.pending], [1_064, 64, 0]);
    assert.deepEqual(await verify(await sign(good), verifier), { tenant: 'alice' });
  });

  it('cannot say who it is while there are no keys', async () => {
    const none = newVerifier({
      key: () => {
        throw new NoKeysError('none');
      },
    });
    assert.equal(await verify(await sign(good), none), 'unknown');
  });
});
