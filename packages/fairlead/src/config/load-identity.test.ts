// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { problemLine } from './config-problem.ts';
import { loadConfig } from './load.ts';
import type { ResolvedConfig } from './resolved.ts';

const head = 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n';

async function load(text: string): Promise<ResolvedConfig> {
  const loaded = await loadConfig({ text, defaults: 'serve' });
  assert.deepEqual(loaded.problems, undefined);
  return loaded.ok;
}

async function messages(text: string): Promise<string[]> {
  const { problems = [] } = await loadConfig({ text: `${head}${text}`, defaults: 'serve', textName: 'f' });
  return problems.map(problemLine);
}

describe('tenants', () => {
  it('give their keys what these do not say themselves, and their priorities have bands', async () => {
    const { identity, flowControl } = await load(`${head}
identity:
  tenants: [{tenant: a, priority: 7, weight: 2, tokensPerMinute: 60k, burstTokens: 10k}, {tenant: b, maxInFlight: 3}]
  keys: [{sha256: "${'a'.repeat(64)}", tenant: a}, {sha256: "${'b'.repeat(64)}", tenant: a, priority: 1, weight: 1}]`);
    assert.deepEqual(identity.tenants, [
      { tenant: 'a', priority: 7, weight: 2, tokensPerMinute: 60_000, burstTokens: 10_000 },
      { tenant: 'b', priority: 0, weight: 1, maxInFlight: 3 },
    ]);
    assert.deepEqual(
      identity.keys.map(({ priority, weight }) => [priority, weight]),
      [
        [7, 2],
        [1, 1],
      ],
    );
    assert.deepEqual(new Set(flowControl.knownPriorities), new Set([7, 1, 0]));
  });

  it('are named once, and a burst belongs to a rate', async () => {
    assert.match((await messages('identity: {tenants: [{tenant: a}, {tenant: a}]}')).join(), /duplicate tenant 'a'/);
    assert.match(
      (await messages('identity: {tenants: [{tenant: a, burstTokens: 5}]}')).join(),
      /burstTokens: has no effect without tokensPerMinute: give both/,
    );
    assert.match((await messages('identity: {tenants: [{tenant: a, tokensPerMinute: 0}]}')).join(), /at least 1/);
  });
});

describe('tokens of an issuer', () => {
  const jwt = (fields: string) => `identity: {jwt: {issuer: "https://i", audience: [a], ${fields}}}`;

  it('have defaults for all but issuer, audience and keys', async () => {
    const { identity } = await load(`${head}${jwt('jwksUrl: "https://i/keys"')}`);
    assert.deepEqual(identity.jwt, {
      issuer: 'https://i',
      audience: ['a'],
      keys: { jwksUrl: 'https://i/keys' },
      algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'],
      tenantClaim: 'sub',
      clockToleranceMs: 10_000,
    });
    const shared = await load(`${head}${jwt('secretEnv: S, tenantClaim: org, priorityClaim: p, clockTolerance: 0s')}`);
    assert.partialDeepStrictEqual(shared.identity.jwt, {
      keys: { secretEnv: 'S' },
      algorithms: ['HS256'],
      tenantClaim: 'org',
      priorityClaim: 'p',
      clockToleranceMs: 0,
    });
  });

  it('are written out so that they load as the same', async () => {
    const text = `${head}${jwt('jwksFile: keys.json, weightClaim: w')}`;
    const loaded = await loadConfig({ text, defaults: 'serve' });
    assert.ok(loaded.ok);
    const again = await loadConfig({ text: JSON.stringify(loaded.document), defaults: 'serve' });
    assert.deepEqual(again.problems, undefined);
    assert.deepEqual(again.ok.identity.jwt, (await load(text)).identity.jwt);
  });

  for (const [fields, message] of [
    ['', /identity\.jwt: has no keys; allowed is exactly one of jwksUrl, jwksFile, publicKeyFile, secretEnv/],
    ['jwksFile: a, secretEnv: B', /has jwksFile and secretEnv; allowed is exactly one/],
    ['jwksUrl: "ftp://i/k"', /jwksUrl: must be a URL https:/],
    ['jwksUrl: "https://me:secret@i/k"', /jwksUrl: must be a URL .* without credentials/],
    ['jwksUrl: "https://i/k", algorithms: [none]', /algorithms\[0\]: must be one of .*, got "none"/],
    [
      'jwksUrl: "https://i/k", algorithms: [HS256]',
      /algorithms\[0\]: must be one of RS256.* without secretEnv, got 'HS256'/,
    ],
    ['secretEnv: S, algorithms: [HS512, RS256]', /algorithms\[1\]: must be one of HS256.* with secretEnv, got 'RS256'/],
    ['secretEnv: "a secret!"', /secretEnv: must be the name of an environment variable/],
    ['secretEnv: S, clockTolerance: 1h', /clockTolerance/],
  ] as const) {
    it(`are refused with {${fields}}`, async () => {
      const told = await messages(jwt(fields));
      assert.match(told.join('\n'), message);
      assert.doesNotMatch(told.join('\n'), /a secret!|me:secret/);
      assert.equal(told.length, 1);
    });
  }

  it('need an audience, and are warned of keys that anybody in between could exchange', async () => {
    const told = await messages('identity: {jwt: {issuer: i, secretEnv: S}}');
    assert.match(
      told.join(),
      /identity\.jwt\.audience: is missing or empty; required is a list of at least one audience/,
    );
    const warned = async (url: string) =>
      (await loadConfig({ text: `${head}${jwt(`jwksUrl: "${url}"`)}`, defaults: 'serve' })).warnings.length;
    assert.deepEqual(
      [await warned('http://i/k'), await warned('http://127.0.0.1:1/k'), await warned('https://i/k')],
      [1, 0, 0],
    );
  });
});

