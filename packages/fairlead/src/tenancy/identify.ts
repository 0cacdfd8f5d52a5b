// SPDX-License-Identifier: Apache-2.0

/**
 * Who is asking? One function of a request's head, made once from the `identity` section. With keys configured a caller
 * shows one of them or is refused, wherever it comes from; with tokens of an issuer configured, one of those will do.
 * Without either, callers are told apart without proof: by a short
 * hash of the key they present (whoever it was made by), else by their address. From `identity.trustedSources` the
 * reference's headers then name the tenant and the objective; from anywhere else they are not looked at. Behind
 * `identity.trustedProxies` the caller's address is the one that they vouch for.
 *
 * A presented key is hashed first, and only its digest is looked up. A key is never kept, logged or returned.
 */

import type { InFlightCap, TokenBucket } from '@fairlead/core';
import type { IdentityConfig, InferenceObjective } from '../config/resolved.ts';
import { createClientAddress } from './client-address.ts';
import { FAIRNESS_ID_NAMES, MAX_FAIRNESS_ID_LENGTH, OBJECTIVE_NAMES, isPrintable, present } from './control-names.ts';
import type { RequestHeaders } from './control-names.ts';
import { FairnessWeights } from './fairness-weights.ts';
import { Grants } from './grants.ts';
import type { Grant } from './grants.ts';
import type { JwtVerifier, Verified } from './jwt/jwt-verifier.ts';
import { presentedDigest } from './key-table.ts';
import type { KeyTable } from './key-table.ts';
import { addressTenant, createTrustedSources } from './source-address.ts';
import { TenantMemory } from './tenant-memory.ts';

/** What `identify` reads: the headers and the peer's address of the connection. */
export interface CallerHead {
  readonly headers: RequestHeaders;
  readonly remoteAddress: string | undefined;
}

export interface Identity {
  /** The fairness id of the caller's requests. */
  readonly tenant: string;
  readonly priority: number;
  /** Share relative to other tenants. */
  readonly weight: number;
  /** Where the tenant stands in a hierarchy, itself included: `org/team/tenant`; undefined when nobody says. */
  readonly path?: string;
  /** The tenant's limit on requests in flight: the same object for all of its keys. */
  readonly cap?: InFlightCap;
  /** Its limit on tokens a minute, shared in the same way. */
  readonly tokenBucket?: TokenBucket;
  /** The tenant was proven by a configured key, or named by a trusted source. */
  readonly verified: boolean;
  /** The request comes from `identity.trustedSources`: its control headers count. */
  readonly trusted: boolean;
  /** A trusted source named an objective that is not configured; priority 0 is used instead. */
  readonly unknownObjective?: boolean;
  /** Where it comes from: the connection's peer, or the client that a trusted proxy speaks for. */
  readonly address: string | undefined;
  /** The connection's peer is a trusted proxy. */
  readonly viaProxy: boolean;
}

/** The caller may not pass, or (503) nobody can say just now whether it may. Recognised by its `status`. */
export interface Refusal {
  readonly status: 401 | 503;
  /** For the client; says the same whatever was wrong with the key. */
  readonly message: string;
}

/** Who is asking: at once, unless a token has to be checked. The promise never rejects. */
export type Identify = (head: CallerHead) => Identity | Refusal | Promise<Identity | Refusal>;

const REFUSAL: Refusal = Object.freeze({
  status: 401,
  message: 'missing or invalid API key: send one as "Authorization: Bearer KEY" or "x-api-key: KEY"',
});

const CANNOT_SAY: Refusal = Object.freeze({ status: 503, message: 'who is asking cannot be checked just now' });

/** Hex digits of a presented key's hash that name an unverified tenant. */
const SHORT_HASH_LENGTH = 12;

/** What outlives a configuration. */
export interface IdentifyParts {
  readonly memory?: TenantMemory;
  /** Checks the tokens of `identity.jwt`, when there is one. */
  readonly tokens?: JwtVerifier | undefined;
}

/**
 * Makes the function that identifies callers. Only a token that is not known yet makes it answer with a promise.
 * @throws RangeError when a trusted source or proxy is not an address range.
 */
