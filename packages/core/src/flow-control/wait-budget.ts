// SPDX-License-Identifier: Apache-2.0

/**
 * How long a request may wait. There are two budgets, one while the pool has endpoints and one while it has none, and a
 * change of regime gives every waiting request a fresh one: time spent waiting for a server to come back is not held
 * against a request once there is one. A request's own TTL counts from its enqueueing and replaces the first budget;
 * its caller's deadline bounds both. A request that was dispatched and came back gets no fresh budget: its server may
 * come and go for ever, and each round would give it another.
 */

import type { FlowControlConfig } from './config.ts';
import type { WaitingRequest } from './waiting-request.ts';

export class WaitBudget {
  #defaultMs: number;
  #noEndpointMs: number;
  #hasEndpoints: boolean;
  #sinceMs: number;

  constructor(config: FlowControlConfig, hasEndpoints: boolean, nowMs: number) {
    this.#defaultMs = config.defaultRequestTtlMs;
    this.#noEndpointMs = config.noEndpointRequestTtlMs;
    this.#hasEndpoints = hasEndpoints;
    this.#sinceMs = nowMs;
  }

  get hasEndpoints(): boolean {
    return this.#hasEndpoints;
  }

  /** True when the regime is another than before: every expiry has to be computed again. */
  change(hasEndpoints: boolean, nowMs: number): boolean {
    if (hasEndpoints === this.#hasEndpoints) return false;
    this.#hasEndpoints = hasEndpoints;
    this.#sinceMs = nowMs;
    return true;
  }

  /** Other budgets from now on; true when they differ: every expiry has to be computed again. */
  reconfigure({ defaultRequestTtlMs, noEndpointRequestTtlMs }: FlowControlConfig): boolean {
    if (this.#defaultMs === defaultRequestTtlMs && this.#noEndpointMs === noEndpointRequestTtlMs) return false;
    this.#defaultMs = defaultRequestTtlMs;
    this.#noEndpointMs = noEndpointRequestTtlMs;
    return true;
  }

  /** When the request's wait ends, in whole milliseconds; Infinity for never. */
  expiresMs(
    waiting: Pick<WaitingRequest, 'request' | 'enqueuedMs'> & { readonly latestMs?: number | undefined },
  ): number {
    return Math.ceil(Math.min(this.#budgetEndsMs(waiting), waiting.latestMs ?? Infinity));
  }

  #budgetEndsMs({ request, enqueuedMs }: Pick<WaitingRequest, 'request' | 'enqueuedMs'>): number {
    const fromMs = Math.max(enqueuedMs, this.#sinceMs);
    const ownMs = request.ttlMs === undefined ? Infinity : enqueuedMs + request.ttlMs;
    const deadlineMs = request.deadlineMs ?? Infinity;
    if (!this.#hasEndpoints) return Math.min(fromMs + this.#noEndpointMs, ownMs, deadlineMs);
    return Math.min(request.ttlMs === undefined ? fromMs + this.#defaultMs : ownMs, deadlineMs);
  }
}
