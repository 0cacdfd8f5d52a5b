// SPDX-License-Identifier: Apache-2.0

/** Reads short texts out of chunks at offsets that never go back, so that no number of chunks makes it slow. */
export class ChunkText {
  readonly #chunks: readonly Uint8Array[];
  #index = 0;
  #base = 0;

  constructor(chunks: readonly Uint8Array[]) {
    this.#chunks = chunks;
  }

  /** The bytes of `[start, end)`, which is not empty: a view when they lie in one chunk, else a copy. */
  bytes(start: number, end: number): Buffer {
    while (start >= this.#base + this.#chunks[this.#index]!.length) {
      this.#base += this.#chunks[this.#index]!.length;
      this.#index += 1;
    }
    const chunk = this.#chunks[this.#index]!;
    if (end <= this.#base + chunk.length) {
      return Buffer.from(chunk.buffer, chunk.byteOffset + start - this.#base, end - start);
    }
    const parts: Uint8Array[] = [];
    let base = this.#base;
    for (let index = this.#index; base < end; index += 1) {
      const next = this.#chunks[index]!;
      parts.push(next.subarray(Math.max(0, start - base), end - base));
      base += next.length;
    }
    return Buffer.concat(parts);
  }
}
