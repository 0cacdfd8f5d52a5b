// SPDX-License-Identifier: Apache-2.0

/**
 * Passive outlier detection: an endpoint that is healthy by its own word and yet fails the requests it is sent, or is far
 * slower than its pool, is set aside for a while. Without that it would be the emptiest of all and draw every request to
 * itself. Three findings set aside: failures in a row, a share of failures that its pool does not have, and first bytes
 * that take a multiple of the pool's. Failures of one tenant's requests are not enough while others ask as well: they may
 * be what fails, wherever they go. The first time is short, and doubles for who comes back as bad; one failure is
 * enough then, until it has answered a request. Never so many that less than a share of the pool is left: when most are
 * bad it is not them, and half of something serves better than nothing.
 */

import type { Clock, Endpoint } from '@fairlead/core';
import type { OutlierDetectionConfig } from '../config/resolved.ts';
import { median, RequestRecord } from './request-record.ts';
import type { Problems } from './problems.ts';

/** Why an endpoint was set aside. */
export const EJECTION_REASONS = ['failures-in-a-row', 'failure-share', 'slow-first-byte'] as const;
export type EjectionReason = (typeof EJECTION_REASONS)[number];

/** Failures of this many times the share of the others are the endpoint's own doing. */
const WORSE_THAN_OTHERS = 2;

/** Why an endpoint is kept that failed nobody else. */
const ONE_TENANT = 'the requests of one tenant failed, and others ask as well';

/** How long an endpoint has to be good for each halving of its next time out, as a multiple of the last. */
const GOOD_PER_HALVING = 2;

export interface OutliersOptions {
  readonly config: OutlierDetectionConfig;
  readonly clock: Clock;
  readonly problems: Problems;
  /** All members of the endpoint's pool, itself included. */
  readonly poolOf: (endpoint: Endpoint) => readonly Endpoint[];
  /** Takes the endpoint out for that long at least. */
  readonly setAside: (endpoint: Endpoint, forMs: number, why: string) => void;
}

interface Suspect {
  readonly record: RequestRecord;
  /** How long it is set aside the next time. */
  nextMs: number;
  lastMs: number;
  /** Since when it is back; undefined when it never was away. */
  backMs: number | undefined;
  /** Set aside, and not back yet. */
  isAside: boolean;
  /** Back from having been set aside, and has answered nothing yet. */
  isOnProbation: boolean;
  readonly ejections: Map<EjectionReason, number>;
}

export class Outliers {
  readonly #options: OutliersOptions;
  readonly #suspects = new Map<Endpoint, Suspect>();
  #config: OutlierDetectionConfig;

  constructor(options: OutliersOptions) {
    this.#options = options;
    this.#config = options.config;
  }

  /** Goes on with other settings; who is set aside stays so for as long as it was told. */
  reconfigure(config: OutlierDetectionConfig): void {
    this.#config = config;
  }

