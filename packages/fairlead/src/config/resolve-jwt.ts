// SPDX-License-Identifier: Apache-2.0

/** The section `identity.jwt`: exactly one place that keys come from, and algorithms that fit it. */

import path from 'node:path';
import type { Resolution } from './resolution.ts';
import type { JwtConfig } from './resolved.ts';
import { PUBLIC_KEY_ALGORITHMS, SECRET_ALGORITHMS } from './schema-jwt.ts';

const KEY_FIELDS = ['jwksUrl', 'jwksFile', 'publicKeyFile', 'secretEnv'] as const;
const DEFAULT_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'] as const;

/** The resolved section, and the same as it is written; undefined when there is none, or one with problems. */
export function resolveJwt(
  resolution: Resolution,
): { readonly resolved: JwtConfig; readonly document: Readonly<Record<string, unknown>> } | undefined {
  const given = resolution.fields.identity.jwt;
  if (given === undefined) return undefined;
  const { problems } = resolution;
  const before = problems.length;
  const at = ['identity', 'jwt'];
  if (given.issuer === '')
    problems.push({ path: [...at, 'issuer'], message: 'is empty; allowed is the issuer of tokens' });
  const audience = given.audience.filter((each) => each !== undefined);
  if (audience.length === 0 || audience.includes('')) {
    const allowed = 'a list of at least one audience';
    const message = `is missing or empty; required is ${allowed}: a token for somebody else is none for us`;
    problems.push({ path: [...at, 'audience'], message, allowed });
  }
  const keys = resolveKeys(resolution);
  const algorithms = resolveAlgorithms(resolution, keys);
  if (problems.length > before || keys === undefined || given.issuer === undefined) return undefined;
  const { issuer, tenantClaim, priorityClaim, weightClaim, clockTolerance } = given;
  const claims = {
    tenantClaim,
    ...(priorityClaim === undefined ? {} : { priorityClaim }),
    ...(weightClaim === undefined ? {} : { weightClaim }),
  };
  return {
    resolved: { issuer, audience, keys, algorithms, ...claims, clockToleranceMs: clockTolerance },
    document: { issuer, audience, ...keys, algorithms, ...claims, clockTolerance: `${clockTolerance}ms` },
  };
}

function resolveKeys({ fields, problems, warnings, directory }: Resolution): JwtConfig['keys'] | undefined {
  const { jwt } = fields.identity;
  const at = ['identity', 'jwt'];
  const named = KEY_FIELDS.filter((field) => jwt?.[field] !== undefined);
  // A bad value was told already.
  const isTold = problems.some(
    ({ path: place }) => place[1] === 'jwt' && (KEY_FIELDS as readonly unknown[]).includes(place[2]),
  );
  if (named.length !== 1) {
    const allowed = `exactly one of ${KEY_FIELDS.join(', ')}`;
    const message = `has ${named.length === 0 ? 'no keys' : named.join(' and ')}; allowed is ${allowed}`;
    if (!isTold) problems.push({ path: at, message, allowed, at: 'key' });
    return undefined;
  }
  const { jwksUrl, jwksFile, publicKeyFile, secretEnv } = jwt ?? {};
  if (jwksFile !== undefined) return { jwksFile: path.resolve(directory, jwksFile) };
  if (publicKeyFile !== undefined) return { publicKeyFile: path.resolve(directory, publicKeyFile) };
  if (secretEnv !== undefined) return { secretEnv };
  const url = URL.parse(jwksUrl ?? '');
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== '' ||
    url.password !== '' ||
    url.hash !== ''
  ) {
    const allowed = 'a URL https://host/path (or http://) without credentials and fragment';
    problems.push({ path: [...at, 'jwksUrl'], message: `must be ${allowed}`, allowed });
    return undefined;
  }
  if (url.protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)) {
    const message = 'is read without TLS: whoever stands in between can make tokens of any tenant';
    warnings.push({ path: [...at, 'jwksUrl'], message });
  }
  return { jwksUrl: url.href };
}

/** Keys that anybody may have must never be taken for a secret: an attacker would sign with them. */
function resolveAlgorithms({ fields, problems }: Resolution, keys: JwtConfig['keys'] | undefined): readonly string[] {
  const given = fields.identity.jwt?.algorithms ?? [];
  const isSecret = keys !== undefined && 'secretEnv' in keys;
  if (given.length === 0) return isSecret ? ['HS256'] : DEFAULT_ALGORITHMS;
  const fitting: readonly string[] = isSecret ? SECRET_ALGORITHMS : PUBLIC_KEY_ALGORITHMS;
  given.forEach((algorithm, index) => {
    if (keys === undefined || algorithm === undefined || fitting.includes(algorithm)) return;
    const allowed = `one of ${fitting.join(', ')} ${isSecret ? 'with' : 'without'} secretEnv`;
    const message = `must be ${allowed}, got '${algorithm}'`;
    problems.push({ path: ['identity', 'jwt', 'algorithms', index], message, value: algorithm, allowed });
  });
  return given.filter((algorithm) => algorithm !== undefined);
}
