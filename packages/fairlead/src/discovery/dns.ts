// SPDX-License-Identifier: Apache-2.0

/**
 * Endpoints behind a name: every address that DNS gives for it is one (a headless service), or every target of its SRV
 * records with the port that stands there. The name is asked again when what it answered has expired, and at the
 * refresh interval at the latest. An answer that is bad, empty or does not come changes nothing: servers that are gone
 * are noticed by their health, and a name server that is gone takes no server with it.
 */

import { Resolver } from 'node:dns/promises';
import { BlockList, isIPv6 } from 'node:net';
import type { Alarm, Clock } from '@fairlead/core';
import type { DnsEndpointsConfig, EndpointConfig } from '../config/resolved.ts';
import type { Discovery, DiscoveryListener } from './discovery.ts';

/** Not asked more often, whatever the answer says of its life. */
const SHORTEST_MS = 1000;

/** One question: two tries, the second of which may take twice as long. */
const TRY_MS = 1000;
const TRIES = 2;

/** Answers that say that there is nothing of the kind, rather than that something is wrong. */
const NOTHING = new Set(['ENODATA', 'ENOTFOUND']);

/** Addresses at which no model server is, whoever says so: unspecified, link-local (cloud metadata), multicast, reserved. */
const NOWHERE = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  NOWHERE.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['::', 128],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  NOWHERE.addSubnet(network, prefix, 'ipv6');
}

/** One place that the name stands for. */
interface Place {
  readonly address: string;
  readonly port: string;
}

/** An answer, and how long it holds. */
interface Found {
  readonly places: readonly Place[];
  readonly ttlMs: number;
}

export class DnsDiscovery implements Discovery {
  readonly #config: DnsEndpointsConfig;
  readonly #clock: Clock;
  readonly #resolver = new Resolver({ timeout: TRY_MS, tries: TRIES });
  readonly #host: string;
  readonly #port: string;
  #listener: DiscoveryListener | undefined;
  #alarm: Alarm | undefined;
  #isStopped = false;
  /** What was told last, so that nothing is told twice. */
  #told: string | undefined;
  #problem: string | undefined;
  #retryMs = SHORTEST_MS;

  constructor(config: DnsEndpointsConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    const { hostname, port } = new URL(config.template.url);
    this.#host = hostname;
    this.#port = port;
    if (config.servers.length > 0) this.#resolver.setServers(config.servers);
  }

  async start(listener: DiscoveryListener): Promise<void> {
    this.#listener = listener;
    await this.#look();
    // A name server that is late is no reason not to start: endpoints come when it answers.
    if (this.#told === undefined) this.#listener?.onEndpoints([]);
  }

  stop(): void {
    this.#isStopped = true;
    this.#listener = undefined;
    this.#alarm?.cancel();
    this.#resolver.cancel();
  }

  async #look(): Promise<void> {
    let nextMs: number;
    try {
      const { places, ttlMs } = await this.#ask();
      nextMs = Math.min(this.#config.refreshIntervalMs, Math.max(SHORTEST_MS, ttlMs));
      this.#tell(places);
      this.#retryMs = SHORTEST_MS;
    } catch (error) {
      this.#complain(`cannot be resolved, what it stood for stays: ${why(error)}`);
      nextMs = Math.min(this.#config.refreshIntervalMs, this.#retryMs);
      this.#retryMs *= 2;
    }
    if (this.#isStopped) return;
    this.#alarm = this.#clock.at(this.#clock.now() + nextMs, () => void this.#look());
  }

  #tell(places: readonly Place[]): void {
    const usable = places.filter(({ address }) => !NOWHERE.check(address, isIPv6(address) ? 'ipv6' : 'ipv4'));
    const { maxEndpoints } = this.#config;
    const endpoints = [...new Map(usable.map((place) => [keyOf(place), place])).values()]
      .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
      .slice(0, maxEndpoints)
      .map((place) => this.#endpointAt(place));
    if (endpoints.length === 0) throw new Error('no address of its answer can be used');
    if (usable.length < places.length) {
      const bad = places.find((place) => !usable.includes(place))!;
      this.#complain(`${bad.address} of its answer is no address of a server, and is left out`);
    } else if (usable.length > maxEndpoints) {
      this.#complain(`stands for ${usable.length} endpoints, of which maxEndpoints (${maxEndpoints}) are taken`);
    } else this.#problem = undefined;
    const told = endpoints.map(({ url }) => url).join(' ');
    if (told === this.#told) return;
    this.#told = told;
    this.#listener?.onEndpoints(endpoints);
  }

  #complain(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#listener?.onProblem(`${this.#config.template.name}: ${this.#host} ${problem}`);
  }

  #endpointAt({ address, port }: Place): EndpointConfig {
    const { template } = this.#config;
    const url = new URL(template.url);
    url.hostname = isIPv6(address) ? `[${address}]` : address;
    url.port = port;
    const base = `${url.origin}${url.pathname}`.replace(/\/+$/, '');
    return { ...template, url: base, name: `${template.name}/${url.host}` };
  }

  async #ask(): Promise<Found> {
    if (this.#config.records === 'address') return this.#addressesOf(this.#host, this.#port);
    const records = await this.#resolver.resolveSrv(this.#host);
    const best = Math.min(...records.map(({ priority }) => priority));
    const targets = records.filter(({ priority }) => priority === best).slice(0, this.#config.maxEndpoints);
    const found = await Promise.all(targets.map(({ name, port }) => this.#addressesOf(name, String(port))));
    return {
      places: found.flatMap(({ places }) => places),
      ttlMs: Math.min(...found.map(({ ttlMs }) => ttlMs)),
    };
  }

  /** IPv4, and IPv6 only where there is none: a server with both is one server. */
  async #addressesOf(host: string, port: string): Promise<Found> {
    const answers = await this.#resolver.resolve4(host, { ttl: true }).catch((error: unknown) => {
      if (!NOTHING.has(codeOf(error))) throw error;
      return this.#resolver.resolve6(host, { ttl: true });
    });
    return {
      places: answers.map(({ address }) => ({ address, port })),
      ttlMs: 1000 * Math.min(...answers.map(({ ttl }) => ttl)),
    };
  }
}

function keyOf({ address, port }: Place): string {
  return `${address} ${port}`;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

function why(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
