// SPDX-License-Identifier: Apache-2.0

/**
 * What the requests of one endpoint came to of late: failures in a row, the share of failures within a window, and how
 * long first bytes took; and whose requests they were, because what one tenant's requests come to may be that tenant's
 * doing. A window is two halves, the older of which is dropped as a whole.
 */

/** First bytes that are kept; and as many are needed before their median means anything. */
const KEPT_FIRST_BYTES = 32;
export const ENOUGH_FIRST_BYTES = 10;

/** Tenants that are told apart within half a window; all others count as one. */
const MAX_TENANTS = 64;
/** Stands for the tenants beyond those. */
const OTHER_TENANTS = '';

/** What requests came to. */
interface Counts {
  readonly requests: number;
  readonly failures: number;
}

/** Half a window. */
interface Half {
  requests: number;
  failures: number;
  readonly tenants: Map<string, { requests: number; failures: number }>;
}

const emptyHalf = (): Half => ({ requests: 0, failures: 0, tenants: new Map() });

export class RequestRecord {
  #halfBeganMs = -Infinity;
  #recent = emptyHalf();
  #older = emptyHalf();
  #inARow = 0;
  /** Whose failures the run holds; null: no tenant's alone. */
  #runOf: string | null = null;
  readonly #firstBytesMs: number[] = [];
  #nextFirstByte = 0;
  #median: number | undefined;

  /** Failures since a request was answered. */
  get failuresInARow(): number {
    return this.#inARow;
  }

  /** Whether the failures since a request was answered are all of one tenant. */
  get isRunOfOneTenant(): boolean {
    return this.#inARow > 0 && this.#runOf !== null;
  }

  /** A request of that tenant was answered. `windowMs` is the length of the window, the same for all methods. */
  answered(tenant: string, nowMs: number, windowMs: number): void {
    this.#turn(nowMs, windowMs);
    count(this.#recent, false);
    count(this.#tenant(tenant), false);
    this.#inARow = 0;
  }

  /** A request of that tenant failed; undefined: by nothing that a request could have done. */
  failed(tenant: string | undefined, nowMs: number, windowMs: number): void {
    this.#turn(nowMs, windowMs);
    count(this.#recent, true);
    if (tenant !== undefined) count(this.#tenant(tenant), true);
    this.#inARow += 1;
    if (this.#inARow === 1) this.#runOf = tenant ?? null;
    else if (this.#runOf !== tenant) this.#runOf = null;
  }

  noteFirstByte(ms: number): void {
    this.#firstBytesMs[this.#nextFirstByte] = ms;
    this.#nextFirstByte = (this.#nextFirstByte + 1) % KEPT_FIRST_BYTES;
    this.#median = undefined;
  }

  /** Requests and failures within the window, which is between half and all of its length. */
  counts(nowMs: number, windowMs: number): Counts {
    this.#turn(nowMs, windowMs);
    return sum(this.#recent, this.#older);
  }

  /** The same without the requests of the tenant that has failed most. */
  countsWithoutWorst(nowMs: number, windowMs: number): Counts {
    const { requests, failures } = this.counts(nowMs, windowMs);
    const worst = { requests: 0, failures: 0 };
    for (const tenant of this.tenants(nowMs, windowMs)) {
      const of = sum(this.#recent.tenants.get(tenant), this.#older.tenants.get(tenant));
      if (of.failures > worst.failures) Object.assign(worst, of);
    }
    return { requests: requests - worst.requests, failures: failures - worst.failures };
  }

  /** Whose requests there were within the window. */
  tenants(nowMs: number, windowMs: number): ReadonlySet<string> {
    this.#turn(nowMs, windowMs);
    return new Set([...this.#recent.tenants.keys(), ...this.#older.tenants.keys()]);
  }

  /** Median time to the first byte; undefined while there are too few. */
  get firstByteMs(): number | undefined {
    if (this.#firstBytesMs.length < ENOUGH_FIRST_BYTES) return undefined;
    this.#median ??= median(this.#firstBytesMs);
    return this.#median;
  }

  /** Forgets everything: what comes next is another life. */
  clear(): void {
    this.#recent = emptyHalf();
    this.#older = emptyHalf();
    this.#inARow = 0;
    this.#firstBytesMs.length = 0;
    this.#nextFirstByte = 0;
    this.#median = undefined;
  }

  #turn(nowMs: number, windowMs: number): void {
    const halfMs = windowMs / 2;
    const ageMs = nowMs - this.#halfBeganMs;
    if (ageMs < halfMs) return;
    this.#older = ageMs < 2 * halfMs ? this.#recent : emptyHalf();
    this.#recent = emptyHalf();
    this.#halfBeganMs = nowMs;
  }

  #tenant(tenant: string): { requests: number; failures: number } {
    const { tenants } = this.#recent;
    const known = tenants.get(tenant);
    if (known !== undefined) return known;
    const name = tenants.size < MAX_TENANTS ? tenant : OTHER_TENANTS;
    const counts = tenants.get(name) ?? { requests: 0, failures: 0 };
    tenants.set(name, counts);
    return counts;
  }
}

function count(counts: { requests: number; failures: number }, isFailure: boolean): void {
  counts.requests += 1;
  if (isFailure) counts.failures += 1;
}

function sum(one: Counts | undefined, other: Counts | undefined): Counts {
  return {
    requests: (one?.requests ?? 0) + (other?.requests ?? 0),
    failures: (one?.failures ?? 0) + (other?.failures ?? 0),
  };
}

/** Of an even number, the lower of the two in the middle; undefined of none. */
export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}
