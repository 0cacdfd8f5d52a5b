// SPDX-License-Identifier: Apache-2.0

/**
 * What was measured of each tenant in one stretch of time. Everything is entered when it happens: a token when it
 * comes, a time to first token when the first token comes, an ending when the request ends. So a load can run on while
 * one tally takes over from another.
 */

import type { StreamEnding } from './streaming-client.ts';

/** Figures of one tenant. */
export class TenantTally {
  /** Tokens that came, in the window and after it. */
  tokens = 0;
  /** Tokens that came in the window; undefined while it is open. */
  windowTokens: number | undefined;
  ok = 0;
  failed = 0;
  /** Ended by the load itself, because the stretch was over. */
  cancelled = 0;
  /** Failed after a server had begun to answer. */
  brokenStreams = 0;
  /** Of the failed ones, how many for which reason. */
  readonly reasons = new Map<string, number>();
  readonly ttftMs: number[] = [];
  /** How many of `ttftMs` are lower bounds: cancelled while still without a token. */
  unanswered = 0;

  /** Requests that ended. */
  get requests(): number {
    return this.ok + this.failed + this.cancelled;
  }

  end(ending: StreamEnding, ageMs: number): void {
    this[ending.kind]++;
    if (ending.kind === 'failed') {
      if (ending.answered) this.brokenStreams++;
      this.reasons.set(ending.reason, (this.reasons.get(ending.reason) ?? 0) + 1);
    }
    if (ending.kind === 'cancelled' && !ending.begun) {
      // Leaving these out would make the slowest requests disappear from the figures.
      this.unanswered++;
      this.ttftMs.push(ageMs);
    }
  }
}

/** Figures of a stretch of time. Its window, over which rates are taken, opens with it. */
export class Tally {
  readonly startedAtMs = performance.now();
  readonly tenants = new Map<string, TenantTally>();
  #windowEndMs: number | undefined;

  /** The tenant's figures; made when first asked for. */
  of(name: string): TenantTally {
    let tenant = this.tenants.get(name);
    if (tenant === undefined) {
      this.tenants.set(name, (tenant = new TenantTally()));
      if (this.#windowEndMs !== undefined) tenant.windowTokens = 0;
    }
    return tenant;
  }

  /** Tokens that come from now on no longer count towards rates. Endings and times to first token still do. */
  closeWindow(): void {
    if (this.#windowEndMs !== undefined) return;
    this.#windowEndMs = performance.now();
    for (const tenant of this.tenants.values()) tenant.windowTokens = tenant.tokens;
  }

  /** Length of the window, so far. */
  get seconds(): number {
    return ((this.#windowEndMs ?? performance.now()) - this.startedAtMs) / 1000;
  }

  /** Whether or not the window is still open. */
  get secondsSinceStart(): number {
    return (performance.now() - this.startedAtMs) / 1000;
  }

  /** One tenant's rate over the window. */
  tokensPerSOf(name: string): number {
    const tenant = this.tenants.get(name);
    return tenant === undefined || this.seconds === 0 ? 0 : (tenant.windowTokens ?? tenant.tokens) / this.seconds;
  }

  /** Over all tenants and the window. */
  get tokensPerS(): number {
    return [...this.tenants.keys()].reduce((sum, name) => sum + this.tokensPerSOf(name), 0);
  }
}
