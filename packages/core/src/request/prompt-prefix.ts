// SPDX-License-Identifier: Apache-2.0

/**
 * A prompt as what two prompts are compared by: a hash for each of its blocks, each made of the block and the hash before
 * it, so that equal hashes at one place mean equal beginnings up to there. Made of the bytes while they are at hand, four
 * bytes of hash for each block; the bytes themselves are not kept.
 *
 * The mix is that of XXH32 (Yann Collet, 2012): four lanes of 32-bit words, which a JavaScript engine runs at some
 * gigabytes a second. Hashes decide which server is preferred and nothing else, so that 32 bits and a known seed are
 * enough: whoever makes two prompts collide has them sent to the same server.
 */

/** The beginning of a prompt, as far as it was hashed. */
export interface PromptPrefix {
  readonly blockBytes: number;
  /** How many there are, a last part of one included. */
  readonly blocks: number;
  /** Element `i` stands for the first `i + 1` blocks; a last part shorter than a block has none. */
  readonly hashes: Uint32Array;
}

/** What a server should have had of a prompt that was sent to it. */
export interface PrefixMatch {
  /** The plugin that knew. */
  readonly producer: { readonly type: string; readonly name: string };
  readonly matchedBytes: number;
  readonly promptBytes: number;
}

const PRIME_1 = 0x9e3779b1 | 0;
const PRIME_2 = 0x85ebca77 | 0;
const PRIME_3 = 0xc2b2ae3d | 0;
const PRIME_4 = 0x27d4eb2f;
const LANES_BYTES = 16;
const WORD_BYTES = 4;

export class PromptHasher {
  readonly #blockBytes: number;
  readonly #maxBlocks: number;
  #hashes: Uint32Array;
  #count = 0;
  #chain = PRIME_3;
  /** A block of which only a part has come. */
  readonly #part: Uint8Array;
  #partBytes = 0;

  /**
   * `expectedBytes` sizes its memory. Block sizes are whole words.
   *
   * @throws RangeError when `blockBytes` is not a positive multiple of 4.
   */
  constructor(sizes: { readonly blockBytes: number; readonly maxBlocks: number; readonly expectedBytes: number }) {
    const { blockBytes, maxBlocks, expectedBytes } = sizes;
    if (!(blockBytes > 0 && blockBytes % WORD_BYTES === 0)) {
      throw new RangeError(`blockBytes must be a positive multiple of ${WORD_BYTES}, got ${blockBytes}`);
    }
    this.#blockBytes = blockBytes;
    this.#maxBlocks = maxBlocks;
    this.#hashes = new Uint32Array(Math.min(maxBlocks, Math.floor(expectedBytes / blockBytes)));
    this.#part = new Uint8Array(blockBytes);
  }

  /** True when it has all the blocks it may have: more bytes change nothing. */
  get isFull(): boolean {
    return this.#count >= this.#maxBlocks;
  }

  /** Makes what follows different from what follows another salt. To be called first. */
  salt(bytes: Uint8Array): void {
    const padded = new Uint8Array(Math.ceil((bytes.length + 1) / WORD_BYTES) * WORD_BYTES);
    padded.set(bytes);
    padded[bytes.length] = 1;
    this.#chain = hashOf(new DataView(padded.buffer), { start: 0, end: padded.length }, this.#chain);
  }

  /** The next bytes of the prompt. */
  update(bytes: Uint8Array): void {
    let at = 0;
    if (this.#partBytes > 0) {
      at = this.#fill(bytes, 0);
      if (this.#partBytes < this.#blockBytes) return;
      this.#partBytes = 0;
      this.#block(viewOf(this.#part), 0);
    }
    const view = viewOf(bytes);
    for (; at + this.#blockBytes <= bytes.length && !this.isFull; at += this.#blockBytes) this.#block(view, at);
    if (!this.isFull) this.#fill(bytes, at);
  }

  /** What was hashed. Nothing may be added afterwards. */
  finish(): PromptPrefix {
    const blocks = this.#count + (this.#partBytes > 0 && !this.isFull ? 1 : 0);
    return { blockBytes: this.#blockBytes, blocks, hashes: this.#hashes.subarray(0, this.#count) };
  }

  #fill(bytes: Uint8Array, from: number): number {
    const taken = bytes.subarray(from, from + this.#blockBytes - this.#partBytes);
    this.#part.set(taken, this.#partBytes);
    this.#partBytes += taken.length;
    return from + taken.length;
  }

  #block(view: DataView, at: number): void {
    if (this.isFull) return;
    this.#chain = hashOf(view, { start: at, end: at + this.#blockBytes }, this.#chain);
    if (this.#count === this.#hashes.length) {
      const grown = new Uint32Array(Math.min(this.#maxBlocks, Math.max(16, 2 * this.#count)));
      grown.set(this.#hashes);
      this.#hashes = grown;
    }
    this.#hashes[this.#count] = this.#chain;
    this.#count += 1;
  }
}

/** A number for a text, the same for the same text. */
export function textSeed(text: string): number {
  let hash = PRIME_4;
  for (let index = 0; index < text.length; index += 1) hash = round(hash, text.charCodeAt(index));
  return avalanche(hash);
}

/** A hash of `[start, end)`, whole words, that goes on from `seed`. */
function hashOf(view: DataView, range: { readonly start: number; readonly end: number }, seed: number): number {
  const { end } = range;
  let at = range.start;
  let a = (seed + PRIME_1 + PRIME_2) | 0;
  let b = (seed + PRIME_2) | 0;
  let c = seed;
  let d = (seed - PRIME_1) | 0;
  for (; at + LANES_BYTES <= end; at += LANES_BYTES) {
    a = round(a, view.getInt32(at, true));
    b = round(b, view.getInt32(at + 4, true));
    c = round(c, view.getInt32(at + 8, true));
    d = round(d, view.getInt32(at + 12, true));
  }
  let hash = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0;
  for (; at < end; at += WORD_BYTES) hash = round(hash, view.getInt32(at, true));
  return avalanche(hash);
}

function round(lane: number, word: number): number {
  return Math.imul(rotate((lane + Math.imul(word, PRIME_2)) | 0, 13), PRIME_1);
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function avalanche(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 15), PRIME_2);
  mixed = Math.imul(mixed ^ (mixed >>> 13), PRIME_3);
  return mixed ^ (mixed >>> 16);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
