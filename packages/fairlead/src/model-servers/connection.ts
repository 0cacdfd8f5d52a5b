// SPDX-License-Identifier: Apache-2.0

/**
 * One connection to a model server: a socket, plain or TLS, that carries one request at a time. It knows whether it is
 * fresh or had been idle, which decides whether a request may be sent again after a reset; and it has no timers of its
 * own: whoever keeps it looks after all connections now and then (`sweep`).
 */

import { performance } from 'node:perf_hooks';
import { connect as connectPlain, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { own } from '../sockets/owned-socket.ts';
import type { SocketOwner } from '../sockets/owned-socket.ts';
import { atTurnEnd } from '../sockets/turn-writes.ts';
import type { AtTurnEnd } from '../sockets/turn-writes.ts';
import type { RepeatedHeads } from '../sockets/repeated-heads.ts';
import type { UpstreamTls } from './tls-files.ts';
import { AnswerParser } from './wire/answer-parser.ts';
import type { AnswerHeadRead, AnswerSink } from './wire/answer-parser.ts';
import type { WireRequest } from './wire/request-bytes.ts';

/**
 * An idle connection is closed after so long, or a second before the server says it will (`keep-alive: timeout=5` of
 * llama.cpp); uvicorn, under vLLM, closes after 5 s and does not say so.
 */
export const IDLE_TIMEOUT_MS = 4000;

/** A server that asks for more is not believed beyond this: connections that long idle are cut by what lies between. */
const IDLE_TIMEOUT_MAX_MS = 60_000;
const HINT_MARGIN_MS = 1000;
/** How long a connection may be silent before the system asks whether anybody is still there. */
const KEEP_ALIVE_PROBE_MS = 60_000;

/** All connections read into it: what came is looked at, and the bodies in it are copied, before the next read. */
const lent = Buffer.allocUnsafeSlow(64 * 1024);

/** Where to connect to. */
export interface ConnectTarget {
  readonly host: string;
  readonly port: number;
  /** Undefined: not encrypted. */
  readonly tls: UpstreamTls | undefined;
  /** The TLS session of the last connection: resumed, a handshake is cheaper. */
  session: Buffer | undefined;
}

/** Whose request a connection carries. Ends with `end` or `fail`, after which the connection knows it no more. */
export interface Passenger extends AnswerSink {
  /** When the model server will have taken too long, on the clock of `performance.now`. */
  readonly deadlineMs: number;
  /** The request is handed to the socket. */
  sent(nowMs: number, isReused: boolean): void;
  /** Bytes came. */
  touch(nowMs: number): void;
  /** Whether no more is wanted for now; asked once for each time. */
  takePause(): boolean;
  /** What to fail with when the deadline has passed. */
  lateError(): Error;
  /** The answer is whole; `isKept`: the connection can be used again. */
  end(isKept: boolean): void;
  /** The connection is lost, or what comes on it cannot be an answer. */
  fail(error: Error): void;
  abort(reason: string): void;
}

export interface ConnectionOwner {
  readonly target: ConnectTarget;
  /** Those that its server repeats. */
  readonly heads: RepeatedHeads<AnswerHeadRead>;
  readonly connectTimeoutMs: number;
  /** It ended while nobody used it, or was idle for long enough. */
  onIdleEnd(connection: Connection): void;
}

export class Connection implements SocketOwner, AtTurnEnd {
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #parser: AnswerParser;
  /** Whether it is in its origin's list, to be used again. */
  idle = false;
  #idleUntilMs = Infinity;
  #connectUntilMs: number;
  #isConnected = false;
  #isReused = false;
  #isPaused = false;
  #current: Passenger | undefined;
  #unsent: WireRequest | undefined;
  /** Goes out when this turn ends. */
  #due: readonly Uint8Array[] | undefined;

  constructor(owner: ConnectionOwner) {
    this.#owner = owner;
    this.#parser = new AnswerParser(owner.heads);
    this.#connectUntilMs = performance.now() + owner.connectTimeoutMs;
    this.#socket = this.#connect(owner.target);
    own(this.#socket, this);
  }

  /** The system has taken everything that was written. */
  get isDrained(): boolean {
    return this.#due === undefined && this.#socket.writableLength === 0;
  }

  /** Sends a request; the try is told what comes. At most one at a time. `nowMs` is on the clock of `performance.now`. */
  send(request: WireRequest, current: Passenger, nowMs: number): void {
    this.#current = current;
    this.#parser.begin(request.method);
    if (this.#isConnected) this.#write(request, nowMs);
    else this.#unsent = request;
  }

  /** The server is listened to again. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#current?.touch(performance.now());
    this.#socket.resume();
  }

  /** Ends what took too long. */
  sweep(nowMs: number): void {
    const current = this.#current;
    if (current === undefined) {
      if (nowMs >= this.#idleUntilMs) this.#owner.onIdleEnd(this);
    } else if (!this.#isConnected) {
      const { connectTimeoutMs } = this.#owner;
      if (nowMs >= this.#connectUntilMs) this.#lost(new Error(`no connection within ${connectTimeoutMs} ms`));
    } else if (!this.#isPaused && nowMs >= current.deadlineMs) this.#lost(current.lateError());
  }

  /** Whether it is idle and may still be used. */
  isUsable(nowMs: number): boolean {
    return nowMs < this.#idleUntilMs && this.#socket.writable;
  }

  /** Destroys the socket. Idempotent; what is under way is told nothing. */
  destroy(): void {
    this.#current = undefined;
    this.#unsent = undefined;
    this.#due = undefined;
    this.#socket.destroy();
  }

  /** As `destroy`, but what is under way is aborted; called back when the socket is gone. */
  destroyed(callback: () => void): void {
    if (this.#socket.closed) callback();
    else this.#socket.once('close', callback);
    this.#current?.abort('the upstream client is closed');
    this.destroy();
  }

  /**
   * The server says that it sends no more. Over TLS whoever lies between can say so as well, and the runtime does not tell
   * that from the server's own word (RFC 9112, 9.8): an answer that has no other end is not whole.
   */
  onSocketEnd(): void {
    const current = this.#current;
    if (current === undefined || !this.#parser.endsHere()) return this.#lost(closedError());
    if (this.#owner.target.tls !== undefined)
      return this.#lost(new Error('its answer has no length, and where it ends is not certain over TLS'));
    this.#current = undefined;
    current.end(false);
  }

  onSocketError(error: Error): void {
    this.#lost(error);
  }

  onSocketClose(): void {
    this.#lost(closedError());
  }

  onTurnEnd(): void {
    const pieces = this.#due;
    this.#due = undefined;
    if (pieces === undefined || this.#socket.destroyed) return;
    const isOne = pieces.length === 1;
    if (!isOne) this.#socket.cork();
    for (const piece of pieces) this.#socket.write(piece);
    if (!isOne) this.#socket.uncork();
  }

  #connect(target: ConnectTarget): Socket {
    const { host, port, tls, session } = target;
    const onread = { buffer: lent, callback: (count: number): boolean => this.#read(lent.subarray(0, count)) };
    const keepAlive = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS };
    const options = { host, port, onread, ...keepAlive };
    if (tls === undefined) return connectPlain(options, () => this.#connected());
    const secure: ConnectionOptions = {
      ...options,
      ALPNProtocols: ['http/1.1'],
      ...(isIP(host) === 0 && { servername: host }),
      ...tls,
      ...(session && { session }),
    };
    const socket = connectTls(secure, () => this.#connected());
    // For connections made as this one is; with another certificate or authority there is another target.
    socket.on('session', (latest) => (target.session = latest));
    return socket;
  }

  #connected(): void {
    this.#isConnected = true;
    const unsent = this.#unsent;
    this.#unsent = undefined;
    if (unsent !== undefined) this.#write(unsent, performance.now());
  }

  #write({ pieces }: WireRequest, nowMs: number): void {
    this.#current?.sent(nowMs, this.#isReused);
    this.#due = pieces;
    atTurnEnd(this);
  }

  /** True: more. */
  #read(chunk: Buffer): boolean {
    const current = this.#current;
    // Nobody asked: it closes itself, or answers something else than we know of.
    if (current === undefined) {
      this.#lost(new Error('it sent something that nobody asked for'));
      return true;
    }
    const nowMs = performance.now();
    current.touch(nowMs);
    let used: number;
    try {
      used = this.#parser.feed(chunk, current);
    } catch (error) {
      this.#lost(error as Error);
      return true;
    }
    if (this.#current !== current) return true;
    if (used >= 0) this.#complete(current, used === chunk.length, nowMs);
    else this.#isPaused = current.takePause();
    return !this.#isPaused;
  }

  /** The answer is whole; what a server sends behind it makes the connection useless. */
  #complete(current: Passenger, isClean: boolean, nowMs: number): void {
    const idleMs = idleMsFor(this.#parser.hintMs);
    const isKept = this.#parser.keepAlive && isClean && idleMs > 0 && this.isDrained;
    this.#current = undefined;
    this.#isReused = true;
    this.#isPaused = false;
    this.#idleUntilMs = nowMs + idleMs;
    current.end(isKept);
  }

  #lost(error: Error): void {
    const current = this.#current;
    this.#current = undefined;
    this.#unsent = undefined;
    this.#socket.destroy();
    if (current !== undefined) current.fail(error);
    else if (this.idle) this.#owner.onIdleEnd(this);
  }
}

function closedError(): NodeJS.ErrnoException {
  return Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' });
}

/** How long a connection is kept idle, by what the server says of it; 0 when not at all. */
function idleMsFor(hintMs: number | undefined): number {
  if (hintMs === undefined) return IDLE_TIMEOUT_MS;
  return Math.min(IDLE_TIMEOUT_MAX_MS, hintMs - HINT_MARGIN_MS);
}
