// SPDX-License-Identifier: Apache-2.0

/**
 * The load: tenants that send real HTTP requests until they are told to stop, each in its own rhythm, all entered into
 * one tally at a time.
 */

import { StreamingClient } from './streaming-client.ts';
import type { Tally } from './tally.ts';
import type { Tenant } from './tenant.ts';
import { TenantLoad } from './tenant-load.ts';

export interface LoadOptions {
  /** Where tenants send that name no target of their own; without a slash at the end. */
  readonly baseUrl: string;
  readonly model: string;
  readonly tenants: readonly Tenant[];
  /** The same seed sends the same requests at the same times, as far as answers allow. */
  readonly seed: number;
  readonly tally: Tally;
}

/** What a tenant has under way. */
export interface UnderWay {
  /** Sent and still without a token. */
  readonly waiting: number;
  readonly running: number;
}

export class Load {
  readonly #client = new StreamingClient();
  readonly #tenants: readonly TenantLoad[];
  #tally: Tally;

  constructor(options: LoadOptions) {
    this.#tally = options.tally;
    this.#tenants = options.tenants.map(
      (tenant, index) =>
        new TenantLoad({
          tenant,
          client: this.#client,
          baseUrl: tenant.baseUrl ?? options.baseUrl,
          model: options.model,
          seed: options.seed,
          index,
          tally: () => this.#tally,
        }),
    );
  }

  /** Everybody begins; open arrivals with one request at once. */
  start(): void {
    for (const tenant of this.#tenants) tenant.start();
  }

  /** From now on everything is entered into `tally`. */
  record(tally: Tally): void {
    this.#tally = tally;
  }

  /** Tenants with open arrivals send nothing more until `resumeArrivals`; the loops go on. */
  pauseArrivals(): void {
    for (const tenant of this.#openTenants()) tenant.pause();
  }

  resumeArrivals(): void {
    for (const tenant of this.#openTenants()) tenant.start();
  }

  /** Resolves when no request of an open-arrivals tenant is without a token. Only of use after `pauseArrivals`. */
  async openRequestsBegun(): Promise<void> {
    await Promise.all([...this.#openTenants()].map((tenant) => tenant.nobodyWaits()));
  }

  underWay(name: string): UnderWay {
    const found = this.#tenants.find(({ tenant }) => tenant.name === name);
    return { waiting: found?.waiting ?? 0, running: found?.running ?? 0 };
  }

  /** Cancels everything under way and closes every connection. Idempotent. */
  async stop(): Promise<void> {
    for (const tenant of this.#tenants) tenant.stop();
    await this.#client.destroy();
  }

  #openTenants(): readonly TenantLoad[] {
    return this.#tenants.filter(({ tenant }) => tenant.arrivals.kind === 'open');
  }
}
