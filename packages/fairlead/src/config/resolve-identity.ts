// SPDX-License-Identifier: Apache-2.0

/** The sections `identity` and `inferenceObjectives`: who is asking, and what priorities are called. */

import type { Path } from '@fairlead/core';
import { parseCidr } from '../tenancy/source-address.ts';
import { resolveJwt } from './resolve-jwt.ts';
import { refuseDuplicates } from './resolution.ts';
import type { Resolution, Section } from './resolution.ts';
import { FairnessWeights } from '../tenancy/fairness-weights.ts';
import type {
  FairnessConfig,
  IdentityConfig,
  IdentityKey,
  InferenceObjective,
  TenantConfig,
  TenantLimits,
} from './resolved.ts';
import { digest } from './schema-gateway.ts';

export function resolveIdentity(resolution: Resolution, fairness: FairnessConfig): Section<IdentityConfig> {
  const weights = new FairnessWeights(fairness);
  const tenants = resolveTenants(resolution, weights);
  const jwt = resolveJwt(resolution);
  const common = {
    keys: resolveKeys(resolution, tenants, weights),
    tenants,
    trustedSources: addressRanges(resolution, 'trustedSources'),
    trustedProxies: addressRanges(resolution, 'trustedProxies'),
    maxUnverifiedTenants: resolution.fields.identity.maxUnverifiedTenants,
  };
  return {
    resolved: { ...common, fairness, ...(jwt && { jwt: jwt.resolved }) },
    document: { ...common, ...(jwt && { jwt: jwt.document }) },
  };
}

function resolveTenants(resolution: Resolution, weights: FairnessWeights): TenantConfig[] {
  const given = resolution.fields.identity.tenants;
  const names = given.map((entry, index) => ({ value: entry?.tenant, path: ['identity', 'tenants', index, 'tenant'] }));
  refuseDuplicates(resolution, names, (name) => `duplicate tenant '${String(name)}'`);
  return given.flatMap((entry, index) => {
    if (entry?.tenant === undefined) return [];
    const { tenant, priority, weight = weights.of(tenant) } = entry;
    const path = ['identity', 'tenants', index];
    const place = placeOf(resolution, { tenant, path: entry.path }, path);
    return [{ tenant, priority, weight, ...place, ...limitsOf(resolution, entry, path) }];
  });
}

/** Where a tenant stands; a way that comes back to where it has been is a mistake. */
function placeOf(
  { problems }: Resolution,
  { tenant, path }: { readonly tenant: string; readonly path?: string | undefined },
  at: Path,
): { path?: string } {
  if (path === undefined) return {};
  const names = [...path.split('/'), tenant];
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) {
    const message = `leads back to '${twice}', which it has passed: ${names.join(' / ')}`;
    problems.push({ path: [...at, 'path'], message, value: path, allowed: 'every name once' });
  }
  return { path };
}

/** The limits that an entry names. */
function limitsOf({ problems }: Resolution, given: TenantLimits, path: Path): TenantLimits {
  const { maxInFlight, tokensPerMinute, burstTokens } = given;
  if (burstTokens !== undefined && tokensPerMinute === undefined) {
    const message = 'has no effect without tokensPerMinute: give both';
    problems.push({ path: [...path, 'burstTokens'], message, at: 'key' });
  }
  return Object.fromEntries(
    Object.entries({ maxInFlight, tokensPerMinute, burstTokens }).filter(([, value]) => value !== undefined),
  );
}

function resolveKeys(
  resolution: Resolution,
  tenants: readonly TenantConfig[],
  weights: FairnessWeights,
): IdentityKey[] {
  const keys = resolution.fields.identity.keys.flatMap((given, index) => {
    if (given === undefined) return [];
    const path = ['identity', 'keys', index];
    const { hash, tenant } = given;
    if (given.sha256 !== undefined && hash !== undefined) {
      resolution.problems.push({
        path: [...path, 'hash'],
        message: 'is another name of sha256: give one of them',
        at: 'key',
      });
    }
    const sha256 = (given.sha256 ?? hash)?.replace(/^sha256:/, '').toLowerCase();
    if (sha256 === undefined) refuseMissingHash(resolution, index);
    const limits = limitsOf(resolution, given, path);
    if (sha256 === undefined || tenant === undefined) return [];
    const entry = tenants.find((candidate) => candidate.tenant === tenant);
    const { priority = entry?.priority ?? 0, weight = entry?.weight ?? weights.of(tenant) } = given;
    const place = placeOf(resolution, { tenant, path: given.path ?? entry?.path }, path);
    const key: IdentityKey = { sha256, tenant, priority, weight, ...place, ...limits };
    return [{ key, path: [...path, given.sha256 === undefined ? 'hash' : 'sha256'] }];
  });
  refuseDuplicateKeys(resolution, keys);
  return keys.map(({ key }) => key);
}

function refuseMissingHash({ problems }: Resolution, index: number): void {
  const path = ['identity', 'keys', index, 'sha256'];
  // A bad hash was told already.
  if (problems.some((problem) => isIn(problem.path, path.slice(0, 3), ['sha256', 'hash']))) return;
  const { allowed } = digest;
  problems.push({ path, message: `is missing; required is ${allowed}`, allowed });
}

function isIn(path: Path, parent: Path, fields: readonly string[]): boolean {
  return parent.every((part, index) => path[index] === part) && fields.includes(String(path[parent.length]));
}

/** The same key twice; tells which entry came first, and nothing of the key. */
function refuseDuplicateKeys(
  { problems }: Resolution,
  keys: readonly { readonly key: IdentityKey; readonly path: Path }[],
): void {
  const first = new Map<string, IdentityKey>();
  for (const { key, path } of keys) {
    const earlier = first.get(key.sha256);
    if (earlier !== undefined)
      problems.push({ path, message: `duplicate key: tenant '${earlier.tenant}' has it already` });
    else first.set(key.sha256, key);
  }
}

function addressRanges({ fields, problems }: Resolution, field: 'trustedSources' | 'trustedProxies'): string[] {
  return fields.identity[field].flatMap((source, index) => {
    if (source === undefined) return [];
    try {
      parseCidr(source);
    } catch (error) {
      const allowed = 'an address or a range such as 10.0.0.0/8 or fd00::/8';
      const path = ['identity', field, index];
      problems.push({ path, message: (error as Error).message, value: source, allowed });
    }
    return [source];
  });
}

export function resolveObjectives(resolution: Resolution): readonly InferenceObjective[] {
  const given = resolution.fields.inferenceObjectives;
  const names = given.map((objective, index) => ({
    value: objective?.name,
    path: ['inferenceObjectives', index, 'name'],
  }));
  refuseDuplicates(resolution, names, (name) => `duplicate objective '${String(name)}'`);
  return given.flatMap((objective) => {
    if (objective?.name === undefined) return [];
    return [{ name: objective.name, priority: objective.priority }];
  });
}
