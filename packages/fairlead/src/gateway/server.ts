// SPDX-License-Identifier: Apache-2.0

/**
 * The gateway's listener: `node:http` with its limits set, every way in which a connection can go wrong answered, and
 * the two ways to stop: `close` finishes what is accepted, `destroy` does not.
 */

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Reconfigurable, Swap } from '../config/reconfigurable.ts';
import type { GatewayConfig, ResolvedConfig } from '../config/resolved.ts';
import type { Director } from '../director/director.ts';
import { createTrustedSources } from '../tenancy/source-address.ts';
import { ByteBudget } from './byte-budget.ts';
import { Connections } from './connections.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeContext } from './exchange.ts';
import { PerClient } from './per-client.ts';
import { problemBytes } from './problem-answer.ts';
import type { GatewayProblem } from './problem-answer.ts';
import { MAX_HEADERS, malformedHttp, methodConnect, tooManyConnections, tooManyOfOneClient } from './problems.ts';
import { Routes } from './routes.ts';

/** How long a connection may be silent before its client is asked whether it is still there. */
const KEEP_ALIVE_PROBE_MS = 30_000;
/** How often connections are checked for heads that do not arrive. */
const CHECK_INTERVAL_MS = 1000;
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
    this.#connections = new Connections(() => this.#refused(randomUUID(), tooManyOfOneClient));
    this.#connections.limit(gateway.maxConnectionsPerClient, createTrustedSources(config.identity.trustedProxies));
    this.#context = {
      director,
      ...this.#configured(gateway, director),
      connections: this.#connections,
      requestsPerClient: new PerClient(gateway.maxRequestsPerClient),
      startedS: Math.floor(Date.now() / 1000),
    };
    this.#server = createServer({
      ...serverLimits(gateway),
      connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS, gateway.headersTimeoutMs),
      // A long body is bounded by its silences instead, by whoever reads it.
      requestTimeout: 0,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
      insecureHTTPParser: false,
      // Refused by the exchange instead, in the format of every other refusal.
      requireHostHeader: false,
    });
    // One more than is allowed: some versions of node drop what is beyond, and a request must not pass without its
    // last headers.
    this.#server.maxHeadersCount = MAX_HEADERS + 1;
    // No option, only a property.
    this.#server.maxConnections = gateway.maxConnections;
    this.#serve();
  }

  /** Limits of a head count for connections that come later, all others for what comes next on any. */
  prepare({ gateway, identity }: Pick<ResolvedConfig, 'gateway' | 'identity'>): Swap {
    const context = this.#configured(gateway, this.#context.director);
    const isExempt = createTrustedSources(identity.trustedProxies);
    return {
      swap: () => {
        Object.assign(this.#context, context);
        this.budget.resize(gateway.maxBufferedBytes);
        this.#context.requestsPerClient.max = gateway.maxRequestsPerClient;
        this.#connections.limit(gateway.maxConnectionsPerClient, isExempt);
        Object.assign(this.#server, serverLimits(gateway));
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
    // The close of `node:http` itself would also cut, before Node 26, connections whose last answer is written but not
    // yet taken by the system; which connections are idle is known here.
    const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(this.#server, () => resolve()));
    await this.#connections.drain();
    await closed;
    // Nothing is left to cut; this ends the checks of heads that do not arrive.
    this.#server.close(() => undefined);
  }

  #configured(gateway: GatewayConfig, director: Director): Pick<ExchangeContext, 'routes' | 'config' | 'bodyLimits'> {
    return {
      routes: new Routes(gateway.relayedPaths),
      config: gateway,
      bodyLimits: { ...gateway, budget: this.budget, nowMs: () => director.nowMs() },
    };
  }

  #serve(): void {
    const server = this.#server;
    this.#connections.watch(server);
    const begin = (request: IncomingMessage, response: ServerResponse, expects?: 'continue' | 'unknown'): void => {
      if (this.#connections.takes(request.socket)) new Exchange(this.#context, request, response).start(expects);
    };
    server.on('request', (request, response) => begin(request, response));
    server.on('checkContinue', (request, response) => begin(request, response, 'continue'));
    server.on('checkExpectation', (request, response) => begin(request, response, 'unknown'));
    server.on('drop', () => this.#refused(randomUUID(), tooManyConnections));
    server.on('connect', (_request, socket) => this.#part(socket as Socket, methodConnect));
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
      else this.#spoilt(socket as Socket, malformedHttp(error.code));
    });
  }

  /** No more can be read of a connection: what came in full before is answered, what did not is refused, and it closes. */
  #spoilt(socket: Socket, problem: GatewayProblem): void {
    const connections = this.#connections;
    // Every further byte is as unreadable.
    if (connections.isEnding(socket)) return;
    const underway = [...connections.on(socket)];
    const broken = underway.find((request) => !request.isWhole);
    if (broken === underway[0]) {
      this.#part(socket, problem);
      return;
    }
    const id = broken?.id ?? randomUUID();
    connections.endWith(socket, broken?.isAnswering === true ? undefined : problemBytes(id, problem));
    if (broken === undefined) this.#refused(id, problem);
    else broken.clientGone(problem);
  }

  /** Says what is wrong with the bytes of a connection and closes it; requests under way on it have lost their client. */
  #part(socket: Socket, problem: GatewayProblem): void {
    const underway = [...this.#connections.on(socket)];
    if (underway.some((request) => request.isAnswering)) {
      socket.destroy();
      return;
    }
    for (const request of underway) request.clientGone(problem);
    const id = underway[0]?.id ?? randomUUID();
    if (underway.length === 0) this.#refused(id, problem);
    this.#connections.part(socket, problemBytes(id, problem));
  }

  /** Reports what never became a request. */
  #refused(id: string, { status, code }: GatewayProblem): void {
    this.#context.director.finished({ id, status, reason: code, durationMs: 0 });
  }
}

/** The limits that `node:http` keeps, by the names it has for them as options and as properties of a running server. */
function serverLimits(gateway: GatewayConfig): {
  maxHeaderSize: number;
  headersTimeout: number;
  maxConnections: number;
  keepAliveTimeout: number;
} {
  return {
    maxHeaderSize: gateway.maxHeaderBytes,
    headersTimeout: gateway.headersTimeoutMs,
    maxConnections: gateway.maxConnections,
    keepAliveTimeout: gateway.keepAliveTimeoutMs,
  };
}
