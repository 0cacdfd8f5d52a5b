// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { SignJWT, exportJWK, exportSPKI, generateKeyPair, jwtVerify } from 'jose';
import { localKeys } from './local-keys.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'fairlead-jwt-'));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const full = path.join(folder, name);
  writeFileSync(full, text);
  return full;
}

describe('keys at hand', () => {
  it('are a file of keys, one key, or a secret of the environment', async () => {
    const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true });
    const token = await new SignJWT({ sub: 'a' }).setProtectedHeader({ alg: 'EdDSA' }).sign(privateKey);
    const jwksFile = file('keys.json', JSON.stringify({ keys: [await exportJWK(publicKey)] }));
    const publicKeyFile = file('key.pem', await exportSPKI(publicKey));
    for (const from of [{ jwksFile }, { publicKeyFile }]) {
      assert.equal((await jwtVerify(token, localKeys(from, {}))).payload.sub, 'a');
    }
    const secret = 'a secret of at least 32 characters';
    const signed = await new SignJWT({ sub: 'b' }).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secret));
    const keys = localKeys({ secretEnv: 'SECRET' }, { SECRET: secret });
    assert.equal((await jwtVerify(signed, keys)).payload.sub, 'b');
  });

  it('that cannot be used are told with field and file, never with what is in them', () => {
    const missing = path.join(folder, 'missing');
    for (const [from, message] of [
      [
        { jwksFile: missing },
        /^identity\.jwt\.jwksFile: the file .*missing cannot be read \(ENOENT\); allowed is a JSON/,
      ],
      [{ jwksFile: '/dev/zero' }, /the file \/dev\/zero is not a regular file; allowed is a JSON Web Key Set$/],
      [{ publicKeyFile: folder }, /cannot be read \(EISDIR\); allowed is a public key as PEM$/],
      [{ jwksFile: file('a', 'canary') }, /holds no JSON Web Key Set/],
      [{ jwksFile: file('b', '{"keys": "canary"}') }, /holds no JSON Web Key Set/],
      [{ publicKeyFile: file('c', 'canary') }, /holds no public key as PEM/],
      [{ publicKeyFile: file('d', 'canary'.repeat(100_000)) }, /holds no public key as PEM/],
      [{ secretEnv: 'NONE' }, /the environment variable NONE is not set; allowed is a secret of at least 32 bytes/],
      [{ secretEnv: 'SHORT' }, /the environment variable SHORT has 6 bytes; allowed/],
    ] as const) {
      assert.throws(
        () => localKeys(from, { SHORT: 'canary' }),
        (error: Error) => {
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /canary/);
          return true;
        },
      );
    }
  });
});
