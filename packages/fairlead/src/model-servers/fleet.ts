// SPDX-License-Identifier: Apache-2.0

/**
 * All model servers together: keeps the set of endpoints that discovery wants, has each of them watched, asked and
 * scraped, and groups them into pools. An endpoint that did not change stays the same object, with what is in flight
 * at it and what was learned of it; a pool stays the same object while it keeps any of its endpoints or models.
 */

import { isDeepStrictEqual } from 'node:util';
import { Endpoint } from '@fairlead/core';
import type { Clock, Pool, Random } from '@fairlead/core';
import type { Reconfigurable, Swap } from '../config/reconfigurable.ts';
import type { EndpointConfig, ResolvedConfig } from '../config/resolved.ts';
import type { FleetPort, ServedModel } from '../director/ports.ts';
import type { Discovery } from '../discovery/discovery.ts';
import { DnsDiscovery } from '../discovery/dns.ts';
import { FileDiscovery } from '../discovery/file.ts';
import { staticDiscovery } from '../discovery/static.ts';
import { accessFor } from './access.ts';
import type { Access } from './access.ts';
import { Discoveries } from './discoveries.ts';
import type { DiscoverySource } from './discoveries.ts';
import { EndpointWatch } from './endpoint-watch.ts';
import { Getter } from './getter.ts';
import { Models } from './models.ts';
import { PoolBook } from './pool-book.ts';
import { Problems } from './problems.ts';
import { Scraping } from './scraping.ts';
import type { UpstreamError } from './upstream-error.ts';
import { Upstream } from './upstream.ts';

/** Told of what happens to the fleet, for the log. */
export interface FleetObserver {
  endpointAdded?(endpoint: Endpoint): void;
  endpointRemoved?(endpoint: Endpoint): void;
  /** Up or down; why is in `endpoint.problem`. */
  endpointHealth?(endpoint: Endpoint): void;
  /** Its models are others than before. */
  endpointModels?(endpoint: Endpoint): void;
  /** `endpoint.problem` is another than before, or none. */
  endpointProblem?(endpoint: Endpoint): void;
  discoveryProblem?(problem: string): void;
}

/** The parts of the configuration that are about what stands behind. */
export type FleetConfig = Pick<
  ResolvedConfig,
  'endpoints' | 'dnsEndpoints' | 'fileDiscovery' | 'metricsSource' | 'outlierDetection'
> & {
  readonly gateway: Pick<ResolvedConfig['gateway'], 'connectTimeoutMs'>;
};

export interface FleetOptions {
  readonly config: FleetConfig;
  readonly clock: Clock;
  readonly random: Random;
  /** Where `apiKeyEnv` is looked up. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly observer?: FleetObserver;
}

/** What those who ask endpoints have in common. */
interface SharedParts {
  readonly getter: Getter;
  readonly clock: Clock;
  readonly random: Random;
  readonly problems: Problems;
}

interface Member {
  readonly config: EndpointConfig;
  readonly endpoint: Endpoint;
}

export class Fleet implements FleetPort, Reconfigurable<FleetConfig> {
  readonly upstream: Upstream;
  readonly health: FleetPort['health'];
  readonly #watch: EndpointWatch;
  readonly #shared: SharedParts;
  readonly #environment: FleetOptions['environment'];
  #config: FleetConfig;
  #access: Access;
  readonly #observer: FleetObserver;
  #scraping: Scraping;
  readonly #models: Models;
  readonly #pools = new PoolBook();
  readonly #discoveries: Discoveries;
  readonly #members = new Map<string, Member>();
  /** Endpoints that are gone while requests still run there, by URL: one that comes back is as full as it was. */
  readonly #leftBehind = new Map<string, Endpoint>();
  readonly #onRead: ((endpoint: Endpoint) => void)[] = [];

