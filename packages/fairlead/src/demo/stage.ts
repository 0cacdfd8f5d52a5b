// SPDX-License-Identifier: Apache-2.0

/**
 * Everything that stands before the curtain opens: a fleet (our own, or the user's), the gateway in front of it, and
 * one way to take it all down.
 */

import type { Child, ChildError } from './fleet/child.ts';
import { stopChildren } from './fleet/child.ts';
import type { EngineLoad } from './fleet/engine-load.ts';
import { readFleetLoad } from './fleet/engine-load.ts';
import type { GatewayProcess } from './fleet/gateway-process.ts';
import { endpointsOf, startGateway } from './fleet/gateway-process.ts';
import { checkServers } from './fleet/own-servers.ts';
import type { ServerProcess } from './fleet/model-servers.ts';
import { DEMO_MODEL, SERVER_SLOTS, startModelServers } from './fleet/model-servers.ts';

const SERVERS = 3;

export interface StageOptions {
  /** The user's own servers; empty for servers of ours. */
  readonly endpoints: readonly string[];
  /** Served by the user's servers. */
  readonly model: string | undefined;
  /** Of the user's servers together; undefined to take the limits that the gateway has learned. */
  readonly slots: number | undefined;
  readonly seed: number;
  readonly stop: AbortSignal;
}

/** @throws {ChildError} when something cannot be started; nothing is left running then. */
export async function raiseStage(options: StageOptions): Promise<Stage> {
  if (options.endpoints.length > 0) await checkServers(options.endpoints, options.model ?? DEMO_MODEL);
  const servers = options.endpoints.length > 0 ? [] : await startModelServers(SERVERS, options.seed);
  let gateway: GatewayProcess | undefined;
  try {
    const endpoints = options.endpoints.length > 0 ? options.endpoints : servers.map(({ url }) => url);
    gateway = await startGateway(endpoints);
    await gateway.ready(endpoints.length, options.stop);
    return new Stage({ options, servers, gateway, endpoints });
  } catch (error) {
    await stopChildren([...servers, ...(gateway === undefined ? [] : [gateway])].map(({ process }) => process));
    throw error;
  }
}

export class Stage {
  readonly gateway: GatewayProcess;
  readonly model: string;
  /** Resolves when something ends that nobody asked to end. */
  readonly failed: Promise<ChildError>;
  readonly #options: StageOptions;
  readonly #servers: ServerProcess[];
  readonly #children: readonly Child[];
  #endpoints: readonly string[];

  constructor(parts: {
    options: StageOptions;
    servers: ServerProcess[];
    gateway: GatewayProcess;
    endpoints: readonly string[];
  }) {
    this.gateway = parts.gateway;
    this.model = parts.options.model ?? DEMO_MODEL;
    this.#options = parts.options;
    this.#servers = parts.servers;
    this.#endpoints = parts.endpoints;
    this.#children = [parts.gateway.process, ...parts.servers.map(({ process }) => process)];
    this.failed = Promise.race(this.#children.map((child) => child.failed));
  }

  /** Whether the servers are ours to kill. */
  get ownsServers(): boolean {
    return this.#options.endpoints.length === 0;
  }

  /** Of the servers that live: ours by construction, the user's as given, else as the gateway has learned so far. */
  async slots(): Promise<number> {
    if (this.ownsServers) return this.#servers.length * SERVER_SLOTS;
    if (this.#options.slots !== undefined) return this.#options.slots;
    const limits = endpointsOf(await this.gateway.state()).map(({ limit }) => limit ?? 0);
    return limits.reduce((sum, limit) => sum + limit, 0);
  }

  /** What the servers say of themselves; undefined when none does. */
  async engineLoad(): Promise<EngineLoad | undefined> {
    return await readFleetLoad(this.#endpoints);
  }

  /** As `engineLoad`, but from the gateway's books when the servers are silent. */
  async sequences(): Promise<number> {
    const load = await this.engineLoad();
    if (load !== undefined) return load.running + load.waiting;
    const endpoints = endpointsOf(await this.gateway.state());
    return endpoints.reduce((sum, { inFlight }) => sum + inFlight, 0);
  }

  /** `kill -9` on the last of our servers; resolves to its URL. */
  async killServer(): Promise<string> {
    const server = this.#servers.pop();
    if (server === undefined) throw new Error('there is no server of ours left');
    this.#endpoints = this.#servers.map(({ url }) => url);
    await server.process.kill();
    return server.url;
  }

  async close(): Promise<void> {
    await stopChildren(this.#children);
  }
}
