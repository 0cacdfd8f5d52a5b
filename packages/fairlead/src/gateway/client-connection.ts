// SPDX-License-Identifier: Apache-2.0

/**
 * One client's connection and what is under way on it. Requests that came behind one another are answered one after
 * another: one that nobody could be given the answer of yet holds no place at a model server. A client that closes its
 * sending side is taken as gone: with HTTP/1.1 there is no telling it from one that closed altogether, and a place in the
 * queue is worth more than the rare client that half-closes and still listens.
 */

import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { BadMessage } from '../sockets/bad-message.ts';
import type { SharedHeads } from '../sockets/shared-heads.ts';
import { own } from '../sockets/owned-socket.ts';
import type { SocketOwner } from '../sockets/owned-socket.ts';
import { atTurnEnd, holdForTurn } from '../sockets/turn-writes.ts';
import type { AtTurnEnd } from '../sockets/turn-writes.ts';
import { giveBack } from './body-chunks.ts';
import type { Departing } from './departures.ts';
import { HeadReading } from './head-reading.ts';
import { problemBytes } from './problem-answer.ts';
import type { GatewayProblem } from './problem-answer.ts';
import { headLate, malformedHttp, methodConnect } from './problems.ts';
import type { ClientHead } from './wire/client-head.ts';
import { ClientRequest } from './wire/client-request.ts';
import type { RequestSource } from './wire/client-request.ts';
import { ClientResponse } from './wire/client-response.ts';
import type { ResponseTarget } from './wire/client-response.ts';
import { RequestParser } from './wire/request-parser.ts';
import type { RequestSink } from './wire/request-parser.ts';

/** How long the last words to a client may take to be taken. */
const PARTING_MS = 5000;
/** Requests of one connection that were read and are not over; what comes beyond is dropped, and it ends with the last. */
const MAX_UNDERWAY = 16;
/** So many more are dropped before the connection is cut: each costs memory until it ends. */
const MAX_DROPPED = 64;

const NOTHING: readonly Underway[] = [];

/** One request under way. */
export interface Underway extends Departing {
  readonly id: string;
  readonly request: ClientRequest;
  readonly response: ClientResponse;
  /** To be called now and then: ends what takes too long. */
  sweep(): void;
  /** The connection is about to be closed for what came on it. */
  clientGone(why: GatewayProblem): void;
}

/** One request, where it came from, and where its answer goes. */
export interface RequestParts {
  readonly request: ClientRequest;
  readonly reading: HeadReading;
  readonly response: ClientResponse;
  readonly connection: ClientConnection;
}

/** What all connections share. */
export interface ConnectionOwner {
  /** Those that clients repeat. */
  readonly heads: SharedHeads<ClientHead>;
  readonly maxHeadBytes: number;
  readonly headTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** Connections are closed as they have nothing under way. */
  readonly isDraining: boolean;
  /** A request has begun; whoever answers it says so with `begin`. */
  onRequest(parts: RequestParts): void;
  /** What never became a request. */
  onRefused(id: string, problem: GatewayProblem): void;
  onClosed(connection: ClientConnection, underway: readonly Underway[]): void;
  /** One of its requests is under way, or is over. */
  onBegun(): void;
  onOver(): void;
}

export class ClientConnection implements SocketOwner, RequestSink, RequestSource, ResponseTarget, AtTurnEnd {
  /** In whose name it counts among the connections of its client; undefined: it does not. */
  readonly client: string | undefined;
  readonly remoteAddress: string | undefined;
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #parser: RequestParser;
  /** None has come since this was looked at last. */
  #isQuiet = false;
  /** In the order in which they came. */
  #underway: readonly Underway[] = NOTHING;
  /** What is to be done for those whose turn it is not yet. */
  #waiting: Map<Underway, () => void> | undefined;
  /** Somebody holds on to the memory of what is being read. */
  #isHeld = false;
  /** The request that is coming; undefined for one that is dropped. */
  #coming: ClientRequest | undefined;
  /** Requests that came when none was taken any more. */
  #dropped = 0;
  /** It ends when those under way are over. */
  #takesNoMore = false;
  /** What came cannot be read on. */
  #isSpoilt = false;
  /** What is to be said of that when those under way are over. */
  #words: Uint8Array | undefined;
  /** It is being told why it is closed. */
  #isParting = false;
  /** Nothing has been under way, and no head has begun, since; and since when a head has been coming. */
  #idleSinceMs = performance.now();
  #headSinceMs: number | undefined;
  #isUsed = false;
  /** Goes out when this turn ends; each character is a byte. */
  #text = '';
  #isDue = false;
  #wasFull = false;

