// SPDX-License-Identifier: Apache-2.0

/**
 * Endpoints that come back are let in slowly: a tenth of their limit at once, the rest evenly over a while. An engine
 * that has just started compiles, fills caches and may fall again, and as the emptiest of all it would be given
 * everything that waits in one turn. An empty one is never refused anything, so nothing waits beside an idle endpoint,
 * and the limits grow without anybody asking: the listener is called at every step.
 */

import type { Alarm, Clock } from '../clock.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';

/** Share of the limit that is given at once. */
const FIRST_SHARE = 0.1;

/** What an endpoint without a limit grows to before it has none again, unless it is known to run more. */
const UNLIMITED = 64;

/** Limits are looked at again so often while they grow. */
const STEPS = 20;

export class SlowStart {
  #durationMs: number;
  readonly #clock: Clock;
  readonly #onStep: () => void;
  readonly #sinceMs = new Map<Endpoint, number>();
  #alarm: Alarm | undefined;

  /** `durationMs` 0 or less: everything at once. */
  constructor(options: { readonly durationMs: number; readonly clock: Clock; readonly onStep: () => void }) {
    this.#durationMs = options.durationMs;
    this.#clock = options.clock;
    this.#onStep = options.onStep;
  }

  /** Another time from now on, for those that are on their way as well. */
  setDuration(durationMs: number): void {
    this.#durationMs = durationMs;
  }

  /** The endpoint is back. */
  begin(endpoint: Endpoint): void {
    if (this.#durationMs <= 0) return;
    this.#sinceMs.set(endpoint, this.#clock.now());
    this.#alarm ??= this.#nextStep();
  }

  /** The endpoint is gone. */
  end(endpoint: Endpoint): void {
    this.#sinceMs.delete(endpoint);
  }

  /** What the endpoint may hold now, of a full limit in sequences. */
  limit(endpoint: Endpoint, full: number, nowMs: number): number {
    const sinceMs = this.#sinceMs.get(endpoint);
    if (sinceMs === undefined) return full;
    const passedMs = nowMs - sinceMs;
    if (passedMs >= this.#durationMs) return full;
    const share = FIRST_SHARE + (1 - FIRST_SHARE) * (passedMs / this.#durationMs);
    const target = Number.isFinite(full) ? full : Math.max(UNLIMITED, endpoint.peakRunning);
    return Math.max(1, Math.floor(target * share));
  }

  /** Whether so many more sequences are within what the endpoint may hold now; it is asked besides its own limit. */
  admits(endpoint: Endpoint, asked: { readonly sequences: number; readonly full: number }, nowMs: number): boolean {
    if (this.#sinceMs.size === 0 || endpoint.inFlight === 0 || !this.#sinceMs.has(endpoint)) return true;
    return endpoint.inFlight + asked.sequences <= this.limit(endpoint, asked.full, nowMs);
  }

  #nextStep(): Alarm {
    return this.#clock.at(this.#clock.now() + this.#durationMs / STEPS, () => {
      const nowMs = this.#clock.now();
      for (const [endpoint, sinceMs] of this.#sinceMs) {
        if (nowMs - sinceMs >= this.#durationMs) this.#sinceMs.delete(endpoint);
      }
      this.#alarm = this.#sinceMs.size === 0 ? undefined : this.#nextStep();
      this.#onStep();
    });
  }
}
