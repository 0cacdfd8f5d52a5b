// SPDX-License-Identifier: Apache-2.0

/**
 * A house to tell stories in: model servers and the gateway in front of them, in this process, over real sockets. What
 * happens inside can be awaited as events, so that no story ever sleeps.
 */

import assert from 'node:assert/strict';
import OpenAI from 'openai';
import type { FlowEvent } from '@fairlead/core';
import * as plugins from '@fairlead/core/plugins';
import { flowControlConfig, instanceOf } from '@fairlead/core/testing';
import type {
  GatewayConfig,
  IdentityConfig,
  OutlierDetectionConfig,
  ResolvedConfig,
} from '../../packages/fairlead/src/config/resolved.ts';
import { Director } from '../../packages/fairlead/src/director/director.ts';
import type { RequestReport } from '../../packages/fairlead/src/director/request-report.ts';
import { startGateway } from '../../packages/fairlead/src/gateway/server.ts';
import type { Gateway } from '../../packages/fairlead/src/gateway/server.ts';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { Fleet } from '../../packages/fairlead/src/model-servers/fleet.ts';
import { systemClock } from '../../packages/fairlead/src/serve/system-clock.ts';
import { OUTLIERS } from './outlier-detection.ts';
import { Callers } from '../../packages/fairlead/src/tenancy/callers.ts';

/** What a story changes of the configuration. */
export interface HouseOptions {
  /** Base URLs of the model servers, with the models each serves. */
  readonly servers: readonly {
    readonly url: string;
    readonly models: readonly string[];
    readonly labels?: Readonly<Record<string, string>>;
  }[];
  readonly gateway?: Partial<GatewayConfig>;
  readonly identity?: Partial<IdentityConfig>;
  /** Sequences an endpoint takes at once. */
  readonly limit?: number;
  readonly maxRequests?: number;
  readonly ttlMs?: number;
  /** Whatever else is to be different. */
  readonly config?: Partial<ResolvedConfig>;
  /** 0 by default. */
  readonly slowStartMs?: number;
  readonly outliers?: Partial<OutlierDetectionConfig>;
}

export type Told = FlowEvent | ({ readonly kind: 'report' } & RequestReport);

/** A running house. */
export class House {
  readonly director: Director;
  readonly gateway: Gateway;
  readonly fleet: Fleet;
  readonly #teller: Teller;

  constructor(parts: { director: Director; gateway: Gateway; fleet: Fleet; teller: Teller }) {
    this.director = parts.director;
    this.gateway = parts.gateway;
    this.fleet = parts.fleet;
    this.#teller = parts.teller;
  }

  get url(): string {
    return this.gateway.url;
  }

  /** The official client, as a tenant who shows `key`. */
  client(key = 'a key'): OpenAI {
    return new OpenAI({ baseURL: `${this.url}/v1`, apiKey: key, maxRetries: 0 });
  }

  /** Resolves when `kind` has been told `count` times, with all of them. */
  heard<K extends Told['kind']>(kind: K, count = 1): Promise<Extract<Told, { kind: K }>[]> {
    return this.#teller.heard(kind, count);
  }

  /** Resolves when no request is under way. */
  async quiet(): Promise<void> {
    while (this.gateway.underway > 0) await this.#teller.next();
  }

  /** Everything that was told so far, in order. */
  get told(): readonly Told[] {
    return this.#teller.told;
  }

  /** How often `kind` was told so far. */
  count(kind: Told['kind']): number {
    return this.#teller.told.filter((event) => event.kind === kind).length;
  }

  /** Nothing is held for anybody: no permit, no waiting request, no byte, no request under way. */
  assertEmpty(): void {
    for (const { snapshot, endpoints } of this.director.pools()) {
      const { waiting, bytes, inFlight } = snapshot;
      assert.deepEqual({ waiting, bytes, inFlight }, { waiting: 0, bytes: 0, inFlight: 0 });
      assert.deepEqual(
        endpoints.map(({ endpoint }) => [endpoint.inFlight, endpoint.requestsInFlight, endpoint.tokensInFlight]),
        endpoints.map(() => [0, 0, 0]),
      );
    }
    assert.equal(this.gateway.budget.used, 0);
    assert.equal(this.gateway.underway, 0);
  }

  async close(): Promise<void> {
    this.gateway.destroy();
    this.director.destroy();
    await this.gateway.close();
    await this.fleet.stop();
  }
}