describe('weights of tenants', () => {
  it('are those of the tenant or key, else by id, by pattern, else the default', async () => {
    const { identity } = await load(`${head}
fairness:
  weights: [{id: a, weight: 4}, {glob: "b*", weight: 0.5}]
  defaultWeight: 2
identity:
  tenants: [{tenant: a}, {tenant: bee}, {tenant: c}, {tenant: d, weight: 9}]
  keys: [{sha256: "${'a'.repeat(64)}", tenant: bob}]`);
    assert.deepEqual(
      [...identity.tenants, ...identity.keys].map(({ weight }) => weight),
      [4, 0.5, 2, 9, 0.5],
    );
  });

  it('are above 0 and finite, and say whose they are, once', async () => {
    const told = async (weights: string) => (await messages(`fairness: {weights: [${weights}]}`)).join();
    for (const weight of ['0', '-1', '.nan', '.inf', '"2"']) {
      assert.match(
        await told(`{id: a, weight: ${weight}}`),
        /fairness\.weights\[0\]\.weight: must be a number, more than 0/,
      );
    }
    assert.match(await told('{weight: 1}'), /fairness\.weights\[0\]: needs one of id and glob/);
    assert.match(await told('{id: a, glob: b, weight: 1}'), /needs one of id and glob/);
    assert.match(await told('{id: a, weight: 1}, {id: a, weight: 2}'), /duplicate id 'a'/);
    assert.match((await messages('fairness: {defaultWeight: -1}')).join(), /fairness\.defaultWeight: must be a number/);
  });

  it('leave no way to make what requests cost nothing, or no number', async () => {
    for (const field of [
      'inputToken: 0',
      'outputToken: 0',
      'inputToken: .nan',
      'cachedInputToken: -0.1',
      'image: .inf',
    ]) {
      const text = (await messages(`flowControl: {costModel: {${field}}}`)).join();
      assert.match(text, new RegExp(`flowControl\\.costModel\\.${field.split(':')[0]}: must be a number`));
    }
  });
});

describe('paths of tenants', () => {
  it('are names with slashes, for keys that say nothing the tenant’s', async () => {
    const { identity } = await load(`${head}
identity:
  tenants: [{tenant: a, path: acme/research}]
  keys: [{sha256: "${'a'.repeat(64)}", tenant: a}, {sha256: "${'b'.repeat(64)}", tenant: b, path: acme}]`);
    assert.deepEqual(
      [...identity.tenants, ...identity.keys].map(({ path }) => path),
      ['acme/research', 'acme/research', 'acme'],
    );
  });

  it('do not come back to where they have been, and have no empty names', async () => {
    const told = async (path: string) => (await messages(`identity: {tenants: [{tenant: a, path: "${path}"}]}`)).join();
    assert.match(await told('acme/b/acme'), /identity\.tenants\[0\]\.path: leads back to 'acme', which it has passed/);
    assert.match(await told('b/a'), /leads back to 'a', which it has passed: b \/ a \/ a/);
    for (const path of ['', '/a', 'b//c', 'b/', 'b c']) assert.match(await told(path), /one to seven names/);
  });
});