export function createIdentify(
  config: IdentityConfig,
  objectives: readonly InferenceObjective[],
  { memory = new TenantMemory(), tokens }: IdentifyParts = {},
): Identify {
  const isTrusted = createTrustedSources(config.trustedSources);
  const clientOf = createClientAddress(config.trustedProxies);
  const grants = new Grants(config, memory);
  const isOpen = grants.keys.isEmpty && tokens === undefined;
  const priorities = new Map(objectives.map(({ name, priority }) => [name, priority]));
  const weights = new FairnessWeights(config.fairness);
  const unverified = memory.unverified(config.maxUnverifiedTenants);

  const identityOf = ({ headers, remoteAddress }: CallerHead, digest: string | undefined, grant?: Grant): Identity => {
    const { address, viaProxy } = clientOf(headers, remoteAddress);
    // A proxy need not be trusted itself to speak for a source that is.
    const trusted = isTrusted(remoteAddress) || (viaProxy && isTrusted(address));
    const named = trusted ? namedTenant(headers) : undefined;
    const objective = trusted ? present(headers, OBJECTIVE_NAMES)?.value : undefined;
    const granted = (named === undefined ? undefined : grants.ofTenant(named)) ?? grant;
    const unknownObjective = !!objective && !priorities.has(objective);
    const tenant = named ?? grant?.tenant ?? unverified.admit(unverifiedTenant(digest, address));
    const path = pathOf(tenant, { named, grant, granted });
    const identity: { -readonly [K in keyof Identity]: Identity[K] } = {
      tenant,
      priority: objective ? (priorities.get(objective) ?? 0) : (granted?.priority ?? 0),
      weight: granted?.weight ?? weights.of(tenant),
      verified: named !== undefined || grant !== undefined,
      trusted,
      address,
      viaProxy,
    };
    if (path !== undefined) identity.path = path;
    if (granted?.cap !== undefined) identity.cap = granted.cap;
    if (granted?.tokenBucket !== undefined) identity.tokenBucket = granted.tokenBucket;
    if (unknownObjective) identity.unknownObjective = true;
    return identity;
  };

  const byToken = (head: CallerHead, digest: string, verified: Verified): Identity | Refusal => {
    if (verified === 'refused') return REFUSAL;
    if (verified === 'unknown') return CANNOT_SAY;
    return identityOf(head, digest, {
      priority: 0,
      weight: weights.of(verified.tenant),
      ...grants.ofTenant(verified.tenant),
      ...verified,
    });
  };

  return (head) => {
    const shown = presentedKeys(head.headers);
    const digests = shown.map(presentedDigest);
    const grant = firstFound(digests, grants.keys);
    if (grant !== undefined || isOpen) return identityOf(head, digests[0], grant);
    const [token, digest] = [shown[0], digests[0]];
    if (tokens === undefined || token === undefined || digest === undefined) return REFUSAL;
    const verified = tokens.verify(token, digest);
    if (verified instanceof Promise) return verified.then((known) => byToken(head, digest, known));
    return byToken(head, digest, verified);
  };
}

/**
 * Where the tenant stands in a hierarchy, itself included; undefined when nobody says. Who is named by a trusted source and shows a key besides is a program of the key's tenant, unless the configuration
 * knows better. A name with slashes is a path by itself.
 */
export function pathOf(
  tenant: string,
  by: { readonly named: string | undefined; readonly grant?: Grant | undefined; readonly granted: Grant | undefined },
): string | undefined {
  const { named, grant, granted } = by;
  if (granted?.path !== undefined && granted.tenant === tenant) return `${granted.path}/${tenant}`;
  if (named?.includes('/') === true) return named;
  if (named !== undefined && grant?.path !== undefined) return `${grant.path}/${grant.tenant}/${named}`;
  return undefined;
}

function firstFound<T>(digests: readonly string[], keys: KeyTable<T>): T | undefined {
  for (const digest of digests) {
    const found = keys.find(digest);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What the caller presents as a key, in the order in which it is tried. */
function presentedKeys(headers: RequestHeaders): string[] {
  const keys: string[] = [];
  const bearer = /^bearer +(\S+) *$/i.exec(headers['authorization'] ?? '')?.[1];
  if (bearer !== undefined) keys.push(bearer);
  const apiKey = headers['x-api-key']?.trim();
  if (apiKey !== undefined && apiKey !== '') keys.push(apiKey);
  return keys;
}

/** The tenant a trusted source names; a bad name is refused where control headers are checked, and ignored here. */
function namedTenant(headers: RequestHeaders): string | undefined {
  const named = present(headers, FAIRNESS_ID_NAMES)?.value;
  return named && isPrintable(named, MAX_FAIRNESS_ID_LENGTH) ? named : undefined;
}

function unverifiedTenant(keyHash: string | undefined, address: string | undefined): string {
  return keyHash === undefined ? addressTenant(address) : `key-${keyHash.slice(0, SHORT_HASH_LENGTH)}`;
}
