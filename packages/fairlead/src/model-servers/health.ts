// SPDX-License-Identifier: Apache-2.0

/**
 * Which endpoints are up. One that refuses a connection, or answers a probe with what is not HTTP, is down at once; then its `/health` is
 * asked, at growing intervals, until it answers. Endpoints that are up are asked every ten seconds, because one that
 * gets no requests has nobody else to notice that it is gone.
 *
 * An endpoint may also be set aside for a time, whatever it says of itself: it is asked when that is over.
 */

import type { Alarm, Clock, Endpoint, Random } from '@fairlead/core';
import type { GetResult, Gets } from './getter.ts';
import type { Problems } from './problems.ts';
import type { UpstreamErrorKind } from '../director/ports.ts';

/** While down: the first probe after this, each further one after twice as long, up to the maximum. */
export const FIRST_BACKOFF_MS = 100;
export const MAX_BACKOFF_MS = 2000;

/** While up. */
export const PROBE_INTERVAL_MS = 10_000;

/** A probe that takes longer has failed. Longer than connecting may take, which fails for a better reason. */
export const PROBE_TIMEOUT_MS = 7000;

/** After a probe that failed without saying enough, and after a request that did. */
const RECHECK_MS = 1000;

/** Servers without a health page are asked for their models. */
const PATHS = ['/health', '/v1/models'] as const;

/**
 * Failures in a row that take an endpoint down. A busy engine may well be late to answer a probe; none accepts and
 * closes twice, or is out of connections, for nothing.
 */
const STRIKES: Readonly<Partial<Record<UpstreamErrorKind, number>>> = {
  reset: 2,
  'reset-idle': 2,
  died: 2,
  'timeout-first-byte': 3,
  'timeout-idle': 3,
};

export interface HealthOptions {
  readonly getter: Gets;
  readonly clock: Clock;
  readonly random: Random;
  readonly problems: Problems;
  /** `endpoint.up` changed. */
  readonly onChange: (endpoint: Endpoint) => void;
}

interface Watched {
  readonly endpoint: Endpoint;
  alarm: Alarm | undefined;
  probe: { cancel(): void } | undefined;
  path: (typeof PATHS)[number];
  strikes: number;
  backoffMs: number;
  upSinceMs: number;
  startedMs: number;
}

export class Health {
  readonly #options: HealthOptions;
  readonly #watched = new Map<Endpoint, Watched>();

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** Probes the endpoint at once, and from then on until it is removed. */
  add(endpoint: Endpoint): void {
    if (this.#watched.has(endpoint)) return;
    const watched: Watched = {
      endpoint,
      alarm: undefined,
      probe: undefined,
      path: PATHS[0],
      strikes: 0,
      backoffMs: 0,
      upSinceMs: -Infinity,
      startedMs: -Infinity,
    };
    this.#watched.set(endpoint, watched);
    this.#schedule(watched, 0);
  }

  remove(endpoint: Endpoint): void {
    const watched = this.#watched.get(endpoint);
    watched?.alarm?.cancel();
    watched?.probe?.cancel();
    this.#watched.delete(endpoint);
  }

  /** The endpoint could not be connected to: down until `/health` answers. */
  refused(endpoint: Endpoint, why: string): void {
    this.#downNow(endpoint, `cannot be connected to: ${why}`);
  }

  /** Takes the endpoint down for that long, and until `/health` answers then. */
  setAside(endpoint: Endpoint, forMs: number, why: string): void {
    this.#downNow(endpoint, why, forMs);
  }

  /** A request failed at it: it is probed now, unless it just was. */
  suspect(endpoint: Endpoint): void {
    const watched = this.#watched.get(endpoint);
    if (watched === undefined || !endpoint.up || watched.probe !== undefined) return;
    this.#schedule(watched, Math.max(0, watched.startedMs + RECHECK_MS - this.#options.clock.now()));
  }

  stop(): void {
    for (const endpoint of [...this.#watched.keys()]) this.remove(endpoint);
  }

  #schedule(watched: Watched, delayMs: number): void {
    const { clock } = this.#options;
    watched.alarm?.cancel();
    watched.alarm = clock.at(clock.now() + delayMs, () => this.#probe(watched));
  }

  #probe(watched: Watched): void {
    const { getter, clock } = this.#options;
    watched.alarm = undefined;
    watched.startedMs = clock.now();
    const { url } = watched.endpoint;
    const request = { url, path: watched.path, timeoutMs: PROBE_TIMEOUT_MS };
    watched.probe = getter.get(request, (result) => {
      watched.probe = undefined;
      this.#probed(watched, result);
    });
  }

  #probed(watched: Watched, result: GetResult): void {
    if ('error' in result) {
      const { kind, message } = result.error;
      // Not asked at all: we are short of something ourselves, or stopping.
      if (kind === 'aborted' || kind === 'shortage') this.#schedule(watched, RECHECK_MS);
      else this.#bad(watched, { strikes: STRIKES[kind] ?? 1, why: explain(kind, message, watched.path) });
    } else if (result.status >= 500 && result.status !== 501) {
      this.#bad(watched, { strikes: 1, why: `answers ${result.status} to ${watched.path}` });
    } else if (watched.path === PATHS[0] && [404, 405, 501].includes(result.status)) {
      watched.path = PATHS[1];
      this.#probe(watched);
    } else this.#good(watched, result.status);
  }

  #good(watched: Watched, status: number): void {
    const { clock, random, problems, onChange } = this.#options;
    const { endpoint } = watched;
    watched.strikes = 0;
    // It is there, but it will tell clients the same.
    const isRefusingKey = status === 401 || status === 403;
    problems.set(
      endpoint,
      'health',
      isRefusingKey ? `answers ${status} to ${watched.path}: check its API key` : undefined,
    );
    this.#schedule(watched, PROBE_INTERVAL_MS * (0.9 + 0.2 * random()));
    if (endpoint.up) return;
    endpoint.up = true;
    watched.upSinceMs = clock.now();
    onChange(endpoint);
  }

  #bad(watched: Watched, failure: { strikes: number; why: string }): void {
    watched.strikes += 1;
    if (watched.endpoint.up && watched.strikes < failure.strikes) this.#schedule(watched, RECHECK_MS);
    else this.#down(watched, failure.why);
  }

  #downNow(endpoint: Endpoint, why: string, forMs = 0): void {
    const watched = this.#watched.get(endpoint);
    if (watched === undefined || !endpoint.up) return;
    watched.probe?.cancel();
    watched.probe = undefined;
    this.#down(watched, why, forMs);
  }

  #down(watched: Watched, why: string, forMs = 0): void {
    const { clock, problems, onChange } = this.#options;
    const { endpoint } = watched;
    // One that comes and goes is asked as seldom as one that stays away.
    const wasSteady = endpoint.up && clock.now() - watched.upSinceMs >= PROBE_INTERVAL_MS;
    watched.backoffMs =
      wasSteady || watched.backoffMs === 0 ? FIRST_BACKOFF_MS : Math.min(MAX_BACKOFF_MS, watched.backoffMs * 2);
    watched.path = PATHS[0];
    problems.set(endpoint, 'health', why);
    this.#schedule(watched, Math.max(forMs, watched.backoffMs));
    if (!endpoint.up) return;
    endpoint.up = false;
    onChange(endpoint);
  }
}

function explain(kind: UpstreamErrorKind, message: string, path: string): string {
  switch (kind) {
    case 'refused':
      return `cannot be connected to: ${message}`;
    case 'protocol':
      return `does not speak HTTP: ${message}`;
    default:
      return `does not answer ${path}: ${message}`;
  }
}
