// SPDX-License-Identifier: Apache-2.0

/**
 * `fairlead model-server` as a value: starts one in this process and hands back what tests and the demo need of it.
 */

import type { Server } from 'node:http';
import { createServer } from 'node:http';
import { isIPv6 } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Clock } from './clock.ts';
import { systemClock } from './clock.ts';
import { Engine } from './engine.ts';
import { Failures } from './failures.ts';
import { createListener } from './http.ts';
import { EngineMetrics } from './metrics.ts';
import { PrefixCache } from './prefix-cache.ts';
import type { LoggedRequest } from './request-log.ts';
import { RequestLog } from './request-log.ts';
import type { LiveSettings, Settings } from './settings.ts';
import { checkChanges, resolveSettings } from './settings.ts';

/** Far beyond vLLM's own 5 s, so that a connection only closes under a client when a failure setting says so. */
const KEEP_ALIVE_MS = 10 * 60 * 1000;

/** Numbers and switches are in `SETTINGS`, with their defaults. */
export interface ModelServerOptions extends Partial<Settings> {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Served names; the first is the model, others are aliases. Default `demo-model`. */
  readonly models?: readonly string[];
  /** LoRA adapters of the first model. Default none. */
  readonly adapters?: readonly string[];
  /** What dying means for `dieAfter`. Default: every socket is reset and the port closed; the process lives on. */
  readonly die?: () => void;
  /** Time for the engine. Default: the process's own. */
  readonly clock?: Clock;
}

/** Figures of the moment. */
export interface ModelServerStats {
  readonly running: number;
  readonly waiting: number;
  readonly kvUsage: number;
  readonly promptTokens: number;
  /** Of the prompt tokens, those that were in the prefix cache. */
  readonly cachedTokens: number;
  readonly generationTokens: number;
  /** Sequences that ran to their end, and those that were aborted. */
  readonly finished: number;
  readonly aborted: number;
  /** Inference requests that arrived, whatever became of them. */
  readonly received: number;
  readonly scrapes: number;
  readonly connections: number;
}

/** A running model server. */
export interface ModelServer {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  readonly models: readonly string[];
  /** The latest requests, oldest first; without `/health`, `/metrics`, `/version`, `/control` and those reset unread. */
  readonly requests: readonly LoggedRequest[];
  stats(): ModelServerStats;
  /** Changes settings at once. @throws {RangeError} naming the setting, its value and what is allowed. */
  set(changes: Partial<LiveSettings>): void;
  /** Accepts nothing more, lets what is under way end (`drainTimeoutMs` at most), closes. Idempotent. */
  close(): Promise<void>;
  /** Resets every connection and closes now. Idempotent. */
  destroy(): Promise<void>;
}

/**
 * Starts a model server; resolves when it listens.
 *
 * @throws {RangeError} when an option is out of range; {Error} from `listen` (`EADDRINUSE` …).
 */
export async function startModelServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  const settings = resolveSettings(options);
  const models = options.models === undefined || options.models.length === 0 ? ['demo-model'] : options.models;
  const adapters = options.adapters ?? [];
  const server = new RunningModelServer({
    settings,
    models,
    adapters,
    clock: options.clock ?? systemClock,
    die: options.die,
  });
  await server.listen(options.host ?? '127.0.0.1', options.port ?? 0);
  return server;
}

class RunningModelServer implements ModelServer {
  readonly models: readonly string[];
  readonly #settings: Settings;
  readonly #engine: Engine;
  readonly #prefixCache: PrefixCache | undefined;
  readonly #metrics: EngineMetrics;
  readonly #log: RequestLog;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #counts = { received: 0, scrapes: 0 };
  #url = '';
  #port = 0;
  #closed: Promise<void> | undefined;

  constructor(parts: {
    settings: Settings;
    models: readonly string[];
    adapters: readonly string[];
    clock: Clock;
    die: (() => void) | undefined;
  }) {
    const { settings, clock } = parts;
    this.models = parts.models;
    this.#settings = settings;
    this.#prefixCache = settings.prefixCache > 0 ? new PrefixCache(settings.prefixCache) : undefined;
    this.#metrics = new EngineMetrics(this.#prefixCache);
    this.#engine = new Engine({
      clock,
      settings: { ...settings },
      observer: this.#metrics,
      prefixCache: this.#prefixCache,
    });
    this.#log = new RequestLog(settings.keepRequests);
    const listener = createListener({
      settings,
      served: { models: parts.models, adapters: parts.adapters, maxModelLen: settings.maxModelLen },
      clock,
      engine: this.#engine,
      metrics: this.#metrics,
      failures: new Failures(settings),
      log: this.#log,
      startedAtMs: clock.nowMs(),
      startedAtS: Math.floor(Date.now() / 1000),
      counts: this.#counts,
      draining: () => this.#closed !== undefined,
      die: parts.die ?? (() => void this.destroy()),
      change: (changes) => this.set(checkChanges(changes)),
    });
    this.#server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, listener);
    this.#server.on('request', (_request, response) => {
      response.once('close', () => {
        // Node closes idle connections once, when `close` is called; those that fall idle later are left to us.
        if (this.#closed !== undefined) setImmediate(() => this.#server.closeIdleConnections());
      });
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  get url(): string {
    return this.#url;
  }

  get port(): number {
    return this.#port;
  }

  get requests(): readonly LoggedRequest[] {
    return this.#log.entries;
  }

  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#port = (this.#server.address() as AddressInfo).port;
    this.#url = `http://${isIPv6(host) ? `[${host}]` : host}:${this.#port}`;
  }

  stats(): ModelServerStats {
    const { running, waiting, kvUsage } = this.#engine;
    const { promptTokens, generationTokens, finished, aborted } = this.#metrics;
    const connections = this.#sockets.size;
    return {
      running,
      waiting,
      kvUsage,
      promptTokens,
      cachedTokens: this.#prefixCache?.foundTokens ?? 0,
      generationTokens,
      finished,
      aborted,
      ...this.#counts,
      connections,
    };
  }

  set(changes: Partial<LiveSettings>): void {
    Object.assign(this.#settings, checkChanges({ ...changes }));
    const { maxNumSeqs, maxLoras, prefillMs, prefillTokensPerS, tokenMs, stallAfter } = this.#settings;
    this.#engine.configure({ maxNumSeqs, maxLoras, prefillMs, prefillTokensPerS, tokenMs, stallAfter });
  }

  close(): Promise<void> {
    this.#closed ??= this.#drain();
    return this.#closed;
  }

  async destroy(): Promise<void> {
    this.#closed ??= this.#stopListening();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#engine.destroy();
    await this.#closed;
  }

  async #drain(): Promise<void> {
    // What is stalled would never end.
    this.set({ stallAfter: null });
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, this.#settings.drainTimeoutMs);
    try {
      await this.#stopListening();
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when the last connection has closed. */
  #stopListening(): Promise<void> {
    return new Promise((resolve) => void this.#server.close(() => resolve()));
  }
}
