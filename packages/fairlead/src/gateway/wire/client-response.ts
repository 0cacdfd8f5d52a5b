// SPDX-License-Identifier: Apache-2.0

/**
 * An answer on its way to a client's connection: its head, the frame of its body, and how it ends. One that is not first in
 * line on its connection keeps what is written until it is.
 */

import { STATUS_CODES } from 'node:http';
import type { ClientHead } from './client-head.ts';

/** Told of what becomes of an answer. */
export interface ResponseOwner {
  /** After a `write` that returned false: the client takes bytes again. */
  onDrain(): void;
  /** It is written to its end, and the system has not taken all of it yet. */
  onUnread(): void;
  /** The system has taken it to its end. Not called when the connection ends before. */
  onFinished(): void;
}

/** Where answers are written to; what is written in one turn of the event loop goes out at its end. */
export interface ResponseTarget {
  /** The answer is the first in line. */
  isTurnOf(response: ClientResponse): boolean;
  /** No more should be written for now. */
  isFull(): boolean;
  /** How long an idle connection is kept, in seconds; undefined: it is not said. */
  readonly keepAliveS: number | undefined;
  /** Each character is a byte. */
  putText(text: string): void;
  putBytes(bytes: Uint8Array): void;
  /** Calls back when the system has taken all that was put. */
  whenTaken(callback: () => void): void;
  /** The first in line is written to its end. */
  finish(): void;
  /** Cuts the connection; with a reset its client cannot take that for the end of an answer. */
  cut(withReset: boolean): void;
}

/** A longer piece of an answer goes out as bytes: as one string with its frame it would be copied twice. */
const MOST_AS_TEXT_BYTES = 8192;
const LAST_CHUNK = '0\r\n\r\n';
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** The head of an answer. */
export interface ResponseHead {
  readonly status: number;
  /** Header lines, each with its end; none says where the body ends or what becomes of the connection. */
  readonly text: string;
  /** Else one is added. */
  readonly hasDate: boolean;
  /** Of the body; undefined: it is chunked. */
  readonly lengthBytes: number | undefined;
}

export class ClientResponse {
  /** Set before anything is written. */
  owner: ResponseOwner | undefined;
  readonly #target: ResponseTarget;
  readonly #isHead: boolean;
  readonly #isHttp10: boolean;
  readonly #isKept: boolean;
  #status = 0;
  #isLast = false;
  #isBodiless = false;
  #isChunked = false;
  /** A client can tell by itself where it ends. */
  #isSelfDelimited = false;
  #isEnded = false;
  /** What was written before its turn. */
  #early: (string | Uint8Array)[] | undefined;

  constructor(target: ResponseTarget, { method, isHttp10, keepAlive }: ClientHead) {
    this.#target = target;
    this.#isHead = method === 'HEAD';
    this.#isHttp10 = isHttp10;
    this.#isKept = keepAlive;
  }

  /** 0 while it has not begun. */
  get status(): number {
    return this.#status;
  }

  get isBegun(): boolean {
    return this.#status !== 0;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** The connection ends with it. */
  get isLast(): boolean {
    return this.#isLast;
  }

  /** It is first in line on its connection. */
  get isInTurn(): boolean {
    return this.#target.isTurnOf(this);
  }

  /** Tells the client to send its body. */
  continue(): void {
    this.#put(CONTINUE);
  }

  /** Writes the head. */
  begin({ status, text, hasDate, lengthBytes }: ResponseHead, isLast: boolean): void {
    this.#status = status;
    const hasLength = lengthBytes !== undefined;
    this.#isBodiless = this.#isHead || status === 204 || status === 304;
    this.#isChunked = !this.#isBodiless && !hasLength && !this.#isHttp10;
    this.#isSelfDelimited = this.#isBodiless || hasLength || this.#isChunked;
    this.#isLast = isLast || !this.#isKept || !this.#isSelfDelimited;
    let head = statusLine(status) + text;
    if (hasLength) head += `content-length: ${lengthBytes}\r\n`;
    if (!hasDate) head += dateLine();
    if (this.#isChunked) head += 'transfer-encoding: chunked\r\n';
    this.#put(`${head}${this.#isLast ? 'connection: close\r\n' : keepAliveLines(this.#target.keepAliveS)}\r\n`);
  }

  /** Writes what may be lent. False: the client has enough for now, and `onDrain` will tell. */
  write(bytes: Uint8Array): boolean {
    if (this.#isBodiless) return true;
    if (bytes.length <= MOST_AS_TEXT_BYTES) {
      const text = asBuffer(bytes).toString('latin1');
      this.#put(this.#isChunked ? `${frameOf(bytes)}${text}\r\n` : text);
    } else {
      if (this.#isChunked) this.#put(frameOf(bytes));
      this.#put(Buffer.from(bytes));
      if (this.#isChunked) this.#put('\r\n');
    }
    return !this.#target.isFull();
  }

  /** Calls back when the system has taken all that was written; only in its turn. */
  whenTaken(callback: () => void): void {
    this.#target.whenTaken(callback);
  }

  end(): void {
    if (this.#isEnded) return;
    if (this.#isChunked) this.#put(LAST_CHUNK);
    this.#isEnded = true;
    if (this.isInTurn) this.#target.finish();
  }

  /** Breaks it off; where its client could not tell that from its end, with a reset. */
  breakOff(): void {
    this.#target.cut(this.isBegun && !this.#isSelfDelimited);
  }

  /** Its turn has come. */
  release(): void {
    const early = this.#early;
    this.#early = undefined;
    for (const piece of early ?? []) this.#put(piece);
    if (this.#isEnded) this.#target.finish();
  }

  #put(piece: string | Uint8Array): void {
    if (!this.isInTurn) (this.#early ??= []).push(piece);
    else if (typeof piece === 'string') this.#target.putText(piece);
    else this.#target.putBytes(piece);
  }
}

const lines = new Map<number, string>();

/** The first line of an answer, with its end. */
export function statusLine(status: number): string {
  let line = lines.get(status);
  if (line === undefined) {
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`;
    lines.set(status, line);
  }
  return line;
}

let dateS = 0;
let date = '';

/** Answers of one second share the text. */
function dateLine(): string {
  const nowMs = Date.now();
  const nowS = Math.floor(nowMs / 1000);
  if (nowS !== dateS) {
    dateS = nowS;
    date = `date: ${new Date(nowMs).toUTCString()}\r\n`;
  }
  return date;
}

function keepAliveLines(keepAliveS: number | undefined): string {
  return keepAliveS === undefined
    ? 'connection: keep-alive\r\n'
    : `connection: keep-alive\r\nkeep-alive: timeout=${keepAliveS}\r\n`;
}

/** What stands before a chunk. */
function frameOf(bytes: Uint8Array): string {
  return `${bytes.length.toString(16)}\r\n`;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
