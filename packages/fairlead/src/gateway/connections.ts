// SPDX-License-Identifier: Apache-2.0

/**
 * The client connections and what is under way on each. A client that closes its sending side is taken as gone: with
 * HTTP/1.1 there is no telling it from one that closed altogether, and a place in the queue is worth more than the rare
 * client that half-closes and still listens.
 */

import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { addressTenant } from '../tenancy/source-address.ts';
import { Departures } from './departures.ts';
import type { Departing } from './departures.ts';
import { PerClient } from './per-client.ts';
import type { GatewayProblem } from './problem-answer.ts';

/** How long the last words to a client may take to be taken. */
const PARTING_MS = 5000;

/** One request under way. */
export interface Underway extends Departing {
  /** Some of its answer was written. */
  readonly isAnswering: boolean;
  readonly id: string;
  /** The connection is about to be closed for what came on it. */
  clientGone(why: GatewayProblem): void;
}

export class Connections {
  readonly #perClient = new PerClient(Infinity);
  readonly #onTooMany: () => void;
  #isExempt: (address: string | undefined) => boolean = () => false;
  readonly #open = new Map<Socket, Set<Underway>>();
  /** Sockets that are being told why they are closed. */
  readonly #parting = new WeakSet<Socket>();
  readonly #departures = new Departures();
  #underway = 0;
  #onIdle: (() => void) | undefined;

  /** `onTooMany`: a connection was closed as it came, because its client had as many as it may. */
  constructor(onTooMany: () => void) {
    this.#onTooMany = onTooMany;
  }

  /** Connections that each client may have from now on; from exempt addresses any number may come. */
  limit(maxPerClient: number, isExempt: (address: string | undefined) => boolean): void {
    this.#perClient.max = maxPerClient;
    this.#isExempt = isExempt;
  }

  watch(server: Server): void {
    server.on('connection', (socket: Socket) => {
      if (!this.#count(socket)) return;
      const underway = new Set<Underway>();
      this.#open.set(socket, underway);
      // node:http has ended our side by now; the rest of an answer could not be written.
      socket.on('end', () => {
        if (!this.#parting.has(socket)) socket.destroy();
      });
      socket.on('close', () => {
        this.#open.delete(socket);
        for (const request of underway) this.#departures.add(request);
      });
    });
  }

  /** False when its client has as many connections as it may; then it is closed. */
  #count(socket: Socket): boolean {
    if (this.#isExempt(socket.remoteAddress)) return true;
    const client = addressTenant(socket.remoteAddress);
    if (this.#perClient.enter(client)) {
      socket.on('close', () => this.#perClient.leave(client));
      return true;
    }
    socket.destroy();
    this.#onTooMany();
    return false;
  }

  /** Requests under way on all connections. */
  get underway(): number {
    return this.#underway;
  }

  on(socket: Socket): ReadonlySet<Underway> {
    return this.#open.get(socket) ?? new Set();
  }

  /** The client of a request left. */
  gone(request: Underway): void {
    this.#departures.add(request);
  }

  begin(socket: Socket, request: Underway): void {
    this.#underway += 1;
    this.#open.get(socket)?.add(request);
  }

  /** The last byte of the answer is out, or nobody waits for it. */
  end(socket: Socket, request: Underway): void {
    this.#underway -= 1;
    this.#open.get(socket)?.delete(request);
    if (this.#onIdle !== undefined) {
      this.#closeIdle(socket);
      if (this.#underway === 0) this.#onIdle();
    }
  }

  /** Writes `bytes`, the reason, and closes; a client that reads nothing is not waited for. */
  part(socket: Socket, bytes: Uint8Array): void {
    this.#parting.add(socket);
    socket.setTimeout(PARTING_MS, () => socket.destroy());
    socket.end(bytes, () => socket.destroy());
  }

  /** Closes connections as they have nothing under way, and resolves when none has. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve;
      for (const socket of this.#open.keys()) this.#closeIdle(socket);
      if (this.#underway === 0) resolve();
    });
  }

  destroy(): void {
    for (const socket of this.#open.keys()) socket.destroy();
  }

  /** Everything written so far is still delivered. */
  #closeIdle(socket: Socket): void {
    if (this.#open.get(socket)?.size === 0) socket.destroySoon();
  }
}
