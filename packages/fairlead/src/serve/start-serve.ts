// SPDX-License-Identifier: Apache-2.0

/**
 * `fairlead serve` as a value: fleet, director, gateway, admin and observability wired together. The only place that
 * knows all of them.
 */

import { readFileSync } from 'node:fs';
import { SteadyClock } from '@fairlead/core';
import type { Clock, FlowEvent } from '@fairlead/core';
import { startAdmin } from '../admin/server.ts';
import type { AdminServer } from '../admin/server.ts';
import { assembleState, notReadyReason } from '../admin/state.ts';
import type { StateDocument } from '../admin/state.ts';
import type { Reload } from '../config/config-status.ts';
import { reconfigure } from '../config/reconfigurable.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import { Director } from '../director/director.ts';
import type { EndpointView } from '../director/pool-view.ts';
import type { RequestReport } from '../director/request-report.ts';
import { startGateway } from '../gateway/server.ts';
import type { Gateway } from '../gateway/server.ts';
import { Fleet } from '../model-servers/fleet.ts';
import { EventLog } from '../observability/event-log.ts';
import type { Log } from '../observability/log.ts';
import { createMetrics } from '../observability/metrics.ts';
import type { Metrics } from '../observability/metrics.ts';
import { Callers } from '../tenancy/callers.ts';
import { Reloads } from './reloads.ts';
import type { ConfigSource } from './reloads.ts';
import { systemClock } from './system-clock.ts';

export interface ServeOptions {
  readonly config: ResolvedConfig;
  /** Where `config` comes from, and what may replace it later comes from; without, nothing will. */
  readonly source?: ConfigSource;
  readonly host: string;
  /** 0: any free one; the same for `adminPort`. */
  readonly port: number;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly log: Log;
  /** Where endpoints' API keys are looked up; the process's environment by default. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  /** Told of every event of every pool's flow controller, after metrics and log. */
  readonly onFlowEvent?: (pool: string, event: FlowEvent) => void;
  /** Told of every request that is over, in the same way. */
  readonly onFinished?: ((report: RequestReport) => void) | undefined;
}

/** A running gateway with everything that belongs to it. */
export interface Serve {
  readonly url: string;
  readonly port: number;
  readonly adminUrl: string;
  /** After the first stop signal, what is accepted may take so long, as configured now. */
  readonly drainTimeoutMs: number;
  /** Reads the configuration file again, changed or not; null when there is none. */
  reload(): Promise<Reload | null>;
  /** Stops accepting, finishes everything accepted, then closes. Idempotent. */
  close(): Promise<void>;
  /** Ends everything now; what is under way is cut. Idempotent. */
  destroy(): Promise<void>;
}

/**
 * Starts it all; resolves when it listens.
 *
 * @throws Error when an address cannot be listened on (`EADDRINUSE`, `EACCES`, …), an environment variable of an
 *   endpoint's key is missing, or a file of endpoints cannot be used. Nothing is left running then.
 */
export async function startServe(options: ServeOptions): Promise<Serve> {
  const house = new House(options);
  try {
    await house.open();
  } catch (error) {
    await house.destroy();
    throw error;
  }
  return house;
}

const manifest = new URL('../../package.json', import.meta.url);

