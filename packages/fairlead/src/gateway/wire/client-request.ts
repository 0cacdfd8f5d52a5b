// SPDX-License-Identifier: Apache-2.0

/** A client's request as it comes: its head, and its body for whoever wants to read that. */

import type { ClientHead } from './client-head.ts';

/** Takes a body, a piece at a time. */
export interface BodyReader {
  /** Whether the memory of the chunk is held on to; else it is used again. */
  onData(chunk: Uint8Array): boolean;
  onEnd(): void;
}

/** What a request needs of the connection it came on. */
export interface RequestSource {
  /** Nothing more is read until `resume`. */
  pause(): void;
  resume(): void;
}

const NOBODY: BodyReader = { onData: () => false, onEnd: () => undefined };

export class ClientRequest {
  /** As its head says, which is not held on to: streams outlive it. */
  readonly keepAlive: boolean;
  readonly expects: ClientHead['expects'];
  /** Bytes of the body as announced; undefined: it is chunked. */
  readonly lengthBytes: number | undefined;
  readonly #source: RequestSource;
  #reader: BodyReader | undefined;
  /** What came before there was a reader; nothing follows until there is one. */
  #early: Uint8Array[] | undefined;
  #isComplete = false;

  constructor(head: ClientHead, lengthBytes: number | undefined, source: RequestSource) {
    this.keepAlive = head.keepAlive;
    this.expects = head.expects;
    this.lengthBytes = lengthBytes;
    this.#source = source;
  }

  /** It has arrived in full. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** From now on the body goes there, what came of it before included. */
  read(reader: BodyReader): void {
    this.#reader = reader;
    const early = this.#early;
    if (early === undefined) {
      if (this.#isComplete) reader.onEnd();
      return;
    }
    this.#early = undefined;
    this.#source.resume();
    for (const chunk of early) this.#reader.onData(chunk);
    if (this.#isComplete) this.#reader.onEnd();
  }

  /** Nobody wants the rest of the body. */
  discard(): void {
    this.read(NOBODY);
  }

  /** A piece of the body came; true when its memory is held on to. */
  take(chunk: Uint8Array): boolean {
    if (this.#reader !== undefined) return this.#reader.onData(chunk);
    (this.#early ??= []).push(chunk);
    // Each time: a request before this one may have let it go on.
    this.#source.pause();
    return true;
  }

  /** The body is whole. */
  end(): void {
    this.#isComplete = true;
    if (this.#early === undefined) this.#reader?.onEnd();
  }
}
