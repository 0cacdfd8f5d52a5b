// SPDX-License-Identifier: Apache-2.0

/** All client connections: how many each client may have, how long one may be silent, and how they end. */

import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { GatewayConfig } from '../config/resolved.ts';
import { SharedHeads } from '../sockets/shared-heads.ts';
import { addressTenant } from '../tenancy/source-address.ts';
import { ClientConnection } from './client-connection.ts';
import type { ConnectionOwner, RequestParts, Underway } from './client-connection.ts';
import { Departures } from './departures.ts';
import { PerClient } from './per-client.ts';
import type { GatewayProblem } from './problem-answer.ts';
import { tooManyOfOneClient } from './problems.ts';
import type { ClientHead } from './wire/client-head.ts';

/** How often connections are looked at on which no head arrives, or nothing, or that take too long: times are kept to about so much. */
const SWEEP_MS = 1000;

/** What is made of what comes on them. */
export interface ConnectionsOptions {
  onRequest(parts: RequestParts): void;
  /** What never became a request. */
  onRefused(problem: GatewayProblem, id?: string): void;
}

export type ConnectionLimits = Pick<
  GatewayConfig,
  'maxHeaderBytes' | 'headersTimeoutMs' | 'keepAliveTimeoutMs' | 'requestTimeoutMs' | 'maxConnectionsPerClient'
>;

export class Connections implements ConnectionOwner {
  readonly heads = new SharedHeads<ClientHead>();
  readonly #options: ConnectionsOptions;
  readonly #perClient = new PerClient(Infinity);
  readonly #open = new Set<ClientConnection>();
  readonly #departures = new Departures();
  #limits: ConnectionLimits;
  #isExempt: (address: string | undefined) => boolean;
  #sweeping: NodeJS.Timeout | undefined;
  #underway = 0;
  #onQuiet: (() => void) | undefined;

  /** From exempt addresses any number of connections may come. */
  constructor(
    options: ConnectionsOptions,
    limits: ConnectionLimits,
    isExempt: (address: string | undefined) => boolean,
  ) {
    this.#options = options;
    this.#limits = limits;
    this.#isExempt = isExempt;
    this.#perClient.max = limits.maxConnectionsPerClient;
  }

  /** Other limits from now on, for open connections as well; none is closed for it. */
  limit(limits: ConnectionLimits, isExempt: (address: string | undefined) => boolean): void {
    this.#limits = limits;
    this.#isExempt = isExempt;
    this.#perClient.max = limits.maxConnectionsPerClient;
    if (this.#sweeping === undefined) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
    // Also when none is open: the last heads are to be let go of.
    this.#keepSweeping();
  }

  get maxHeadBytes(): number {
    return this.#limits.maxHeaderBytes;
  }

  get headTimeoutMs(): number {
    return this.#limits.headersTimeoutMs;
  }

  get keepAliveTimeoutMs(): number {
    return this.#limits.keepAliveTimeoutMs;
  }

  get isDraining(): boolean {
    return this.#onQuiet !== undefined;
  }

  /** Requests under way on all connections. */
  get underway(): number {
    return this.#underway;
  }

  /** A client has connected. */
  add(socket: Socket): void {
    const isExempt = this.#isExempt(socket.remoteAddress);
    const client = isExempt ? undefined : addressTenant(socket.remoteAddress);
    if (client !== undefined && !this.#perClient.enter(client)) {
      socket.destroy();
      this.#options.onRefused(tooManyOfOneClient);
      return;
    }
    this.#open.add(new ClientConnection(socket, this, client));
    this.#keepSweeping();
  }

  onRequest(parts: RequestParts): void {
    this.#options.onRequest(parts);
  }

  onRefused(id: string, problem: GatewayProblem): void {
    this.#options.onRefused(problem, id);
  }

  onClosed(connection: ClientConnection, underway: readonly Underway[]): void {
    this.#open.delete(connection);
    if (connection.client !== undefined) this.#perClient.leave(connection.client);
    for (const request of underway) this.#departures.add(request);
  }

  onBegun(): void {
    this.#underway += 1;
  }

  onOver(): void {
    this.#underway -= 1;
    if (this.#underway === 0) this.#onQuiet?.();
  }

  /** Closes connections as they have nothing under way, and resolves when none has. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#onQuiet = resolve;
      for (const connection of this.#open) connection.closeIdle();
      if (this.#underway === 0) resolve();
    });
  }

  destroy(): void {
    for (const connection of this.#open) connection.destroy();
  }

  #keepSweeping(): void {
    const { headersTimeoutMs, keepAliveTimeoutMs, requestTimeoutMs } = this.#limits;
    const everyMs = Math.min(SWEEP_MS, headersTimeoutMs, keepAliveTimeoutMs || SWEEP_MS, requestTimeoutMs);
    this.#sweeping ??= setInterval(() => this.#sweep(), everyMs).unref();
  }

  #sweep(): void {
    const nowMs = performance.now();
    for (const connection of this.#open) connection.sweep(nowMs);
    this.heads.sweep();
    if (this.#open.size > 0) return;
    this.heads.sweep();
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }
}
