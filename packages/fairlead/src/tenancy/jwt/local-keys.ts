// SPDX-License-Identifier: Apache-2.0

/** Keys that tokens are checked with and that are at hand: a file of public keys, one public key, or a shared secret. */

import { createPublicKey } from 'node:crypto';
import { createLocalJWKSet } from 'jose';
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose';
import { IrregularFile, readBoundedSync } from '../../config/bounded-file.ts';
import type { JwtConfig } from '../../config/resolved.ts';

/** A file of keys is small; whatever is larger is another file. */
const MAX_BYTES = 256 * 1024;
/** As long as the digest of HS256 (RFC 7518 §3.2): a shorter secret is guessed faster than a signature. */
const MIN_SECRET_BYTES = 32;

/**
 * The key for each token.
 * @throws Error naming the field and the file or variable, never what is in it, when it cannot be used.
 */
export function localKeys(
  from: Exclude<JwtConfig['keys'], { readonly jwksUrl: string }>,
  environment: Readonly<Record<string, string | undefined>>,
): JWTVerifyGetKey {
  if ('jwksFile' in from) {
    return read('jwksFile', from.jwksFile, (text) => createLocalJWKSet(JSON.parse(text) as JSONWebKeySet));
  }
  if ('publicKeyFile' in from) {
    const key = read('publicKeyFile', from.publicKeyFile, (text) => createPublicKey(text));
    return () => key;
  }
  const secret = Buffer.from(environment[from.secretEnv] ?? '', 'utf8');
  if (secret.length < MIN_SECRET_BYTES) {
    const what = secret.length === 0 ? 'is not set' : `has ${secret.length} bytes`;
    throw new Error(
      `identity.jwt.secretEnv: the environment variable ${from.secretEnv} ${what}; allowed is a secret of at least ${MIN_SECRET_BYTES} bytes`,
    );
  }
  return () => secret;
}

function read<T>(field: string, file: string, parse: (text: string) => T): T {
  try {
    const bytes = readBoundedSync(file, MAX_BYTES);
    if (bytes.length > MAX_BYTES) throw new RangeError(`more than ${MAX_BYTES} bytes`);
    return parse(bytes.toString('utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isFile = code !== undefined && /^E[A-Z]+$/.test(code);
    const allowed = field === 'jwksFile' ? 'a JSON Web Key Set' : 'a public key as PEM';
    const why =
      error instanceof IrregularFile
        ? error.message
        : isFile
          ? `cannot be read (${code})`
          : `holds no ${allowed.replace(/^a /, '')}`;
    throw new Error(`identity.jwt.${field}: the file ${file} ${why}; allowed is ${allowed}`, { cause: error });
  }
}
