// SPDX-License-Identifier: Apache-2.0

/**
 * A model server's answer on its way to the client: chunk by chunk, no faster than the client reads, never held as a
 * whole. Token usage is read in passing. An answer that breaks off is made to look broken: an event stream gets an
 * error event first, and the connection ends without its proper end, so that no client takes half for all.
 */

import type { ServerResponse } from 'node:http';
import type { Usage } from '@fairlead/core';
import type { ApiFormat } from './protocol/error-bodies.ts';
import { ModelNames } from './protocol/model-names.ts';
import { createUsageReader } from './protocol/usage-reader.ts';
import { atTurnEnd, holdForTurn } from '../sockets/turn-writes.ts';
import type { UsageReader } from './protocol/usage-reader.ts';

/** How the answer is to look to the client. */
export interface AnswerForm {
  readonly api: ApiFormat;
  /** The model that the client named. */
  readonly asked: string | undefined;
  /** The one that the model server was asked for, when a rewrite chose it. */
  readonly sent: string | undefined;
}

export interface RelayOptions {
  /** A client that takes nothing for so long is cut. */
  readonly clientWriteTimeoutMs: number;
  /** A client that held up the answer for so long in all is cut. */
  readonly clientStallTimeoutMs: number;
  /** The client takes bytes again. */
  onDrain(): void;
  /** The client was cut. */
  onStuck(): void;
}

/**
 * A web stream that breaks throws away what has arrived and is not read yet: a client gets so long to read the error
 * event before its connection ends.
 */
const READ_ERROR_MS = 250;

/** The end of an event. */
const BLANK_LINE = Buffer.from('\n\n');

export class Relay {
  readonly #response: ServerResponse;
  readonly #options: RelayOptions;
  readonly #onDrain = (): void => {
    clearTimeout(this.#stuck);
    this.#stuck = undefined;
    this.#stalledMs += performance.now() - this.#stalledSinceMs;
    this.#options.onDrain();
  };
  #usage: UsageReader | undefined;
  #stuck: NodeJS.Timeout | undefined;
  /** How long the client has held up the answer, and since when it does so now. */
  #stalledMs = 0;
  #stalledSinceMs = 0;
  #breaking: NodeJS.Timeout | undefined;
  #names: ModelNames | undefined;
  #isStream = false;
  /** A client can tell by itself where the answer ends. */
  #isSelfDelimited = false;
  #bytes = 0;
  #events = 0;

  constructor(response: ServerResponse, options: RelayOptions) {
    this.#response = response;
    this.#options = options;
  }

  get isStream(): boolean {
    return this.#isStream;
  }

  /** Events passed on, to within one or two: an end that was cut by two chunks is not seen. */
  get events(): number {
    return this.#events;
  }

  /** Bytes of body passed on. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Passes the head on; true when an event stream follows.
   * @throws Error when a header cannot be written.
   */
  begin(status: number, headers: string[], { api, asked, sent }: AnswerForm): boolean {
    const type = headerOf(headers, 'content-type');
    const isPlain = headerOf(headers, 'content-encoding') === undefined;
    if (isPlain && asked !== undefined && sent !== undefined && asked !== sent)
      this.#names = namesOf(type, sent, asked);
    if (this.#response.socket !== null) holdForTurn(this.#response.socket);
    // The name that the client knows may be longer: where the answer ends is told otherwise.
    this.#response.writeHead(status, this.#names === undefined ? headers : without(headers, 'content-length'));
    const hasLength = this.#names === undefined && headerOf(headers, 'content-length') !== undefined;
    this.#isSelfDelimited = this.#response.chunkedEncoding || hasLength;
    this.#isStream = type !== undefined && /^\s*text\/event-stream\b/i.test(type);
    this.#usage = createUsageReader(type, api);
    this.#response.on('drain', this.#onDrain);
    // A stream may think for long before its first event; that it was accepted is news by itself.
    if (this.#isStream) this.#response.flushHeaders();
    return this.#isStream;
  }

  /** False: the client has enough for now, and `onDrain` will tell. */
  data(chunk: Uint8Array): boolean {
    this.#usage?.push(chunk);
    if (this.#isStream) this.#events += blankLinesIn(chunk);
    const passed = this.#names === undefined ? chunk : this.#names.push(chunk);
    this.#bytes += passed.length;
    if (this.#response.socket !== null) holdForTurn(this.#response.socket);
    if (passed.length === 0 || this.#response.write(passed)) return true;
    const { clientWriteTimeoutMs, clientStallTimeoutMs } = this.#options;
    this.#stalledSinceMs = performance.now();
    this.#watch(Math.min(clientWriteTimeoutMs, Math.max(1, clientStallTimeoutMs - this.#stalledMs)));
    return false;
  }

  end(): void {
    atTurnEnd(() => {
      this.#response.end(this.#names?.end());
      this.watchEnd();
    });
  }

  /** The last byte is written: what the system has not taken yet still has to be read within the same time. */
  watchEnd(): void {
    if (!this.#response.writableFinished) this.#watch();
  }

  /** Ends the answer as visibly broken; `event` is what a stream says last. */
  breakOff(event: Uint8Array): void {
    if (!this.#isStream) {
      // Without a length and without chunks (HTTP/1.0) the end of the connection is the end of the answer: only a
      // reset tells the client, or the proxy in front of us, that it was not.
      if (this.#isSelfDelimited) this.#response.destroy();
      else this.#response.socket?.resetAndDestroy();
      return;
    }
    this.#watch();
    this.#response.write(event, () => {
      this.#breaking = setTimeout(() => this.#response.destroy(), READ_ERROR_MS).unref();
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
    this.#response.off('drain', this.#onDrain);
  }

  #watch(timeoutMs = this.#options.clientWriteTimeoutMs): void {
    if (this.#stuck !== undefined) return;
    this.#stuck = setTimeout(() => {
      // Behind another answer of the same connection it is not the client that holds this one up.
      if (this.#response.socket === null) this.#stuck?.refresh();
      else this.#options.onStuck();
    }, timeoutMs);
    this.#stuck.unref();
  }
}

function blankLinesIn(chunk: Uint8Array): number {
  const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  let count = 0;
  for (let at = bytes.indexOf(BLANK_LINE); at >= 0; at = bytes.indexOf(BLANK_LINE, at + 2)) count += 1;
  return count;
}

function headerOf(headers: readonly string[], name: string): string | undefined {
  for (let index = 0; index < headers.length; index += 2) {
    if ((headers[index] as string).toLowerCase() === name) return headers[index + 1];
  }
  return undefined;
}

/** Who renames the model in an answer of this type; undefined for what has no model in it. */
function namesOf(type: string | undefined, from: string, to: string): ModelNames | undefined {
  if (type === undefined) return undefined;
  if (/^\s*text\/event-stream\b/i.test(type)) return new ModelNames({ from, to, isStream: true });
  return /^\s*application\/json\b/i.test(type) ? new ModelNames({ from, to, isStream: false }) : undefined;
}

function without(headers: readonly string[], name: string): string[] {
  const kept: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    if (headers[index]!.toLowerCase() !== name) kept.push(headers[index]!, headers[index + 1]!);
  }
  return kept;
}
