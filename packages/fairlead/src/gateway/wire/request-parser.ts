// SPDX-License-Identifier: Apache-2.0

/**
 * Reads HTTP/1.1 requests, one behind the other, from the bytes of one connection, whichever way they are cut and without a
 * copy of a body. Heads and everything that frames a body are bounded.
 */

import { BadMessage } from '../../sockets/bad-message.ts';
import { ChunkedBody } from '../../sockets/chunked-body.ts';
import type { BodySink } from '../../sockets/chunked-body.ts';
import type { SharedHeads } from '../../sockets/shared-heads.ts';
import { HeadCollector } from '../../sockets/head-collector.ts';
import { isForbidden } from '../../sockets/header-lines.ts';
import { RepeatedHeads } from '../../sockets/repeated-heads.ts';
import { ClientHead } from './client-head.ts';

const CR = 0x0d;
const LF = 0x0a;

/** Takes requests in this order: `onHead`, any number of `onBody`, `onEnd`, and so on. */
export interface RequestSink extends BodySink {
  /** Longest head that is read. */
  readonly maxHeadBytes: number;
  /** `lengthBytes` of body follow; undefined: it is chunked. The head is the same object when it repeats, on whichever connection. */
  onHead(head: ClientHead, lengthBytes: number | undefined): void;
  onEnd(): void;
}

export class RequestParser {
  readonly #collector = new HeadCollector();
  readonly #repeated = new RepeatedHeads<ClientHead>(1);
  readonly #shared: SharedHeads<ClientHead>;
  /** The last character of a head that is not whole. */
  #last = '';
  #isInBody = false;
  /** Bytes of the body that are yet to come. */
  #leftBytes = 0;
  #chunked: ChunkedBody | undefined;

  /** `shared`: by all connections. */
  constructor(shared: SharedHeads<ClientHead>) {
    this.#shared = shared;
  }

  /** A head has begun and is not whole. */
  get isInHead(): boolean {
    return this.#collector.bytes > 0;
  }

  /** A request has begun and is not whole. */
  get isMidway(): boolean {
    return this.#isInBody || this.isInHead;
  }

  /** @throws {BadMessage} after which nothing of this connection can be believed. */
  feed(chunk: Buffer, sink: RequestSink): void {
    for (let at = 0; at < chunk.length;) {
      at = this.#isInBody ? this.#takeBody(chunk, at, sink) : this.#takeHead(chunk, at, sink);
    }
  }

  /** Holds no head any more. */
  forget(): void {
    this.#repeated.forget();
  }

  #takeHead(chunk: Buffer, at: number, sink: RequestSink): number {
    if (this.isInHead) return this.#takeNewHead(chunk, at, sink);
    // Some clients put an empty line behind a body (RFC 9112, 2.2).
    while (chunk[at] === CR || chunk[at] === LF) at += 1;
    const end = this.#repeated.find(chunk, at);
    if (end < 0 || end - at > sink.maxHeadBytes) return this.#takeNewHead(chunk, at, sink);
    this.#begin(this.#repeated.head, this.#repeated.lengthBytes, sink);
    return end;
  }

  #takeNewHead(chunk: Buffer, at: number, sink: RequestSink): number {
    const isBegun = this.isInHead;
    const end = this.#collector.take(chunk, at, sink.maxHeadBytes);
    if (end < 0) {
      // What can be no request is refused as soon as that is clear, and not when the rest of it is late.
      const piece = this.#last + chunk.toString('latin1', at);
      if (isForbidden(piece)) throw new BadMessage('the head holds a byte that none may hold');
      this.#last = piece.slice(-1);
      return chunk.length;
    }
    this.#last = '';
    const { text } = this.#collector;
    this.#collector.clear();
    const bytes = chunk.subarray(at, end);
    if (!isBegun && this.#repeated.isWorthKeeping(bytes)) {
      const kept = this.#shared.of(bytes, text, readHead);
      if (kept.head.keepAlive) this.#repeated.keep(kept);
      this.#begin(kept.head, kept.lengthBytes, sink);
    } else {
      const head = readHead(text);
      this.#begin(head, head.lengthBytes, sink);
    }
    return end;
  }

  #begin(head: ClientHead, lengthBytes: number | undefined, sink: RequestSink): void {
    this.#isInBody = true;
    this.#leftBytes = lengthBytes ?? 0;
    this.#chunked = lengthBytes === undefined ? new ChunkedBody() : undefined;
    sink.onHead(head, lengthBytes);
    if (lengthBytes === 0) this.#end(sink);
  }

  #takeBody(chunk: Buffer, at: number, sink: RequestSink): number {
    if (this.#chunked !== undefined) {
      const end = this.#chunked.take(chunk, at, sink);
      if (end >= 0) this.#end(sink);
      return end < 0 ? chunk.length : end;
    }
    const end = Math.min(chunk.length, at + this.#leftBytes);
    this.#leftBytes -= end - at;
    sink.onBody(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end));
    if (this.#leftBytes === 0) this.#end(sink);
    return end;
  }

  #end(sink: RequestSink): void {
    this.#isInBody = false;
    this.#chunked = undefined;
    sink.onEnd();
  }
}

/** @throws {BadMessage} */
function readHead(text: string): ClientHead {
  return new ClientHead(text);
}
