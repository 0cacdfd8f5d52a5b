// SPDX-License-Identifier: Apache-2.0

/**
 * A model server's answer on its way to the client: chunk by chunk, no faster than the client reads, never held as a
 * whole. Token usage is read in passing. The head of anything but an event stream waits for the first byte of its body:
 * until then another answer can take its place. An answer that breaks off later is made to look broken: an event stream
 * gets an error event first, and the connection ends without its proper end, so that no client takes half for all.
 */

import { performance } from 'node:perf_hooks';
import type { Usage } from '@fairlead/core';
import type { ApiFormat } from './protocol/error-bodies.ts';
import type { AnswerHeaders, AnswerLines } from './protocol/answer-headers.ts';
import { ModelNames } from './protocol/model-names.ts';
import { createUsageReader } from './protocol/usage-reader.ts';
import type { UsageReader } from './protocol/usage-reader.ts';
import type { ClientResponse, ResponseOwner } from './wire/client-response.ts';

/** How the answer is to look to the client. */
export interface AnswerForm {
  readonly api: ApiFormat;
  /** The model that the client named. */
  readonly asked: string | undefined;
  /** The one that the model server was asked for, when a rewrite chose it. */
  readonly sent: string | undefined;
  /** The connection ends with it. */
  readonly isLast: boolean;
}

/** The head of an answer, every header of which can be written. */
export interface RelayedHead {
  readonly status: number;
  readonly headers: AnswerHeaders;
  /** What of them goes to the client, and what is added. */
  readonly lines: AnswerLines;
  /** Of the body; undefined: it is not told. */
  readonly lengthBytes: number | undefined;
}

export interface RelayLimits {
  /** A client that takes nothing for so long is cut. */
  readonly clientWriteTimeoutMs: number;
  /** A client that held up the answer for so long in all is cut. */
  readonly clientStallTimeoutMs: number;
}

export interface RelayOwner {
  /** The client takes bytes again. */
  onDrain(): void;
  /** The client was cut. */
  onStuck(): void;
  /** The system has taken the answer to its end. */
  onFinished(): void;
}

/**
 * A web stream that breaks throws away what has arrived and is not read yet: a client gets so long to read the error
 * event before its connection ends.
 */
const READ_ERROR_MS = 250;

/** Two of them end an event. */
const LF = 0x0a;

export class Relay implements ResponseOwner {
  readonly #response: ClientResponse;
  readonly #limits: RelayLimits;
  readonly #owner: RelayOwner;
  #usage: UsageReader | undefined;
  #stuck: NodeJS.Timeout | undefined;
  /** How long the client has held up the answer, and since when it does so now. */
  #stalledMs = 0;
  #stalledSinceMs = 0;
  #breaking: NodeJS.Timeout | undefined;
  /** A head that is not written yet. */
  #held: RelayedHead | undefined;
  #isLast = false;
  #names: ModelNames | undefined;
  #isStream = false;
  #bytes = 0;
  #events = 0;

  constructor(response: ClientResponse, limits: RelayLimits, owner: RelayOwner) {
    this.#response = response;
    response.owner = this;
    this.#limits = limits;
    this.#owner = owner;
  }

  /** Events passed on, to within one or two: an end that was cut by two chunks is not seen. */
  get events(): number {
    return this.#events;
  }

  /** Bytes of body passed on. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes the head; true when an event stream follows, whose head goes out at once. */
  begin(head: RelayedHead, { api, asked, sent, isLast }: AnswerForm): boolean {
    const { isStream, isJson, isPacked, contentType } = head.headers;
    const isRenamed = asked !== undefined && sent !== undefined && asked !== sent;
    // What is packed cannot be read, and nothing has a model in it but these two.
    if (isRenamed && (isStream || isJson) && !isPacked)
      this.#names = new ModelNames({ from: sent, to: asked, isStream });
    this.#isStream = isStream;
    this.#usage = createUsageReader(contentType, api);
    this.#held = head;
    this.#isLast = isLast;
    // A stream may think for long before its first event; that it was accepted is news by itself.
    if (isStream) this.#writeHead();
    return isStream;
  }

