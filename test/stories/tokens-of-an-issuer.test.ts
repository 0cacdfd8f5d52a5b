// SPDX-License-Identifier: Apache-2.0

/** Callers who show a token of an issuer: the official client, the gateway and the issuer over real sockets. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import type { CryptoKey, JWTPayload } from 'jose';
import OpenAI from 'openai';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { hashKey } from '../../packages/fairlead/src/tenancy/hash-key.ts';
import { openHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';
import { Loopback } from '../kit/loopback.ts';
import { RawClient } from '../kit/raw-client.ts';

const messages = [{ role: 'user' as const, content: 'Tell me a story.' }];

describe('a caller with a token', () => {
  let server: ModelServer;
  let house: House;
  let pair: { readonly publicKey: CryptoKey; readonly privateKey: CryptoKey };
  let asked = 0;
  let isIssuerUp = false;
  const issuer = createServer((_, response) => {
    asked += 1;
    if (!isIssuerUp) response.writeHead(503).end();
    else void exportJWK(pair.publicKey).then((jwk) => response.end(JSON.stringify({ keys: [{ ...jwk, kid: 'k1' }] })));
  });

  before(async () => {
    pair = await generateKeyPair('ES256', { extractable: true });
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    const jwksUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/keys`;
    server = await startModelServer({ prefillMs: 1, tokenMs: 1, models: ['m'] });
    house = await openHouse({
      servers: [{ url: server.url, models: ['m'] }],
      identity: {
        keys: [{ sha256: hashKey('sk-key'), tenant: 'keyed', priority: 0, weight: 1 }],
        tenants: [{ tenant: 'acme', priority: 10, weight: 3, maxInFlight: 5 }],
        jwt: {
          issuer: 'https://issuer.test',
          audience: ['fairlead'],
          keys: { jwksUrl },
          algorithms: ['ES256'],
          tenantClaim: 'org',
          clockToleranceMs: 0,
        },
      },
    });
  });

  after(async () => {
    await house.close();
    await server.destroy();
    issuer.closeAllConnections();
    await new Promise((resolve) => issuer.close(resolve));
  });

  const token = (claims: JWTPayload = {}) =>
    new SignJWT({ org: 'acme', iss: 'https://issuer.test', aud: 'fairlead', ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .setExpirationTime(claims.exp ?? '1h')
      .sign(pair.privateKey);
  const ask = (key: string) => house.client(key).chat.completions.create({ model: 'm', messages, max_tokens: 1 });

  it('is told to come back, while the keys of the issuer are not known', async () => {
    const shown = await token();
    await assert.rejects(ask(shown), (error) => {
      assert.ok(error instanceof OpenAI.InternalServerError);
      assert.deepEqual([error.status, error.code], [503, 'identity_unavailable']);
      assert.equal(error.headers.get('retry-after'), '1');
      return true;
    });
    await ask('sk-key');
    assert.equal(asked, 1);
  });

  it('is served as its tenant, with what the tenants table gives it', async () => {
    isIssuerUp = true;
    const shown = await token();
    // The issuer is asked again when a second has passed.
    let answered = false;
    while (!answered) {
      answered = await ask(shown).then(
        () => true,
        (error: unknown) => {
          assert.ok(error instanceof OpenAI.InternalServerError);
          return false;
        },
      );
    }
    const { request } = (await house.heard('dispatched')).at(-1)!;
    assert.partialDeepStrictEqual(request, { fairnessId: 'acme', priority: 10, flowWeight: 3, cap: { max: 5 } });
    const askedBefore = asked;
    await Promise.all([ask(shown), ask(shown), ask(await token()), ask('sk-key')]);
    assert.equal(asked, askedBefore);
  });

  it('is refused in the words in which everybody is, when it is not right', async () => {
    const refusals = await Promise.all(
      ['sk-no', await token({ aud: 'other' }), await token({ exp: 1 }), 'a.b.c'].map(async (key) => {
        const headers = { authorization: `Bearer ${key}` };
        const answer = await fetch(`${house.url}/v1/no-such-path`, { headers });
        const told = [...answer.headers].filter(([name]) => name !== 'date' && name !== 'x-request-id');
        return { status: answer.status, told, body: await answer.text() };
      }),
    );
    assert.equal(refusals[0]?.status, 401);
    for (const refusal of refusals) assert.deepEqual(refusal, refusals[0]);
  });

  it('who leaves while the token is checked, leaves nothing behind', async () => {
    const stop = new AbortController();
    const gone = token().then((key) =>
      house.client(key).chat.completions.create({ model: 'm', messages }, { signal: stop.signal }),
    );
    stop.abort();
    await assert.rejects(gone);
    await house.quiet();
    house.assertEmpty();
  });
});

describe('a caller whose token is checked for longer than a request may take', () => {
  const loopback = new Loopback();
  after(() => loopback.end());

  it('is told so, and nothing more when the issuer answers after all', async () => {
    const asked = Promise.withResolvers<ServerResponse>();
    const jwksUrl = await loopback.http((_, response) => asked.resolve(response));
    const url = await loopback.http((_, response) => void response.end());
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    const claims = { issuer: 'https://issuer.test', audience: ['fairlead'], tenantClaim: 'org', clockToleranceMs: 0 };
    const house = await openHouse({
      servers: [{ url, models: ['m'] }],
      gateway: { requestTimeoutMs: 500 },
      identity: { jwt: { ...claims, keys: { jwksUrl }, algorithms: ['ES256'] } },
    });
    loopback.atEnd(() => house.close());
    const token = await new SignJWT({ org: 'acme', iss: claims.issuer, aud: 'fairlead' })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .setExpirationTime('1h')
      .sign(privateKey);
    const client = new RawClient(house.url);
    const head = `POST /v1/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n`;
    client.write(`${head}content-length: 13\r\nexpect: 100-continue\r\n\r\n`);
    assert.equal((await client.answer()).status, 408);
    (await asked.promise).end(JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1' }] }));
    // Whoever shows the same token waits for the same check: it is over for the first as well.
    const other = new RawClient(house.url);
    await other.write(`GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n\r\n`).answer();
    client.write('{"model":"m"}');
    await client.closed;
    other.destroy();
    assert.equal(client.text, '');
    assert.deepEqual(
      (await house.heard('report', 2)).map(({ status }) => status),
      [200, 408],
    );
    await house.quiet();
    house.assertEmpty();
  });
});