class House implements Serve {
  readonly #options: ServeOptions;
  readonly #clock: SteadyClock;
  readonly #version: string;
  readonly #startedMs: number;
  readonly #eventLog: EventLog;
  readonly #metrics: Metrics;
  readonly #callers: Callers;
  readonly #fleet: Fleet;
  readonly #reloads: Reloads;
  #config: ResolvedConfig;
  readonly #director: Director;
  #gateway: Gateway | undefined;
  #admin: AdminServer | undefined;
  #closing: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: ServeOptions) {
    const { config, source, log, environment = process.env } = options;
    const clock = (this.#clock = new SteadyClock({
      source: options.clock ?? systemClock,
      onJump: (byMs) => log.warn('the clock jumped, which does not count', { byMs: Math.round(byMs) }),
    }));
    this.#options = options;
    this.#config = config;
    this.#reloads = new Reloads({ source, clock, log, apply: (next) => this.#goOnWith(next) });
    this.#callers = new Callers(config, {
      nowMs: () => clock.now(),
      environment,
      onProblem: (problem) => log.warn('the keys of tokens cannot be read', { problem }),
    });
    this.#version = (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
    this.#startedMs = clock.now();
    this.#eventLog = new EventLog(log, () => clock.now());
    this.#metrics = this.#createMetrics();
    this.#fleet = new Fleet({
      config,
      clock,
      random: Math.random,
      environment,
      observer: {
        endpointAdded: (endpoint) => this.#eventLog.endpointAdded(endpoint),
        endpointRemoved: (endpoint) => this.#eventLog.endpointRemoved(endpoint),
        endpointHealth: (endpoint) => this.#eventLog.endpointChanged(endpoint),
        endpointProblem: (endpoint) => this.#eventLog.endpointChanged(endpoint),
        discoveryProblem: (problem) => log.warn('endpoint discovery', { problem }),
      },
    });
    this.#director = new Director({
      config,
      fleet: this.#fleet,
      upstream: this.#fleet.upstream,
      identify: this.#callers.identify,
      clock,
      observer: {
        flowEvent: (pool, event) => {
          this.#metrics.observe(pool, event);
          this.#eventLog.observe(pool, event);
          options.onFlowEvent?.(pool, event);
        },
        finished: (report) => {
          this.#metrics.finished(report);
          this.#eventLog.finished(report);
          options.onFinished?.(report);
        },
      },
    });
  }

  get url(): string {
    return this.#gateway?.url ?? '';
  }

  get port(): number {
    return this.#gateway?.port ?? 0;
  }

  get adminUrl(): string {
    return this.#admin?.url ?? '';
  }

  get drainTimeoutMs(): number {
    return this.#config.gateway.drainTimeoutMs;
  }

  reload(): Promise<Reload | null> {
    return this.#reloads.reload();
  }

  async open(): Promise<void> {
    const { host, port, adminHost, adminPort, log } = this.#options;
    const config = this.#config;
    this.#clock.start();
    await this.#fleet.start();
    this.#gateway = await startGateway({ config, director: this.#director, host, port });
    this.#admin = await startAdmin({
      host: adminHost,
      port: adminPort,
      metrics: this.#metrics,
      state: () => this.#state(),
      notReadyReason: () =>
        notReadyReason({ listening: true, draining: this.#isDraining, pools: this.#director.pools() }),
      setBypass: (on) => this.#director.setBypass(on),
      onFault: (error) => log.error('the admin port failed to answer', { error: String(error) }),
    });
    this.#reloads.start();
    log.info('listening', { url: this.url, admin: this.adminUrl, version: this.#version });
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  destroy(): Promise<void> {
    // Who still waits is told so before the connections go; a retry elsewhere is theirs to make.
    this.#director.destroy();
    this.#gateway?.destroy();
    this.#closing ??= Promise.resolve();
    return this.#end();
  }

  async #goOnWith(config: ResolvedConfig): Promise<void> {
    await reconfigure([this.#callers, this.#director, this.#fleet, this.#gateway], config);
    this.#config = config;
  }

  get #isDraining(): boolean {
    return this.#closing !== undefined;
  }

  async #drain(): Promise<void> {
    this.#options.log.info('draining', { underway: this.#gateway?.underway ?? 0 });
    await this.#reloads.stop();
    // In this order nothing accepted is lost: clients are answered first, and only then what answers them stops.
    await this.#gateway?.close();
    await this.#director.close();
    await this.#end();
  }

  /** Stops what serves nobody any more. */
  #end(): Promise<void> {
    this.#closed ??= (async () => {
      await this.#reloads.stop();
      await this.#gateway?.close();
      await this.#fleet.stop();
      await this.#admin?.close();
      this.#eventLog.close();
      this.#metrics.close();
      this.#clock.stop();
      this.#options.log.info('stopped');
    })();
    return this.#closed;
  }

  #createMetrics(): Metrics {
    return createMetrics({
      version: this.#version,
      nowMs: () => this.#clock.now(),
      pools: () => this.#director.pools(),
      endpoints: () => this.#endpoints(),
      ejections: () => this.#fleet.ejections(),
      bypass: () => this.#director.bypass,
      clockJumps: () => this.#clock.jumps,
      buffered: () => this.#buffered(),
      config: () => this.#reloads.status,
    });
  }

  #buffered(): { readonly bytes: number; readonly limitBytes: number } {
    return { bytes: this.#gateway?.budget.used ?? 0, limitBytes: this.#config.gateway.maxBufferedBytes };
  }

  /** Every endpoint, those of no pool included. */
  #endpoints(): EndpointView[] {
    const pooled = this.#director.pools().flatMap((pool) => pool.endpoints);
    const known = new Set(pooled.map(({ endpoint }) => endpoint));
    const others = this.#fleet.endpoints.filter((endpoint) => !known.has(endpoint));
    return [...pooled, ...others.map((endpoint) => ({ endpoint, limit: Infinity }))];
  }

  #state(): StateDocument {
    const nowMs = this.#clock.now();
    return assembleState({
      version: this.#version,
      uptimeMs: nowMs - this.#startedMs,
      draining: this.#isDraining,
      bypass: this.#director.bypass,
      buffered: this.#buffered(),
      config: this.#reloads.status,
      pools: this.#director.pools(),
      endpoints: this.#endpoints(),
      nowMs,
    });
  }
}
