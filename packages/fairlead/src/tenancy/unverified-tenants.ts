// SPDX-License-Identifier: Apache-2.0

/**
 * Bounds how many tenants unproven callers can make up. Without a key table anybody may present as many keys as they
 * like, and each would be a flow with a share of its own, a queue and a label in every metric. The first `max` names
 * are told apart for as long as they are used; those beyond share one name, so a flood of made-up keys crowds itself.
 * A name that was silent for `FORGET_AFTER_MS` (longer than an idle flow lives) makes room for a new one.
 */

/** What unverified tenants beyond the limit are called. */
export const OVERFLOW_TENANT = 'unverified-overflow';

/** Twice the 5 minutes after which an idle flow is forgotten. */
export const FORGET_AFTER_MS = 600_000;

/** Who is seen again within this keeps its place: to move is dearer than to look. */
const SEEN_AGAIN_MS = 1000;

export class UnverifiedTenants {
  /** Names told apart at most; those beyond a smaller one go as they fall silent. */
  max: number;
  /** When each was last seen, to a second, longest silent first: a name that is seen moves to the end. */
  readonly #lastSeenMs = new Map<string, number>();

  constructor(max: number) {
    this.max = max;
  }

  /** Names told apart now. */
  get size(): number {
    return this.#lastSeenMs.size;
  }

  /** The name this caller goes by; `nowMs` is on any clock that never goes back. */
  admit(tenant: string, nowMs: number): string {
    const seenMs = this.#lastSeenMs.get(tenant);
    if (seenMs !== undefined && nowMs - seenMs < SEEN_AGAIN_MS) return tenant;
    if (!this.#lastSeenMs.delete(tenant) && !this.#hasRoom(nowMs)) return OVERFLOW_TENANT;
    this.#lastSeenMs.set(tenant, nowMs);
    return tenant;
  }

  #hasRoom(nowMs: number): boolean {
    if (this.#lastSeenMs.size < this.max) return true;
    for (const [tenant, seenMs] of this.#lastSeenMs) {
      if (nowMs - seenMs < FORGET_AFTER_MS) return false;
      this.#lastSeenMs.delete(tenant);
      return true;
    }
    return false;
  }
}