  constructor(socket: Socket, owner: ConnectionOwner, client: string | undefined) {
    this.#socket = socket;
    this.#owner = owner;
    this.#parser = new RequestParser(owner.heads);
    this.client = client;
    this.remoteAddress = socket.remoteAddress;
    own(socket, this);
  }

  get maxHeadBytes(): number {
    return this.#owner.maxHeadBytes;
  }

  get keepAliveS(): number | undefined {
    return Math.floor(this.#owner.keepAliveTimeoutMs / 1000) || undefined;
  }

  /** Calls back when all that came before this request is over; never when it is over itself by then. */
  inTurn(request: Underway, callback: () => void): void {
    if (this.#underway[0] === request) callback();
    else (this.#waiting ??= new Map()).set(request, callback);
  }

  /** Nothing may follow this request, and the connection closes with its answer. */
  isLast(request: Underway): boolean {
    if (this.#underway.at(-1) !== request) return false;
    return this.#words === undefined && (this.#takesNoMore || this.#owner.isDraining);
  }

  /** The last byte of its answer is out, or nobody waits for it. */
  over(request: Underway): void {
    const at = this.#underway.indexOf(request);
    if (at < 0) return;
    this.#underway = this.#underway.length === 1 ? NOTHING : this.#underway.toSpliced(at, 1);
    this.#waiting?.delete(request);
    if (at === 0) this.#next();
    this.#owner.onOver();
  }

  /** Closes when nothing is under way; what is written is still delivered. */
  closeIdle(): void {
    if (this.#underway.length === 0) this.#socket.destroySoon();
  }

  /** Ends it now, with what was written in this turn. */
  destroy(): void {
    this.#writeText();
    while (this.#socket.writableCorked > 0) this.#socket.uncork();
    this.#socket.destroy();
  }

  cut(withReset: boolean): void {
    if (withReset) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends it when a head does not come, or nothing does; what came last is not remembered for long. */
  sweep(nowMs: number): void {
    for (const request of this.#underway) request.sweep();
    if (this.#isParting || this.#isSpoilt) return;
    if (this.#isQuiet) this.#parser.forget();
    this.#isQuiet = true;
    const { headTimeoutMs, keepAliveTimeoutMs } = this.#owner;
    const isIdle = this.#underway.length === 0;
    // One that has brought nothing yet is waited for as for a head.
    const headSinceMs = this.#headSinceMs ?? (isIdle && !this.#isUsed ? this.#idleSinceMs : undefined);
    if (headSinceMs !== undefined) {
      if (nowMs - headSinceMs >= headTimeoutMs) this.#spoilt(headLate);
    } else if (isIdle && keepAliveTimeoutMs > 0 && nowMs - this.#idleSinceMs >= keepAliveTimeoutMs) {
      this.#socket.destroySoon();
    }
  }

  onHead(head: ClientHead, lengthBytes: number | undefined): void {
    this.#headSinceMs = undefined;
    this.#isUsed = true;
    this.#isQuiet = false;
    if (!this.#takes()) return;
    if (head.method === 'CONNECT') {
      this.#spoilt(methodConnect);
      return;
    }
    const reading = HeadReading.of(head);
    const request = new ClientRequest(head, lengthBytes, this);
    this.#coming = request;
    this.#owner.onRequest({
      request,
      reading,
      response: new ClientResponse(this, head),
      connection: this,
    });
    if (!head.keepAlive) this.#takesNoMore = true;
  }

  onBody(chunk: Buffer): void {
    if (this.#coming?.take(chunk) === true) this.#isHeld = true;
  }

  onEnd(): void {
    const request = this.#coming;
    this.#coming = undefined;
    request?.end();
  }

  /** From here on it counts. */
  begin(request: Underway): void {
    this.#underway = this.#underway.length === 0 ? [request] : [...this.#underway, request];
    this.#owner.onBegun();
  }

  isTurnOf(response: ClientResponse): boolean {
    return this.#underway[0]?.response === response;
  }

  isFull(): boolean {
    const { writableLength, writableHighWaterMark, destroyed } = this.#socket;
    this.#wasFull = !destroyed && writableLength + this.#text.length >= writableHighWaterMark;
    return this.#wasFull;
  }

  putText(text: string): void {
    this.#text += text;
    this.#flushSoon();
  }

  putBytes(bytes: Uint8Array): void {
    this.#writeText();
    if (this.#socket.destroyed) return;
    holdForTurn(this.#socket);
    this.#socket.write(bytes);
  }

  whenTaken(callback: () => void): void {
    this.#writeText();
    // Behind what is written already; with an error when it is not taken, which is the end of the connection.
    this.#socket.write('', 'latin1', callback);
  }

  finish(): void {
    this.#flushSoon();
  }

  onSocketData(chunk: Buffer): void {
    if (this.#isParting || this.#isSpoilt) return;
    this.#isHeld = false;
    try {
      this.#parser.feed(chunk, this);
    } catch (error) {
      if (!(error instanceof BadMessage)) throw error;
      this.#spoilt(malformedHttp(error.kind));
      return;
    }
    if (!this.#isHeld) giveBack([chunk]);
    if (this.#parser.isInHead) this.#headSinceMs ??= performance.now();
  }

  onSocketDrain(): void {
    this.#wasFull = false;
    this.#underway[0]?.response.owner?.onDrain();
  }

  onSocketEnd(): void {
    if (this.#parser.isMidway && !this.#isSpoilt) this.#spoilt(malformedHttp('malformed'));
    if (!this.#isParting) this.#socket.destroy();
  }

  onSocketError(): void {
    // Its close follows.
  }

  onSocketClose(): void {
    this.#owner.onClosed(this, this.#underway);
  }

  onTurnEnd(): void {
    this.#isDue = false;
    const socket = this.#socket;
    const text = this.#text;
    this.#text = '';
    if (socket.destroyed) return;
    const response = this.#underway[0]?.response;
    if (response?.isEnded !== true) {
      if (text !== '') socket.write(text, 'latin1');
      if (this.#wasFull && !socket.writableNeedDrain) this.onSocketDrain();
      return;
    }
    socket.write(text, 'latin1', () => this.#written());
    if (socket.writableLength > 0) response.owner?.onUnread();
  }

  /** Whether another request may come; one too many is the last, and so is any when the gateway stops. */
  #takes(): boolean {
    if (this.#isParting || !this.#socket.writable) return false;
    if (this.#underway.length >= MAX_UNDERWAY || this.#owner.isDraining) this.#takesNoMore = true;
    if (!this.#takesNoMore) return true;
    this.#dropped += 1;
    if (this.#dropped > MAX_DROPPED) this.#socket.destroy();
    return false;
  }

  /** No more can be read: what came in full before is answered, what did not is refused, and it closes. */
  #spoilt(problem: GatewayProblem): void {
    if (this.#isParting || this.#isSpoilt) return;
    this.#isSpoilt = true;
    this.#takesNoMore = true;
    const broken = this.#underway.find(({ request }) => !request.isComplete);
    if (broken?.response.isBegun === true) {
      // It was refused for something else, and nobody needs the rest of it for that.
      this.onEnd();
      return;
    }
    const id = broken?.id ?? randomUUID();
    const words = problemBytes(id, problem);
    if (broken === this.#underway[0]) this.#say(words);
    else this.#words = words;
    if (broken === undefined) this.#owner.onRefused(id, problem);
    else broken.clientGone(problem);
  }

  /** Writes the last words; a client that reads nothing is not waited for. */
  #say(words: Uint8Array): void {
    const socket = this.#socket;
    this.#isParting = true;
    this.#writeText();
    socket.setTimeout(PARTING_MS, () => socket.destroy());
    socket.end(words, () => socket.destroy());
  }

  /** One request is over: it is the turn of the next, if there is one. */
  #next(): void {
    // Nothing goes out any more behind an answer that was the last.
    if (!this.#socket.writable || this.#isParting) return;
    const next = this.#underway[0];
    if (next !== undefined) {
      next.response.release();
      const callback = this.#waiting?.get(next);
      this.#waiting?.delete(next);
      callback?.();
    } else if (this.#words !== undefined) this.#say(this.#words);
    else if (this.#takesNoMore || this.#owner.isDraining) this.#socket.destroySoon();
    else this.#idleSinceMs = performance.now();
  }

  #flushSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    atTurnEnd(this);
  }

  #writeText(): void {
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    if (!this.#socket.destroyed) this.#socket.write(text, 'latin1');
  }

  /** The system has taken the answer that is first in line, to its end. */
  #written(): void {
    const response = this.#underway[0]?.response;
    if (this.#socket.destroyed || response?.isEnded !== true) return;
    if (response.isLast) this.#socket.destroySoon();
    response.owner?.onFinished();
  }
}
