// SPDX-License-Identifier: Apache-2.0

/** An issuer on loopback, asked over real sockets. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { SignJWT, errors, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import type { CryptoKey } from 'jose';
import { NoKeysError, RemoteKeys } from './remote-keys.ts';

interface Signer {
  readonly kid: string;
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}

async function newSigner(kid: string): Promise<Signer> {
  return { kid, ...(await generateKeyPair('ES256', { extractable: true })) };
}

describe('the keys of an issuer', () => {
  let answer: RequestListener;
  let asked = 0;
  let nowMs = 0;
  let remote: RemoteKeys;
  let problems: string[];
  const server = createServer((request, response) => {
    asked += 1;
    answer(request, response);
  });

  beforeEach(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys?v=1`;
    [asked, nowMs, problems] = [0, 0, []];
    remote = new RemoteKeys({ url, nowMs: () => nowMs, onProblem: (message) => problems.push(message) });
  });

  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const publish = async (...signers: Signer[]) => {
    const keys = await Promise.all(
      signers.map(async ({ kid, publicKey }) => ({ ...(await exportJWK(publicKey)), kid })),
    );
    answer = (_, response) => response.end(JSON.stringify({ keys }));
  };
  const check = async ({ kid, privateKey }: Signer): Promise<unknown> => {
    const token = await new SignJWT({}).setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey);
    return jwtVerify(token, remote.key);
  };

  it('are asked for once, and again when they are old', async () => {
    const signer = await newSigner('a');
    await publish(signer);
    await Promise.all([check(signer), check(signer), check(signer)]);
    nowMs = 599_000;
    await check(signer);
    assert.equal(asked, 1);
    nowMs = 600_000;
    const again = new Promise((resolve) => server.once('request', resolve));
    await check(signer);
    await again;
    assert.equal(asked, 2);
  });

  it('are asked for when a token names a new one, but not more often because strangers make names up', async () => {
    const [first, second, third] = [await newSigner('a'), await newSigner('b'), await newSigner('c')];
    await publish(first);
    await check(first);
    nowMs = 30_000;
    await publish(first, second);
    await check(second);
    assert.equal(asked, 2);
    for (let count = 0; count < 20; count += 1) await assert.rejects(check(third), errors.JWKSNoMatchingKey);
    assert.equal(asked, 2);
    nowMs = 60_000;
    await assert.rejects(check(third), errors.JWKSNoMatchingKey);
    await check(first);
    assert.equal(asked, 3);
  });

  const failures: readonly (readonly [what: string, listener: RequestListener, problem: RegExp])[] = [
    ['an error', (_, response) => response.writeHead(500).end(), /answered 500, not 200/],
    ['a redirect', (_, response) => response.writeHead(302, { location: '/other' }).end(), /answered 302, not 200/],
    ['no JSON', (_, response) => response.end('<html>'), /JSON/],
    ['no keys', (_, response) => response.end('{}'), /JSON Web Key Set malformed/],
    ['an endless answer', (_, response) => endless(response), /answered more than 262144 bytes/],
    ['a cut', (_, response) => response.destroy(), /./],
  ];
  for (const [what, listener, problem] of failures) {
    it(`stay when the issuer answers with ${what}, and are none while there are none yet`, async () => {
      const signer = await newSigner('a');
      answer = listener;
      await assert.rejects(check(signer), NoKeysError);
      assert.match(problems.join(), problem);
      await assert.rejects(check(signer), NoKeysError);
      assert.equal(asked, 1, 'not asked again at once');
      nowMs = 1_000;
      await publish(signer);
      await check(signer);
      nowMs = 40_000;
      answer = listener;
      await assert.rejects(check(await newSigner('b')), errors.JWKSNoMatchingKey);
      await check(signer);
      assert.equal(asked, 3);
    });
  }
});

function endless(response: {
  write(chunk: Buffer): boolean;
  once(event: 'drain', listener: () => void): unknown;
}): void {
  while (response.write(Buffer.alloc(65_536, 32)));
  response.once('drain', () => endless(response));
}
