// SPDX-License-Identifier: Apache-2.0

/**
 * A client's connection that costs next to nothing: it writes bytes made before, and of what comes it looks at the
 * status, at where the first token is, and at whether the last bytes have come. Kept alive, one request at a time.
 */

import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** Every connection reads into it: what is read is looked at before anything else is. */
const shared = Buffer.alloc(256 * 1024);
const FIRST_TOKEN = Buffer.from('data: ');
const OK = Buffer.from('HTTP/1.1 200 ');

/** An answer in numbers; times are milliseconds from the write of the request. */
export interface AnswerFigures {
  readonly firstTokenMs: number;
  readonly wholeMs: number;
  readonly bytes: number;
}

export interface RawConnectionOptions {
  readonly port: number;
  readonly request: Buffer;
  /** What the answer ends with, and contains nowhere else. */
  readonly tail: Buffer;
  /** Told of every byte. */
  readonly onBytes?: (count: number) => void;
  readonly onFailed: (error: Error) => void;
}

export class RawConnection {
  readonly #options: RawConnectionOptions;
  readonly #socket: Socket;
  #onAnswer: ((figures: AnswerFigures) => void) | undefined;
  #askedMs = 0;
  #firstTokenMs = 0;
  #bytes = 0;
  /** The last bytes, when the tail may be split. */
  #kept = Buffer.alloc(0);

  constructor(options: RawConnectionOptions) {
    this.#options = options;
    this.#socket = connect({
      port: options.port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: shared,
        callback: (count) => {
          this.#read(shared.subarray(0, count));
          return true;
        },
      },
    });
    this.#socket.on('error', (error) => this.#options.onFailed(error));
    this.#socket.on('close', () => {
      if (this.#onAnswer !== undefined) this.#options.onFailed(new Error('a connection ended before its answer did'));
    });
  }

  get isOpen(): boolean {
    return this.#socket.writable;
  }

  /** Whether something of the answer has come. */
  get hasBegun(): boolean {
    return this.#bytes > 0;
  }

  /** Sends the request; at most one at a time. */
  ask(onAnswer: (figures: AnswerFigures) => void): void {
    this.#onAnswer = onAnswer;
    this.#firstTokenMs = 0;
    this.#bytes = 0;
    this.#askedMs = performance.now();
    this.#socket.write(this.#options.request);
  }

  /** Cuts it, whatever is under way. */
  destroy(): void {
    this.#onAnswer = undefined;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const { tail, onBytes, onFailed } = this.#options;
    if (this.#bytes === 0 && !chunk.subarray(0, OK.length).equals(OK)) {
      onFailed(new Error(`not a 200: ${chunk.toString('latin1', 0, 500)}`));
      return;
    }
    this.#bytes += chunk.length;
    onBytes?.(chunk.length);
    if (this.#firstTokenMs === 0 && chunk.includes(FIRST_TOKEN)) this.#firstTokenMs = performance.now() - this.#askedMs;
    if (!this.#endsWith(tail, chunk)) return;
    const onAnswer = this.#onAnswer;
    this.#onAnswer = undefined;
    this.#kept = Buffer.alloc(0);
    const wholeMs = performance.now() - this.#askedMs;
    onAnswer?.({ firstTokenMs: this.#firstTokenMs, wholeMs, bytes: this.#bytes });
  }

  #endsWith(tail: Buffer, chunk: Buffer): boolean {
    if (chunk.length >= tail.length) {
      if (tail.compare(chunk, chunk.length - tail.length) === 0) return true;
      this.#kept = Buffer.from(chunk.subarray(-tail.length));
      return false;
    }
    this.#kept = Buffer.concat([this.#kept, chunk]).subarray(-tail.length);
    return this.#kept.equals(tail);
  }
}
