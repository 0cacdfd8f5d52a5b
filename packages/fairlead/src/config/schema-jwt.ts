// SPDX-License-Identifier: Apache-2.0

/** The section `identity.jwt`: whose tokens are believed, and what they say. */

import type { ParameterSpecs } from '@fairlead/core';

/** Signatures that anybody can check, and those of a shared secret: a set of keys is never used for both. */
export const PUBLIC_KEY_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;
export const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const;

const claim = {
  type: 'string',
  pattern: { test: /^[!-~]{1,256}$/, allowed: 'the name of a claim' },
} as const;

const file = { type: 'string', pattern: { test: /^[^\0]+$/, allowed: 'a path, relative to this file' } } as const;

export const jwtFields = {
  issuer: { type: 'string', required: true, doc: 'The `iss` of its tokens, to the letter.' },
  audience: {
    type: 'list',
    default: [],
    of: { type: 'string', doc: 'An audience.' },
    defaultDoc: 'required',
    doc: 'A token counts when its `aud` is, or has, one of these.',
  },
  jwksUrl: {
    type: 'string',
    doc: 'Where the issuer publishes its keys (a JSON Web Key Set). Asked when the first token comes, every ten minutes, and for a new key at most every 30 s. One of this and the next three.',
  },
  jwksFile: { ...file, doc: 'The same as a file, read at the start.' },
  publicKeyFile: { ...file, doc: 'One public key as PEM, read at the start.' },
  secretEnv: {
    type: 'string',
    hidden: true,
    pattern: { test: /^[A-Za-z_][A-Za-z0-9_]*$/, allowed: 'the name of an environment variable' },
    doc: 'Environment variable with the secret that is shared with the issuer, at least 32 bytes.',
  },
  algorithms: {
    type: 'list',
    default: [],
    of: { type: 'string', choices: [...PUBLIC_KEY_ALGORITHMS, ...SECRET_ALGORITHMS], doc: 'An algorithm.' },
    defaultDoc: '`RS256`, `PS256`, `ES256`, `EdDSA`, `Ed25519`; with `secretEnv` `HS256`',
    doc: 'Signatures that count. `HS…` only with `secretEnv`, the others only without.',
  },
  tenantClaim: {
    ...claim,
    default: 'sub',
    doc: 'The claim that names the tenant: 1 to 128 printable characters without spaces.',
  },
  priorityClaim: {
    ...claim,
    defaultDoc: 'none',
    doc: 'A claim with the priority, an integer; without it, what `identity.tenants` says of the tenant.',
  },
  weightClaim: {
    ...claim,
    defaultDoc: 'none',
    doc: 'A claim with the weight, a number over 0; without it, what `identity.tenants` says of the tenant.',
  },
  clockTolerance: {
    type: 'duration',
    default: 10_000,
    min: 0,
    max: 300_000,
    doc: "How far the issuer's clock may be off.",
  },
} as const satisfies ParameterSpecs;
