// SPDX-License-Identifier: Apache-2.0

/**
 * What tenants get, from `identity.tenants` and `identity.keys`: priority, weight, and the limits that hold them in the
 * queue. A limit belongs to the tenant, however it proves who it is: one object for all of its keys and tokens.
 */

import type { InFlightCap, TokenBucket, TokenBucketOptions } from '@fairlead/core';
import type { IdentityConfig, TenantLimits } from '../config/resolved.ts';
import { KeyTable } from './key-table.ts';
import { TenantMemory } from './tenant-memory.ts';

/** What a tenant gets. */
export interface Grant {
  readonly tenant: string;
  readonly priority: number;
  readonly weight: number;
  readonly path?: string | undefined;
  readonly cap?: InFlightCap;
  readonly tokenBucket?: TokenBucket;
}

export class Grants {
  readonly keys: KeyTable<Grant>;
  readonly #byTenant = new Map<string, Grant>();
  readonly #caps: ReadonlyMap<string, InFlightCap>;
  readonly #buckets: ReadonlyMap<string, TokenBucket>;

  /** `memory` keeps what the limits count from one configuration to the next. */
  constructor({ keys, tenants }: Pick<IdentityConfig, 'keys' | 'tenants'>, memory: TenantMemory = new TenantMemory()) {
    const lowest = new Map<string, TenantLimits>();
    for (const limits of [...tenants, ...keys]) lowest.set(limits.tenant, lower(limits, lowest.get(limits.tenant)));
    this.#caps = memory.caps(capsOf(lowest));
    this.#buckets = memory.buckets(ratesOf(lowest));
    // The tenant's own entry says what it gets; without one, the first of its keys.
    for (const entry of [...tenants, ...keys]) {
      if (!this.#byTenant.has(entry.tenant)) this.#byTenant.set(entry.tenant, this.#grant(entry));
    }
    this.keys = new KeyTable(keys.map((key) => [key.sha256, this.#grant(key)] as const));
  }

  /** What a tenant gets that the configuration names. */
  ofTenant(tenant: string): Grant | undefined {
    return this.#byTenant.get(tenant);
  }

  #grant({ tenant, priority, weight, path }: Grant): Grant {
    const [cap, tokenBucket] = [this.#caps.get(tenant), this.#buckets.get(tenant)];
    return {
      tenant,
      priority,
      weight,
      ...(path !== undefined && { path }),
      ...(cap && { cap }),
      ...(tokenBucket && { tokenBucket }),
    };
  }
}

/** Of several limits that are named for one tenant, the lowest counts. */
function lower(a: TenantLimits, b: TenantLimits | undefined): TenantLimits {
  const of = (field: keyof TenantLimits): number | undefined => {
    const least = Math.min(a[field] ?? Infinity, b?.[field] ?? Infinity);
    return least === Infinity ? undefined : least;
  };
  return { maxInFlight: of('maxInFlight'), tokensPerMinute: of('tokensPerMinute'), burstTokens: of('burstTokens') };
}

function capsOf(lowest: ReadonlyMap<string, TenantLimits>): Map<string, number> {
  const caps = new Map<string, number>();
  for (const [tenant, { maxInFlight }] of lowest) if (maxInFlight !== undefined) caps.set(tenant, maxInFlight);
  return caps;
}

function ratesOf(lowest: ReadonlyMap<string, TenantLimits>): Map<string, TokenBucketOptions> {
  const rates = new Map<string, TokenBucketOptions>();
  for (const [tenant, { tokensPerMinute, burstTokens }] of lowest) {
    if (tokensPerMinute !== undefined) rates.set(tenant, { tokensPerMinute, burstTokens });
  }
  return rates;
}
