// SPDX-License-Identifier: Apache-2.0

/**
 * What is logged of the traffic: one line per finished request, and one per change that someone on call would want to
 * know of. A gate closes and opens all the time on a busy pool, so only one that stays closed is told.
 */

import type { Endpoint, FlowEvent } from '@fairlead/core';
import type { RequestReport } from '../director/request-report.ts';
import { FloodLimit } from './flood-limit.ts';
import type { Log } from './log.ts';
import { RequestLine } from './request-line.ts';

/** A gate that was closed for less is not worth a line. */
const GATED_FOR_MS = 1_000;
/** Lines of refused requests in a second. */
const REFUSALS_PER_SECOND = 20;

interface Gate {
  sinceMs: number;
  band: number;
  saturation: number;
  ceiling: number;
  isTold: boolean;
}

export class EventLog {
  readonly #log: Log;
  readonly #tellRequest: (report: RequestReport) => void;
  readonly #nowMs: () => number;
  readonly #refusals = new FloodLimit(REFUSALS_PER_SECOND);
  readonly #gates = new Map<string, Gate>();
  /** What was told last of each; undefined: nothing yet. */
  readonly #endpoints = new Map<Endpoint, { up: boolean; problem: string | undefined } | undefined>();
  #gateTimer: NodeJS.Timeout | undefined;
  #isBypassed = false;

  /** `nowMs` is the clock events are stamped with. */
  constructor(log: Log, nowMs: () => number) {
    this.#log = log;
    const line = new RequestLine();
    this.#tellRequest = log.infoOf<RequestReport>('request', (to, report) => line.addTo(to, report));
    this.#nowMs = nowMs;
  }

  observe(pool: string, event: FlowEvent): void {
    switch (event.kind) {
      case 'gated': {
        const { band, saturation, ceiling, atMs } = event;
        const before = this.#gates.get(pool);
        this.#gates.set(pool, {
          sinceMs: before?.sinceMs ?? atMs,
          band,
          saturation,
          ceiling,
          isTold: before?.isTold ?? false,
        });
        // One timer for all pools, only while some gate is closed.
        this.#gateTimer ??= setInterval(() => this.tellGates(), GATED_FOR_MS).unref();
        return;
      }
      case 'ungated':
        return this.#ungated(pool, event.atMs);
      case 'regime':
        if (event.endpoints) this.#log.info('pool has endpoints again', { pool });
        else this.#log.warn('pool has no endpoint that is up: requests wait', { pool });
        return;
      case 'bypass':
        return this.#bypass(event.on);
      case 'priority-unknown':
        this.#log.debug('priority has no band, served in band 0', { pool, priority: event.request.priority });
        return;
      case 'usage-clamped':
        this.#log.debug('token counts that no request has', {
          pool,
          requestId: event.request.id,
          endpoint: event.endpoint.name,
          promptTokens: event.usage?.promptTokens,
          completionTokens: event.usage?.completionTokens,
          cachedTokens: event.usage?.cachedTokens,
        });
        return;
      case 'plugin-fault':
        this.#log.error('a plugin broke its contract and does not count', {
          pool,
          plugin: event.plugin,
          priority: event.band,
          error: event.message,
        });
        return;
      default:
    }
  }

  /** One line for a request that is over. */
  finished(report: RequestReport): void {
    const isRefusal = report.ending === undefined && report.status >= 400;
    // The clock is asked only when something depends on it.
    if (isRefusal || this.#refusals.heldBack > 0) {
      const nowMs = this.#nowMs();
      this.#tellHeldBack(nowMs);
      if (isRefusal && !this.#refusals.passes(nowMs)) return;
    }
    this.#tellRequest(report);
  }

  endpointAdded(endpoint: Endpoint): void {
    this.#endpoints.set(endpoint, undefined);
    this.endpointChanged(endpoint);
  }

  /** Tells how an endpoint is, when that is not as it was told last; to be called after every change of it. */
  endpointChanged(endpoint: Endpoint): void {
    // One that is gone may still be written to by what was under way.
    if (!this.#endpoints.has(endpoint)) return;
    const { name, up, problem } = endpoint;
    const before = this.#endpoints.get(endpoint);
    if (before?.up === up && before.problem === problem) return;
    this.#endpoints.set(endpoint, { up, problem });
    if (!up) this.#log.warn('endpoint is down', { endpoint: name, problem });
    else if (problem !== undefined) this.#log.warn('endpoint has a problem', { endpoint: name, problem });
    else this.#log.info(before === undefined ? 'endpoint added' : 'endpoint is up', { endpoint: name });
  }

  endpointRemoved(endpoint: Endpoint): void {
    if (this.#endpoints.delete(endpoint)) this.#log.info('endpoint is gone', { endpoint: endpoint.name });
  }

  /** Tells the gates that have been closed for a second. */
  tellGates(): void {
    const nowMs = this.#nowMs();
    for (const [pool, gate] of this.#gates) {
      if (gate.isTold || nowMs - gate.sinceMs < GATED_FOR_MS) continue;
      gate.isTold = true;
      const { band, saturation, ceiling } = gate;
      this.#log.warn('bands are gated: saturation has reached the ceiling', {
        pool,
        priority: band,
        saturation,
        ceiling,
      });
    }
    this.#tellHeldBack(nowMs);
    if (this.#gates.size === 0) this.#stopTimer();
  }

  /** Tells what was held back, and stops. */
  close(): void {
    this.#stopTimer();
    this.#tellHeldBack(Infinity);
  }

  #ungated(pool: string, atMs: number): void {
    const gate = this.#gates.get(pool);
    this.#gates.delete(pool);
    if (gate?.isTold === true) this.#log.info('bands are no longer gated', { pool, gatedMs: atMs - gate.sinceMs });
  }

  /** Every pool's controller tells it; it is one switch. */
  #bypass(on: boolean): void {
    if (on === this.#isBypassed) return;
    this.#isBypassed = on;
    if (on) this.#log.warn('bypass is on: everything is dispatched at once, nothing is protected');
    else this.#log.warn('bypass is off: flow control decides again');
  }

  #tellHeldBack(nowMs: number): void {
    const count = this.#refusals.takeHeldBack(nowMs);
    if (count > 0) this.#log.warn('refused requests were not logged one by one', { count });
  }

  #stopTimer(): void {
    clearInterval(this.#gateTimer);
    this.#gateTimer = undefined;
  }
}
