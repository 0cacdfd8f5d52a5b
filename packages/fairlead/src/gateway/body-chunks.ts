// SPDX-License-Identifier: Apache-2.0

/**
 * A body as it came: the buffers of the socket, never joined. Only crumbs are copied together: every buffer costs some
 * hundred bytes beside its content, and a client that sends its body byte by byte would otherwise hold many times the
 * memory that was reserved for it.
 */

/** Chunks below this are copied into a block; a block has this size. */
const BLOCK_BYTES = 8192;
/** What a socket reads at once at most. Memory that was made ready for so much and got less is cut to size. */
const READ_BYTES = 65_536;

export class BodyChunks {
  #chunks: Uint8Array[] = [];
  #sizeBytes = 0;
  #block: Uint8Array | undefined;
  #blockUsed = 0;

  /**
   * `expectedBytes`: the announced length, so that a body that came in one piece stays that piece. True when the memory of
   * the chunk is held on to; else its bytes are elsewhere now.
   */
  add(chunk: Uint8Array, expectedBytes: number | undefined): boolean {
    this.#sizeBytes += chunk.length;
    if (chunk.length >= BLOCK_BYTES || chunk.length === expectedBytes) {
      this.#seal();
      const isHeld = chunk.length < BLOCK_BYTES || chunk.buffer.byteLength >= READ_BYTES;
      this.#chunks.push(isHeld ? chunk : copyOf(chunk));
      return isHeld;
    }
    for (let from = 0; from < chunk.length;) {
      const block = (this.#block ??= new Uint8Array(BLOCK_BYTES));
      const part = chunk.subarray(from, from + BLOCK_BYTES - this.#blockUsed);
      block.set(part, this.#blockUsed);
      this.#blockUsed += part.length;
      from += part.length;
      if (this.#blockUsed === BLOCK_BYTES) this.#seal();
    }
    return false;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** All of it, in order. Nothing of it is kept here: whoever takes it says how long it lives. */
  take(): readonly Uint8Array[] {
    this.#seal();
    const chunks = this.#chunks;
    this.#chunks = [];
    return chunks;
  }

  #seal(): void {
    if (this.#block === undefined) return;
    this.#chunks.push(this.#block.subarray(0, this.#blockUsed));
    this.#block = undefined;
    this.#blockUsed = 0;
  }
}

/**
 * The same bytes elsewhere. Held where they were read, each such piece would leave a gap beside it that is too small for the
 * next read: ten thousand bodies of 100 KB took 1.5 times their size.
 */
function copyOf(chunk: Uint8Array): Uint8Array {
  const copy = Buffer.allocUnsafeSlow(chunk.length);
  copy.set(chunk);
  return copy;
}

/**
 * Gives the memory of a body that nobody needs any more back at once. Left to the collector, which sees that memory is
 * short and not whose it is, prompts of some hundred KB had it look through the whole heap many times a second.
 */
export function giveBack(chunks: readonly Uint8Array[]): void {
  for (const { buffer, byteOffset, byteLength } of chunks) {
    // What is read with a long piece of a body is before it, and has been looked at: behind it another request may begin.
    const isLast = byteOffset + byteLength === buffer.byteLength;
    if (isLast && byteLength >= BLOCK_BYTES && buffer instanceof ArrayBuffer) buffer.transfer(0);
  }
}
