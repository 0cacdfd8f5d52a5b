// SPDX-License-Identifier: Apache-2.0

/**
 * Who is asking? One function of a request's head, made once from the `identity` section. With keys configured a caller
 * shows one of them or is refused, wherever it comes from; with tokens of an issuer configured, one of those will do.
 * Without either, callers are told apart without proof: by a short hash of the key they present (whoever it was made by),
 * else by their address. From `identity.trustedSources` the reference's headers then name the tenant and the objective;
 * from anywhere else they are not looked at. Behind `identity.trustedProxies` the caller's address is the one that they
 * vouch for.
 *
 * A presented key is hashed first, and only its digest is looked up. A key is never logged or returned, and stays in memory
 * with the head that presents it: while a request with that head waits for its answer, and for some two seconds after the
 * last one came. Who a head was identified as is remembered with it, for as long as the configuration is the same.
 */

import type { IdentityConfig, InferenceObjective } from '../config/resolved.ts';
import { createClientAddress } from './client-address.ts';
import { FAIRNESS_ID_NAMES, MAX_FAIRNESS_ID_LENGTH, OBJECTIVE_NAMES, isPrintable, present } from './control-names.ts';
import type { RequestHeaders } from './control-names.ts';
import { FairnessWeights } from './fairness-weights.ts';
import { Grants } from './grants.ts';
import type { Grant } from './grants.ts';
import type { Identity, Refusal } from './identity.ts';
import type { JwtVerifier, Verified } from './jwt/jwt-verifier.ts';
import type { KeyTable } from './key-table.ts';
import { firstKey, presentedBy } from './presented.ts';
import type { CallerHead, KnownCaller } from './presented.ts';
import { addressTenant, createTrustedSources } from './source-address.ts';
import { TenantMemory } from './tenant-memory.ts';
import type { UnverifiedTenants } from './unverified-tenants.ts';

/**
 * Who is asking, by a request's head, the peer's address of its connection, and when it came (`atMs`, on a clock that never
 * goes back): at once, unless a token has to be checked. The promise never rejects.
 */
export type Identify = (
  head: CallerHead,
  remoteAddress: string | undefined,
  atMs: number,
) => Identity | Refusal | Promise<Identity | Refusal>;

const REFUSAL: Refusal = Object.freeze({
  status: 401,
  message: 'missing or invalid API key: send one as "Authorization: Bearer KEY" or "x-api-key: KEY"',
});

const CANNOT_SAY: Refusal = Object.freeze({ status: 503, message: 'who is asking cannot be checked just now' });

/** Hex digits of a presented key's hash that name an unverified tenant. */
const SHORT_HASH_LENGTH = 12;

/** A caller that is not known by its head. */
interface Asking {
  readonly headers: RequestHeaders;
  readonly remoteAddress: string | undefined;
  /** Of the key that it presents first. */
  readonly digest: string | undefined;
  readonly atMs: number;
}

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
  parts: IdentifyParts = {},
): Identify {
  const rules = new Rules(config, objectives, parts);
  return (head, remoteAddress, atMs) => rules.identify(head, remoteAddress, atMs);
}

/** Who is asking, by one configuration. */
class Rules {
  readonly #isTrusted: (address: string | undefined) => boolean;
  readonly #clientOf: ReturnType<typeof createClientAddress>;
  readonly #grants: Grants;
  readonly #tokens: JwtVerifier | undefined;
  readonly #isOpen: boolean;
  readonly #priorities: ReadonlyMap<string, number>;
  readonly #weights: FairnessWeights;
  readonly #unverified: UnverifiedTenants;

  constructor(
    config: IdentityConfig,
    objectives: readonly InferenceObjective[],
    { memory = new TenantMemory(), tokens }: IdentifyParts,
  ) {
    this.#isTrusted = createTrustedSources(config.trustedSources);
    this.#clientOf = createClientAddress(config.trustedProxies);
    this.#grants = new Grants(config, memory);
    this.#tokens = tokens;
    this.#isOpen = this.#grants.keys.isEmpty && tokens === undefined;
    this.#priorities = new Map(objectives.map(({ name, priority }) => [name, priority]));
    this.#weights = new FairnessWeights(config.fairness);
    this.#unverified = memory.unverified(config.maxUnverifiedTenants);
  }