  /** @throws {Error} when the environment variable of an API key is not set, or a certificate cannot be used. */
  constructor(options: FleetOptions) {
    const { config, clock, random } = options;
    this.#config = config;
    this.#observer = options.observer ?? {};
    this.#environment = options.environment;
    this.#access = accessFor(config, options.environment);
    this.upstream = new Upstream({
      connectTimeoutMs: config.gateway.connectTimeoutMs,
      onFailure: (url) => this.#requestFailed(url),
    });
    const shared = (this.#shared = {
      getter: new Getter(this.upstream, clock),
      clock,
      random,
      problems: new Problems((endpoint) => this.#observer.endpointProblem?.(endpoint)),
    });
    this.#watch = new EndpointWatch({
      ...shared,
      config: config.outlierDetection,
      poolOf: (endpoint) => this.#pools.poolOf(endpoint)?.endpoints ?? [endpoint],
      onChange: (endpoint) => this.#healthChanged(endpoint),
    });
    this.health = this.#watch.port;
    this.#models = new Models({ ...shared, onChange: (endpoint) => this.#modelsChanged(endpoint) });
    this.#scraping = this.#startScraping(config);
    this.#discoveries = new Discoveries({
      onChange: () => this.#discovered(),
      onProblem: (problem) => this.#observer.discoveryProblem?.(problem),
    });
  }

  /**
   * Discovers, and begins to watch what was found.
   *
   * @throws {DiscoveryError} when a file of endpoints cannot be used.
   */
  async start(): Promise<void> {
    const found = await this.#discoveries.prepare(this.#sourcesOf(this.#config));
    found.swap();
    this.#discovered();
  }

  /**
   * Looks for the endpoints of another configuration; keys and certificates are read anew, whatever changed.
   *
   * @throws {Error} as the constructor.
   * @throws {DiscoveryError} when a file of endpoints cannot be used.
   */
  async prepare(config: FleetConfig): Promise<Swap> {
    const access = accessFor(config, this.#environment);
    const found = await this.#discoveries.prepare(this.#sourcesOf(config));
    return {
      swap: () => {
        this.#access = access;
        this.upstream.setConnectTimeout(config.gateway.connectTimeoutMs);
        this.#scraping.setConnectTimeout(config.gateway.connectTimeoutMs);
        if (!isDeepStrictEqual(this.#config.metricsSource, config.metricsSource)) this.#scrapeOtherwise(config);
        this.#config = config;
        this.#watch.reconfigure(config.outlierDetection);
        found.swap();
        this.#discovered();
        for (const member of this.#members.values()) this.#introduce(member.config);
      },
      discard: () => found.discard?.(),
    };
  }

  /** Ends everything; requests under way upstream are cut, so drain first. */
  async stop(): Promise<void> {
    this.#discoveries.stop();
    this.#models.stop();
    this.#watch.stop();
    await Promise.all([this.#scraping.stop(), this.upstream.destroy()]);
  }

  get endpoints(): readonly Endpoint[] {
    return [...this.#members.values()].map((member) => member.endpoint);
  }

  get pools(): readonly Pool[] {
    return this.#pools.pools;
  }

  /** False while some endpoint has yet to tell its models, and has not had its minute: a model may still turn up. */
  get modelsKnown(): boolean {
    return this.#models.allTold;
  }

  /** The pool that serves a base model or an adapter, or last did. */
  poolFor(model: string): Pool | undefined {
    return this.#pools.poolFor(model);
  }

  /** Every model that clients may name. */
  models(): readonly ServedModel[] {
    return this.#pools.models();
  }

  /** How often each endpoint was set aside for what it did to requests, and why. */
  ejections(): ReturnType<EndpointWatch['ejections']> {
    return this.#watch.ejections();
  }

  /** Calls back after pools came or went, and before any pool's members are told of the same change. */
  onPools(callback: (added: readonly Pool[], removed: readonly Pool[]) => void): void {
    this.#pools.onPools(callback);
  }

  /** Calls back after an endpoint's metrics were read. */
  onRead(callback: (endpoint: Endpoint) => void): void {
    this.#onRead.push(callback);
  }

  /** Asks for an endpoint's metrics within 50 ms, 20 times a second at most. */
  scrapeSoon(endpoint: Endpoint): void {
    this.#scraping.scrapeSoon(endpoint);
  }

  /** Where endpoints come from. */
  #sourcesOf({ endpoints, dnsEndpoints = [], fileDiscovery }: FleetConfig): DiscoverySource[] {
    const { clock } = this.#shared;
    const source = (what: unknown, make: () => Discovery): DiscoverySource => ({ key: JSON.stringify(what), make });
    return [
      source({ endpoints }, () => staticDiscovery(endpoints)),
      ...dnsEndpoints.map((dns) => source({ dns }, () => new DnsDiscovery(dns, clock))),
      ...(fileDiscovery ? [source({ fileDiscovery }, () => new FileDiscovery(fileDiscovery, clock))] : []),
    ];
  }

  #startScraping({ metricsSource: source, gateway: { connectTimeoutMs } }: FleetConfig): Scraping {
    return new Scraping({
      ...this.#shared,
      source,
      upstream: this.upstream,
      connectTimeoutMs,
      tls: source && this.#access.tlsOfMetrics(source),
      onRead: (endpoint) => this.#onRead.forEach((callback) => callback(endpoint)),
      onFailed: (endpoint, error) => this.#scrapeFailed(endpoint, error),
    });
  }

  /** Reads metrics from elsewhere, or no more. What was read last stands until something else is. */
  #scrapeOtherwise(config: FleetConfig): void {
    const before = this.#scraping;
    for (const { endpoint } of this.#members.values()) before.remove(endpoint);
    void before.stop();
    this.#scraping = this.#startScraping(config);
    for (const { config: wanted, endpoint } of this.#members.values()) {
      this.#introduce(wanted);
      this.#scraping.add(endpoint);
    }
  }

  /** Makes the fleet what discovery wants now: who is gone is let go of before whoever is new comes in. */
  #discovered(): void {
    const wanted = this.#merge();
    const removed = [...this.#members.values()].filter(({ config }) => !isSame(wanted.get(config.name), config));
    for (const member of removed) this.#remove(member);
    const added = [...wanted.values()]
      .filter(({ name }) => !this.#members.has(name))
      .map((config) => this.#add(config));
    for (const [url, endpoint] of this.#leftBehind) if (endpoint.requestsInFlight === 0) this.#leftBehind.delete(url);
    this.#pools.regroup(this.endpoints);
    // One that came back may have other labels than its pool has seen.
    for (const endpoint of added) this.#pools.refresh(endpoint);
  }

  /** All that is wanted, by name; where two discoveries disagree, the first is right. */
  #merge(): Map<string, EndpointConfig> {
    const wanted = new Map<string, EndpointConfig>();
    const urls = new Set<string>();
    for (const config of this.#discoveries.wanted) {
      if (wanted.has(config.name) || urls.has(config.url)) {
        this.#observer.discoveryProblem?.(
          `endpoint ${config.name} at ${config.url} is discovered twice; the first counts`,
        );
        continue;
      }
      wanted.set(config.name, config);
      urls.add(config.url);
    }
    return wanted;
  }

  #add(config: EndpointConfig): Endpoint {
    const { name } = config;
    const endpoint = this.#comesBack(config) ?? new Endpoint(config);
    endpoint.labels = config.labels;
    endpoint.baseModels = new Set(config.models);
    this.#members.set(name, { config, endpoint });
    this.#introduce(config);
    this.#watch.add(endpoint);
    if (config.models.length === 0) this.#models.add(endpoint);
    this.#scraping.add(endpoint);
    this.#observer.endpointAdded?.(endpoint);
    return endpoint;
  }

  /** Hands the endpoint's key and certificates to who speaks to it. */
  #introduce(config: EndpointConfig): void {
    const { url } = config;
    const tls = this.#access.tlsOf(config);
    const key = this.#access.keyOf(config);
    if (tls !== undefined) this.upstream.setTls(url, tls);
    if (key !== undefined) this.upstream.setAuthorization(url, key);
    this.#scraping.introduce({ url, tls, key });
  }

  /** The endpoint of that name and URL, when it left requests behind that still run. */
  #comesBack({ name, url }: EndpointConfig): Endpoint | undefined {
    const endpoint = this.#leftBehind.get(url);
    if (endpoint?.name !== name) return undefined;
    this.#leftBehind.delete(url);
    return endpoint;
  }

  #remove({ config, endpoint }: Member): void {
    this.#members.delete(config.name);
    if (endpoint.requestsInFlight > 0) this.#leftBehind.set(endpoint.url, endpoint);
    this.#scraping.remove(endpoint);
    this.#models.remove(endpoint);
    this.#watch.remove(endpoint);
    this.upstream.forget(endpoint.url);
    this.#observer.endpointRemoved?.(endpoint);
  }

  #healthChanged(endpoint: Endpoint): void {
    if (endpoint.up) {
      this.#models.askNow(endpoint);
      this.#scraping.scrapeSoon(endpoint);
    } else this.upstream.dropIdle(endpoint.url);
    this.#pools.refresh(endpoint);
    this.#observer.endpointHealth?.(endpoint);
  }

  #modelsChanged(endpoint: Endpoint): void {
    this.#pools.regroup(this.endpoints);
    this.#pools.refresh(endpoint);
    this.#observer.endpointModels?.(endpoint);
  }

  #requestFailed(url: string): void {
    // Where one connection was cut the idle ones are as good as dead: what is sent next finds that out by connecting,
    // when nothing of it has been sent, and not by writing, when nobody knows.
    this.upstream.dropIdle(url);
    const member = [...this.#members.values()].find(({ endpoint }) => endpoint.url === url);
    if (member !== undefined) this.#watch.suspect(member.endpoint);
  }

  #scrapeFailed(endpoint: Endpoint, error: UpstreamError): void {
    if (error.kind === 'refused') this.#watch.refused(endpoint, error.message);
  }
}

/** Whether an endpoint may stay as it is. */
function isSame(one: EndpointConfig | undefined, other: EndpointConfig): boolean {
  return one !== undefined && JSON.stringify(parts(one)) === JSON.stringify(parts(other));
}

function parts({ url, labels, models, apiKeyEnv, tls }: EndpointConfig): unknown[] {
  return [url, Object.entries(labels).sort(), models, apiKeyEnv, tls];
}
