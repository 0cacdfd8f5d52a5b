// SPDX-License-Identifier: Apache-2.0

/** What is known of tenants beside the configuration, and outlives a change of it. */

import { InFlightCap, TokenBucket } from '@fairlead/core';
import type { TokenBucketOptions } from '@fairlead/core';
import { UnverifiedTenants } from './unverified-tenants.ts';

export class TenantMemory {
  readonly #nowMs: () => number;
  readonly #caps = new Map<string, InFlightCap>();
  readonly #buckets = new Map<string, TokenBucket>();
  #unverified: UnverifiedTenants | undefined;

  /** `nowMs`: the monotonic clock by which buckets are refilled. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** The strangers that are told apart, `max` of them from now on. */
  unverified(max: number): UnverifiedTenants {
    this.#unverified ??= new UnverifiedTenants(max);
    this.#unverified.max = max;
    return this.#unverified;
  }

  /**
   * The caps of the tenants that have a limit on requests in flight. One whose limit changed goes on counting what is in
   * flight; one that has none any more holds nobody back.
   */
  caps(limits: ReadonlyMap<string, number>): ReadonlyMap<string, InFlightCap> {
    for (const [tenant, cap] of this.#caps) {
      if (limits.has(tenant)) continue;
      // Kept while it counts something: the limit may be back before that has ended.
      if (cap.used === 0) this.#caps.delete(tenant);
      cap.resize(Infinity);
    }
    return new Map([...limits].map(([tenant, max]) => [tenant, this.#capOf(tenant, max)]));
  }

  /**
   * The buckets of the tenants that have a limit on tokens. One whose limit changed goes on with what is in it, or with
   * its debt; one that has none any more holds nobody back.
   */
  buckets(rates: ReadonlyMap<string, TokenBucketOptions>): ReadonlyMap<string, TokenBucket> {
    for (const [tenant, bucket] of this.#buckets) {
      if (rates.has(tenant)) continue;
      this.#buckets.delete(tenant);
      bucket.resize({ tokensPerMinute: Infinity }, this.#nowMs());
    }
    return new Map([...rates].map(([tenant, rate]) => [tenant, this.#bucketOf(tenant, rate)]));
  }

  #bucketOf(tenant: string, rate: TokenBucketOptions): TokenBucket {
    const known = this.#buckets.get(tenant);
    if (known !== undefined) {
      known.resize(rate, this.#nowMs());
      return known;
    }
    const bucket = new TokenBucket(rate);
    this.#buckets.set(tenant, bucket);
    return bucket;
  }

  #capOf(tenant: string, max: number): InFlightCap {
    const known = this.#caps.get(tenant);
    if (known !== undefined) {
      known.resize(max);
      return known;
    }
    const cap = new InFlightCap(max);
    this.#caps.set(tenant, cap);
    return cap;
  }
}