  add(endpoint: Endpoint): void {
    this.#suspects.set(endpoint, {
      record: new RequestRecord(),
      nextMs: 0,
      lastMs: 0,
      backMs: undefined,
      isAside: false,
      isOnProbation: false,
      ejections: new Map(),
    });
  }

  remove(endpoint: Endpoint): void {
    this.#suspects.delete(endpoint);
  }

  /**
   * A request of the tenant came to nothing at the endpoint, or to a 5xx; without a tenant: by nothing that a request
   * could have done.
   */
  failed(endpoint: Endpoint, why: string, tenant?: string): void {
    const suspect = this.#known(endpoint);
    if (suspect === undefined) return;
    const config = this.#config;
    const nowMs = this.#options.clock.now();
    suspect.record.failed(tenant, nowMs, config.intervalMs);
    const { failuresInARow: inARow, isRunOfOneTenant } = suspect.record;
    if (inARow >= config.consecutiveFailures || suspect.isOnProbation) {
      const times = inARow === 1 ? 'it failed a request again' : `it failed ${inARow} requests in a row`;
      const what = `${times}, the last: ${why}`;
      if (isRunOfOneTenant && this.#severalAsk(endpoint, nowMs)) this.#keep(endpoint, what, ONE_TENANT);
      else this.#eject(endpoint, 'failures-in-a-row', what);
      return;
    }
    const { requests, failures } = suspect.record.counts(nowMs, config.intervalMs);
    const share = failures / requests;
    if (requests < config.minRequests || share < config.failureShare) return;
    if (share < WORSE_THAN_OTHERS * this.#shareOfOthers(endpoint, nowMs)) return;
    const what = `it failed ${failures} of ${requests} requests, the last: ${why}`;
    const rest = suspect.record.countsWithoutWorst(nowMs, config.intervalMs);
    const isOneTenants = rest.failures === 0 || rest.failures < config.failureShare * rest.requests;
    if (isOneTenants && this.#severalAsk(endpoint, nowMs)) this.#keep(endpoint, what, ONE_TENANT);
    else this.#eject(endpoint, 'failure-share', what);
  }

  /** The endpoint answered a request of the tenant, well enough. */
  answered(endpoint: Endpoint, tenant: string): void {
    const suspect = this.#known(endpoint);
    if (suspect === undefined) return;
    suspect.record.answered(tenant, this.#options.clock.now(), this.#config.intervalMs);
    suspect.isOnProbation = false;
    this.#options.problems.set(endpoint, 'requests', undefined);
  }

  /** The first byte of a streamed answer came so long after the request was sent. */
  firstByte(endpoint: Endpoint, tookMs: number): void {
    const suspect = this.#known(endpoint);
    if (suspect === undefined) return;
    suspect.record.noteFirstByte(tookMs);
    const { slowFirstByteFactor, slowFirstByteMs } = this.#config;
    const own = suspect.record.firstByteMs;
    if (own === undefined || own < slowFirstByteMs) return;
    const others = this.#others(endpoint).flatMap((each) => this.#suspects.get(each)?.record.firstByteMs ?? []);
    const usual = median(others);
    if (usual === undefined || own < slowFirstByteFactor * usual) return;
    const why = `its first bytes take ${seconds(own)}, those of the others ${seconds(usual)}`;
    this.#eject(endpoint, 'slow-first-byte', why);
  }

  /** The endpoint is up again: whatever it was before, it is looked at anew. */
  isBack(endpoint: Endpoint): void {
    const suspect = this.#suspects.get(endpoint);
    if (suspect === undefined) return;
    suspect.record.clear();
    suspect.backMs = this.#options.clock.now();
    suspect.isOnProbation = suspect.isAside;
    suspect.isAside = false;
  }

  /** How often each endpoint was set aside, by reason. */
  ejections(): readonly { readonly endpoint: string; readonly reason: EjectionReason; readonly count: number }[] {
    return [...this.#suspects].flatMap(([{ name }, { ejections }]) =>
      [...ejections].map(([reason, count]) => ({ endpoint: name, reason, count })),
    );
  }

  #known(endpoint: Endpoint): Suspect | undefined {
    return this.#config.enabled && endpoint.up ? this.#suspects.get(endpoint) : undefined;
  }

  #others(endpoint: Endpoint): readonly Endpoint[] {
    return this.#options.poolOf(endpoint).filter((each) => each !== endpoint && each.up);
  }

  #shareOfOthers(endpoint: Endpoint, nowMs: number): number {
    let requests = 0;
    let failures = 0;
    for (const other of this.#others(endpoint)) {
      const counts = this.#suspects.get(other)?.record.counts(nowMs, this.#config.intervalMs);
      requests += counts?.requests ?? 0;
      failures += counts?.failures ?? 0;
    }
    return requests === 0 ? 0 : failures / requests;
  }

  /** Whether more than one tenant has asked the endpoint's pool of late. */
  #severalAsk(endpoint: Endpoint, nowMs: number): boolean {
    const tenants = new Set<string>();
    for (const member of this.#options.poolOf(endpoint)) {
      const record = this.#suspects.get(member)?.record;
      for (const tenant of record?.tenants(nowMs, this.#config.intervalMs) ?? []) tenants.add(tenant);
      if (tenants.size > 1) return true;
    }
    return false;
  }

  #keep(endpoint: Endpoint, why: string, because: string): void {
    this.#options.problems.set(endpoint, 'requests', `${why}; kept, because ${because}`);
  }

  #eject(endpoint: Endpoint, reason: EjectionReason, why: string): void {
    const suspect = this.#suspects.get(endpoint)!;
    const config = this.#config;
    const { clock, problems, poolOf, setAside } = this.#options;
    const left = this.#others(endpoint).length;
    if (left < poolOf(endpoint).length * (1 - config.maxEjectedShare) || left === 0) {
      this.#keep(endpoint, why, 'too few others of its pool are up');
      return;
    }
    const goodMs = suspect.backMs === undefined ? 0 : clock.now() - suspect.backMs;
    const halvings = suspect.lastMs === 0 ? 0 : Math.floor(goodMs / (GOOD_PER_HALVING * suspect.lastMs));
    const shortenedMs = Math.min(config.maxEjectionTimeMs, suspect.nextMs / 2 ** Math.min(halvings, 64));
    const forMs = Math.max(config.baseEjectionTimeMs, shortenedMs);
    suspect.isAside = true;
    suspect.lastMs = forMs;
    suspect.nextMs = 2 * forMs;
    suspect.ejections.set(reason, (suspect.ejections.get(reason) ?? 0) + 1);
    problems.set(endpoint, 'requests', undefined);
    setAside(endpoint, forMs, `set aside for ${seconds(forMs)}: ${why}`);
  }
}

function seconds(ms: number): string {
  return `${Number((ms / 1000).toPrecision(3))} s`;
}