  identify(head: CallerHead, remoteAddress: string | undefined, atMs: number): ReturnType<Identify> {
    const presented = presentedBy(head);
    const { caller, digests } = presented;
    if (caller !== undefined && caller.rules === this && caller.remoteAddress === remoteAddress) {
      const { stranger, identity } = caller;
      if (stranger === undefined || this.#unverified.admit(stranger, atMs) === identity.tenant) return identity;
    }
    const asking = { headers: head.headers, remoteAddress, digest: digests[0], atMs };
    const grant = firstFound(digests, this.#grants.keys);
    if (grant === undefined && !this.#isOpen) return this.#byToken(asking);
    presented.caller = this.#callerOf(asking, grant);
    return presented.caller.identity;
  }

  #byToken(asking: Asking): ReturnType<Identify> {
    const { headers, digest } = asking;
    if (this.#tokens === undefined || digest === undefined) return REFUSAL;
    const verified = this.#tokens.verify(firstKey(headers) as string, digest);
    if (verified instanceof Promise) return verified.then((known) => this.#byClaims(asking, known));
    return this.#byClaims(asking, verified);
  }

  #byClaims(asking: Asking, verified: Verified): Identity | Refusal {
    if (verified === 'refused') return REFUSAL;
    if (verified === 'unknown') return CANNOT_SAY;
    const { tenant } = verified;
    const byDefault = { priority: 0, weight: this.#weights.of(tenant) };
    return this.#callerOf(asking, { ...byDefault, ...this.#grants.ofTenant(tenant), ...verified }).identity;
  }

  #callerOf({ headers, remoteAddress, digest, atMs }: Asking, grant: Grant | undefined): KnownCaller {
    const { address, viaProxy } = this.#clientOf(headers, remoteAddress);
    // A proxy need not be trusted itself to speak for a source that is.
    const trusted = this.#isTrusted(remoteAddress) || (viaProxy && this.#isTrusted(address));
    const named = trusted ? namedTenant(headers) : undefined;
    const objective = trusted ? present(headers, OBJECTIVE_NAMES)?.value : undefined;
    const granted = (named === undefined ? undefined : this.#grants.ofTenant(named)) ?? grant;
    const proven = named ?? grant?.tenant;
    const stranger = proven === undefined ? unverifiedTenant(digest, address) : undefined;
    const tenant = proven ?? this.#unverified.admit(stranger as string, atMs);
    const identity: Identity = {
      tenant,
      priority: objective ? (this.#priorities.get(objective) ?? 0) : (granted?.priority ?? 0),
      weight: granted?.weight ?? this.#weights.of(tenant),
      path: pathOf(tenant, named, { grant, granted }),
      cap: granted?.cap,
      tokenBucket: granted?.tokenBucket,
      verified: proven !== undefined,
      trusted,
      unknownObjective: !!objective && !this.#priorities.has(objective),
      address,
      viaProxy,
    };
    return { rules: this, remoteAddress, identity, stranger };
  }
}

/**
 * Where the tenant stands in a hierarchy, itself included; undefined when nobody says. Who is named by a trusted source
 * and shows a key besides is a program of the key's tenant, unless the configuration knows better. A name with slashes is
 * a path by itself.
 */
export function pathOf(
  tenant: string,
  named: string | undefined,
  { grant, granted }: { readonly grant?: Grant | undefined; readonly granted: Grant | undefined },
): string | undefined {
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

/** The tenant a trusted source names; a bad name is refused where control headers are checked, and ignored here. */
function namedTenant(headers: RequestHeaders): string | undefined {
  const named = present(headers, FAIRNESS_ID_NAMES)?.value;
  return named && isPrintable(named, MAX_FAIRNESS_ID_LENGTH) ? named : undefined;
}

function unverifiedTenant(keyHash: string | undefined, address: string | undefined): string {
  return keyHash === undefined ? addressTenant(address) : `key-${keyHash.slice(0, SHORT_HASH_LENGTH)}`;
}
