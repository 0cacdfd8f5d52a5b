// SPDX-License-Identifier: Apache-2.0

/**
 * The gateway's listener: what its clients may do before they have asked anything, and the two ways to stop: `close`
 * finishes what is accepted, `destroy` does not.
 */

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import type { Reconfigurable, Swap } from '../config/reconfigurable.ts';
import type { GatewayConfig, ResolvedConfig } from '../config/resolved.ts';
import type { Director } from '../director/director.ts';
import { createTrustedSources } from '../tenancy/source-address.ts';
import { ByteBudget } from './byte-budget.ts';
import { Connections } from './connections.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeContext } from './exchange.ts';
import { PerClient } from './per-client.ts';
import type { GatewayProblem } from './problem-answer.ts';
import { tooManyConnections } from './problems.ts';
import { Routes } from './routes.ts';

/** How long a connection may be silent before its client is asked whether it is still there. */
const KEEP_ALIVE_PROBE_MS = 30_000;
/** Connections that the system may hold for us to accept: a burst of clients is not refused. */
const BACKLOG = 2048;

export interface GatewayOptions {
  readonly config: ResolvedConfig;
  readonly director: Director;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

export interface Gateway extends Reconfigurable {
  readonly url: string;
  readonly port: number;
  /** Room for request bodies: used and allowed. */
  readonly budget: ByteBudget;
  /** Requests under way. */
  readonly underway: number;
  /** Stops accepting, finishes every accepted request, closes the connections. Idempotent. */
  close(): Promise<void>;
  /** Closes everything now. Idempotent. */
  destroy(): void;
}

/**
 * Listens, and serves until closed.
 *
 * @throws Error with a `code` (`EADDRINUSE`, `EACCES`, …) when the address cannot be listened on.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const gateway = new GatewayServer(options);
  await gateway.listen(options.host, options.port);
  return gateway;
}

class GatewayServer implements Gateway {
  url = '';
  port = 0;
  readonly budget: ByteBudget;
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #context: { -readonly [K in keyof ExchangeContext]: ExchangeContext[K] };
  #closing: Promise<void> | undefined;

  constructor({ config, director }: GatewayOptions) {
    const { gateway } = config;
    this.budget = new ByteBudget(gateway.maxBufferedBytes);
    this.#connections = new Connections(
      {
        onRequest: (parts) => new Exchange(this.#context, parts).start(),
        onRefused: (problem, id) => this.#refused(problem, id),
      },
      gateway,
      createTrustedSources(config.identity.trustedProxies),
    );
    this.#context = {
      director,
      ...this.#configured(gateway, director),
      requestsPerClient: new PerClient(gateway.maxRequestsPerClient),
      startedS: Math.floor(Date.now() / 1000),
    };
    this.#server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
      // A client that has said all is told what was wrong with it.
      allowHalfOpen: true,
    });
    // No option, only a property.
    this.#server.maxConnections = gateway.maxConnections;
    this.#server.on('connection', (socket) => this.#connections.add(socket));
    this.#server.on('drop', () => this.#refused(tooManyConnections));
  }

  prepare({ gateway, identity }: Pick<ResolvedConfig, 'gateway' | 'identity'>): Swap {
    const context = this.#configured(gateway, this.#context.director);
    const isExempt = createTrustedSources(identity.trustedProxies);
    return {
      swap: () => {
        Object.assign(this.#context, context);
        this.budget.resize(gateway.maxBufferedBytes);
        this.#context.requestsPerClient.max = gateway.maxRequestsPerClient;
        this.#connections.limit(gateway, isExempt);
        this.#server.maxConnections = gateway.maxConnections;
      },
    };
  }

  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, backlog: BACKLOG }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    const { address, port: bound, family } = this.#server.address() as AddressInfo;
    this.port = bound;
    this.url = `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}`;
  }

  get underway(): number {
    return this.#connections.underway;
  }

  close(): Promise<void> {
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  destroy(): void {
    void this.close();
    this.#connections.destroy();
  }

  async #finish(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.#connections.drain();
    await closed;
  }

  #configured(gateway: GatewayConfig, director: Director): Pick<ExchangeContext, 'routes' | 'config' | 'bodyLimits'> {
    return {
      routes: new Routes(gateway.relayedPaths),
      config: gateway,
      bodyLimits: { ...gateway, budget: this.budget, nowMs: () => director.nowMs() },
    };
  }

  /** Reports what never became a request. */
  #refused({ status, code }: GatewayProblem, id: string = randomUUID()): void {
    this.#context.director.finished({ id, status, reason: code, durationMs: 0 });
  }
}
