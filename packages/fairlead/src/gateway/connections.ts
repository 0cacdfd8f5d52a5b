// SPDX-License-Identifier: Apache-2.0

/**
 * The client connections and what is under way on each. A client that closes its sending side is taken as gone: with
 * HTTP/1.1 there is no telling it from one that closed altogether, and a place in the queue is worth more than the rare
 * client that half-closes and still listens. Requests that came behind one another on one connection are answered one
 * after another: one that nobody could be given the answer of yet holds no place at a model server.
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
/** Requests of one connection that were read and are not over; what comes beyond is dropped, and it ends with the last. */
const MAX_UNDERWAY = 16;
/** So many more are dropped before the connection is cut: each costs memory until it ends. */
const MAX_DROPPED = 64;

/** One request under way. */
export interface Underway extends Departing {
  /** Some of its answer was written. */
  readonly isAnswering: boolean;
  readonly id: string;
  /** It has arrived in full. */
  readonly isWhole: boolean;
  /** The connection is about to be closed for what came on it. */
  clientGone(why: GatewayProblem): void;
}

/** What is known of one connection. */
interface Connection {
  /** In the order in which they came. */
  readonly underway: Set<Underway>;
  newest: Underway | undefined;
  /** What is to be done for those whose turn it is not yet. */
  readonly waiting: Map<Underway, () => void>;
  /** Requests that came when none was taken any more. */
  dropped: number;
  /** No further request is taken; what is to be said, if anything, when those under way are over. */
  ending: { readonly words: Uint8Array | undefined } | undefined;
}

export class Connections {
  readonly #perClient = new PerClient(Infinity);
  readonly #onTooMany: () => void;
  #isExempt: (address: string | undefined) => boolean = () => false;
  readonly #open = new Map<Socket, Connection>();
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
      this.#open.set(socket, { underway, newest: undefined, waiting: new Map(), dropped: 0, ending: undefined });
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
    return this.#open.get(socket)?.underway ?? new Set();
  }

  /** Whether the connection may bring another request. Call it for each: one too many is the last. */
  takes(socket: Socket): boolean {
    const connection = this.#open.get(socket);
    if (connection === undefined) return false;
    if (connection.underway.size >= MAX_UNDERWAY) connection.ending ??= { words: undefined };
    if (connection.ending === undefined) return true;
    connection.dropped += 1;
    if (connection.dropped > MAX_DROPPED) socket.destroy();
    return false;
  }

  /** Calls back when all that came before this request on its connection is over; never when it is over itself by then. */
  inTurn(socket: Socket, request: Underway, callback: () => void): void {
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    const { underway, waiting } = connection;
    if (underway.size === 1 || underway.values().next().value === request) callback();
    else waiting.set(request, callback);
  }

  /** Nothing may follow this request on its connection, which closes with its answer. */
  isLast(socket: Socket, request: Underway): boolean {
    const connection = this.#open.get(socket);
    if (connection === undefined || connection.newest !== request) return false;
    return connection.ending === undefined ? this.#onIdle !== undefined : connection.ending.words === undefined;
  }

  isEnding(socket: Socket): boolean {
    return this.#open.get(socket)?.ending !== undefined;
  }

  /** Takes no further request, and closes with `words` when those under way are over, which must be some. */
  endWith(socket: Socket, words: Uint8Array | undefined): void {
    const connection = this.#open.get(socket);
    if (connection !== undefined) connection.ending = { words };
  }

  /** The client of a request left. */
  gone(request: Underway): void {
    this.#departures.add(request);
  }

  begin(socket: Socket, request: Underway): void {
    this.#underway += 1;
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    connection.underway.add(request);
    connection.newest = request;
  }

  /** The last byte of the answer is out, or nobody waits for it. */
  end(socket: Socket, request: Underway): void {
    this.#underway -= 1;
    const connection = this.#open.get(socket);
    if (connection !== undefined) this.#next(socket, connection, request);
    if (this.#onIdle !== undefined) {
      this.#closeIdle(socket);
      if (this.#underway === 0) this.#onIdle();
    }
  }

  #next(socket: Socket, { underway, waiting, ending }: Connection, ended: Underway): void {
    underway.delete(ended);
    waiting.delete(ended);
    // Nothing goes out any more behind an answer that was the last.
    if (!socket.writable) return;
    const [next] = underway;
    if (next !== undefined) {
      const callback = waiting.get(next);
      waiting.delete(next);
      callback?.();
    } else if (ending?.words !== undefined) this.part(socket, ending.words);
    else if (ending !== undefined) socket.destroySoon();
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
    if (this.#open.get(socket)?.underway.size === 0) socket.destroySoon();
  }
}