  /** False: the client has enough for now, and `onDrain` will tell. */
  data(chunk: Uint8Array): boolean {
    this.#usage?.push(chunk);
    if (this.#isStream) this.#events += blankLinesIn(chunk);
    const passed = this.#names === undefined ? chunk : this.#names.push(chunk);
    this.#bytes += passed.length;
    if (passed.length === 0 || this.#write(passed)) return true;
    const { clientWriteTimeoutMs, clientStallTimeoutMs } = this.#limits;
    this.#stalledSinceMs = performance.now();
    this.#watch(Math.min(clientWriteTimeoutMs, Math.max(1, clientStallTimeoutMs - this.#stalledMs)));
    return false;
  }

  end(): void {
    const rest = this.#names?.end();
    if (rest !== undefined && rest.length > 0) this.#write(rest);
    this.#writeHead();
    this.#response.end();
  }

  onDrain(): void {
    clearTimeout(this.#stuck);
    this.#stuck = undefined;
    this.#stalledMs += performance.now() - this.#stalledSinceMs;
    this.#owner.onDrain();
  }

  /** What the system has not taken yet still has to be read within the same time. */
  onUnread(): void {
    this.#watch();
  }

  onFinished(): void {
    this.#owner.onFinished();
  }

  /** Ends the answer as visibly broken; `event` is what a stream says last. */
  breakOff(event: Uint8Array): void {
    // Without a length and without chunks (HTTP/1.0) the end of the connection is the end of the answer: only a reset
    // tells the client, or the proxy in front of us, that it was not.
    if (!this.#isStream) {
      this.#response.breakOff();
      return;
    }
    this.#watch();
    this.#write(event);
    this.#response.whenTaken(() => {
      this.#breaking = setTimeout(() => this.#response.breakOff(), READ_ERROR_MS).unref();
    });
  }

  /** Tokens as told so far. */
  usage(): Usage | undefined {
    return this.#usage?.end();
  }

  /** Nothing more will be written. */
  close(): void {
    clearTimeout(this.#stuck);
    clearTimeout(this.#breaking);
  }

  /** Writes the head, unless it is written already. */
  #writeHead(): void {
    if (this.#held === undefined) return;
    const { status, lines, lengthBytes } = this.#held;
    this.#held = undefined;
    // Where the name that the client knows may be longer the end is told otherwise, and in a stream, whose last words may
    // be that it broke off; and what has no body has no length, though some servers give it one.
    const isAsItCame = this.#names === undefined && !this.#isStream && status !== 204 && status !== 304;
    const { text, hasDate } = lines;
    const told = isAsItCame ? lengthBytes : undefined;
    this.#response.begin({ status, text, hasDate, lengthBytes: told }, this.#isLast);
  }

  #write(bytes: Uint8Array): boolean {
    this.#writeHead();
    return this.#response.write(bytes);
  }

  #watch(timeoutMs = this.#limits.clientWriteTimeoutMs): void {
    if (this.#stuck !== undefined) return;
    this.#stuck = setTimeout(() => {
      // Behind another answer of the same connection it is not the client that holds this one up.
      if (!this.#response.isInTurn) this.#stuck?.refresh();
      else this.#owner.onStuck();
    }, timeoutMs);
    this.#stuck.unref();
  }
}

/** How many events end in it. A loop: for the few hundred bytes of one event native searches cost more. */
function blankLinesIn(chunk: Uint8Array): number {
  let count = 0;
  // Of two bytes in a row one is looked at.
  for (let at = 1; at < chunk.length; at += 2) {
    if (chunk[at] !== LF) continue;
    if (chunk[at - 1] === LF) count += 1;
    else if (chunk[at + 1] === LF) {
      count += 1;
      at += 1;
    }
  }
  return count;
}
