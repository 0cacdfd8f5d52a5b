// SPDX-License-Identifier: Apache-2.0

/**
 * Hashes the prompt of a body where it lies in the chunks, a part at a time, before the request may wait. What is hashed
 * is the JSON of the members that the model reads, as the client wrote it, and nothing else of the body: the same system
 * prompt from the same client library is the same bytes, whatever `user`, `seed` or `temperature` say.
 */

import { PromptHasher } from '@fairlead/core';
import type { PromptPrefix, PromptWish } from '@fairlead/core';
import type { Span } from './json-object-scanner.ts';

/** More of a salt is not looked at. */
const MAX_SALT_BYTES = 1024;

/** Where in a body there is something to hash. */
export interface PromptPlaces {
  readonly promptSpans: readonly Readonly<Span>[];
  readonly saltSpan: Readonly<Span> | undefined;
}

export class PromptHash {
  readonly #chunks: readonly Uint8Array[];
  readonly #hasher: PromptHasher;
  /** What is left of the spans, the one under way first. */
  readonly #left: Span[];
  /** The chunk in which the last span ended or is under way, and where it begins in the body. */
  #index = 0;
  #base = 0;

  constructor(chunks: readonly Uint8Array[], { promptSpans, saltSpan }: PromptPlaces, wish: PromptWish) {
    this.#chunks = chunks;
    this.#left = promptSpans.map(({ start, end }) => ({ start, end }));
    const promptBytes = promptSpans.reduce((sum, { start, end }) => sum + end - start, 0);
    const { blockBytes, maxBytes } = wish;
    this.#hasher = new PromptHasher({
      blockBytes,
      maxBlocks: Math.floor(maxBytes / blockBytes),
      expectedBytes: promptBytes,
    });
    if (saltSpan !== undefined) this.#hasher.salt(this.#bytesOf(saltSpan));
  }

  /** Hashes chunks until they had `bytes`; undefined when there are more. Not to be asked after it answered. */
  next(bytes: number): PromptPrefix | undefined {
    for (let read = 0; this.#left.length > 0 && !this.#hasher.isFull;) {
      if (read >= bytes) return undefined;
      const span = this.#left[0]!;
      const part = this.#partOf(span);
      this.#hasher.update(part);
      read += part.length;
      span.start += part.length;
      if (span.start >= span.end) this.#left.shift();
    }
    return this.#hasher.finish();
  }

  /** As much from the beginning of a span as lies in one chunk. */
  #partOf({ start, end }: Span): Uint8Array {
    if (start < this.#base) this.#index = this.#base = 0;
    while (start >= this.#base + this.#chunks[this.#index]!.length) {
      this.#base += this.#chunks[this.#index]!.length;
      this.#index += 1;
    }
    return this.#chunks[this.#index]!.subarray(start - this.#base, end - this.#base);
  }

  #bytesOf({ start, end }: Readonly<Span>): Uint8Array {
    const bytes = new Uint8Array(Math.min(end - start, MAX_SALT_BYTES));
    for (let at = 0; at < bytes.length;) {
      const part = this.#partOf({ start: start + at, end: start + bytes.length });
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}