/** Keeps what is told and wakes who waits for it. */
class Teller {
  readonly told: Told[] = [];
  readonly #waiters = new Set<() => void>();

  tell(event: Told): void {
    this.told.push(event);
    for (const look of this.#waiters) look();
  }

  /** Resolves at the next event. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        this.#waiters.delete(look);
        resolve();
      };
      this.#waiters.add(look);
    });
  }

  heard<K extends Told['kind']>(kind: K, count: number): Promise<Extract<Told, { kind: K }>[]> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.told.filter((event): event is Extract<Told, { kind: K }> => event.kind === kind);
        if (found.length < count) return;
        this.#waiters.delete(look);
        resolve(found);
      };
      this.#waiters.add(look);
      look();
    });
  }
}

const GATEWAY: GatewayConfig = {
  maxBodyBytes: 32 << 20,
  maxBufferedBytes: 512 << 20,
  maxHeaderBytes: 65_536,
  maxConnections: 16_384,
  maxConnectionsPerClient: 16_384,
  maxRequestsPerClient: 16_384,
  headersTimeoutMs: 15_000,
  bodyIdleTimeoutMs: 10_000,
  keepAliveTimeoutMs: 75_000,
  clientWriteTimeoutMs: 60_000,
  clientStallTimeoutMs: 120_000,
  requestTimeoutMs: 3_600_000,
  connectTimeoutMs: 5000,
  firstByteTimeoutMs: 900_000,
  upstreamIdleTimeoutMs: 300_000,
  drainTimeoutMs: 30_000,
  forwardAuthorization: false,
  relayedPaths: [],
};

function configOf(options: HouseOptions): ResolvedConfig {
  return {
    endpoints: options.servers.map(({ url, models, labels = {} }, index) => ({
      name: `server-${index}`,
      url,
      models,
      labels,
    })),
    gateway: { ...GATEWAY, ...options.gateway },
    identity: {
      keys: [],
      tenants: [],
      trustedSources: [],
      trustedProxies: [],
      maxUnverifiedTenants: 1000,
      ...options.identity,
    },
    health: { slowStartMs: options.slowStartMs ?? 0 },
    outlierDetection: { ...OUTLIERS, ...options.outliers },
    inferenceObjectives: [],
    flowControlEnabled: true,
    flowControl: flowControlConfig({
      band: { maxRequests: options.maxRequests ?? 10_000 },
      config: {
        defaultRequestTtlMs: options.ttlMs ?? 50_000,
        noEndpointRequestTtlMs: options.ttlMs ?? 10_000,
        knownPriorities: [10],
      },
    }),
    detector: instanceOf(plugins.concurrencyDetector, { parameters: { maxConcurrency: options.limit ?? 64 } }),
    scheduling: {
      handler: instanceOf(plugins.singleProfileHandler),
      profiles: [
        {
          name: 'default',
          filters: [],
          scorers: [{ scorer: instanceOf(plugins.activeRequestScorer), weight: 1 }],
          picker: instanceOf(plugins.maxScorePicker),
        },
      ],
    },
    plugins: [],
    ...options.config,
  };
}

/** Opens a house on a free port; endpoints are named `server-0`, `server-1`, … in the order given. */
export async function openHouse(options: HouseOptions): Promise<House> {
  const config = configOf(options);
  const fleet = new Fleet({ config, clock: systemClock, random: Math.random, environment: {} });
  const teller = new Teller();
  const callers = new Callers(
    { identity: config.identity, inferenceObjectives: [{ name: 'urgent', priority: 10 }] },
    { nowMs: () => systemClock.now(), environment: {} },
  );
  const director = new Director({
    config,
    fleet,
    upstream: fleet.upstream,
    identify: callers.identify,
    clock: systemClock,
    observer: {
      flowEvent: (_pool, event) => teller.tell(event),
      finished: (report) => teller.tell({ kind: 'report', ...report }),
    },
  });
  await fleet.start();
  const gateway = await startGateway({
    config,
    director,
    host: '127.0.0.1',
    port: 0,
  });
  return new House({ director, gateway, fleet, teller });
}

/** One model server that runs one sequence at a time, and a house in front of it. */
export async function smallHouse(options: Partial<HouseOptions> = {}): Promise<[House, ModelServer]> {
  const server = await startModelServer({ prefillMs: 1, tokenMs: 1, maxNumSeqs: 1, models: ['m'] });
  return [await openHouse({ servers: [{ url: server.url, models: ['m'] }], ...options }), server];
}
