// SPDX-License-Identifier: Apache-2.0

/** A server's prefix cache: blocks of prompts, the least recently used forgotten first. */

/** A prompt by its contents: two prompts whose hash of block `i` is equal are equal up to the end of it. */
export interface PromptBlocks {
  readonly blockTokens: number;
  readonly hashes: readonly number[];
}

export class PrefixCache {
  readonly #maxTokens: number;
  /** In order of use. */
  readonly #tokensOf = new Map<number, number>();
  #tokens = 0;

  constructor(maxTokens: number) {
    this.#maxTokens = maxTokens;
  }

  /** Takes a prompt in; how many tokens of it were there, from its beginning on. */
  admit({ blockTokens, hashes }: PromptBlocks): number {
    if (this.#maxTokens === 0) return 0;
    let found = 0;
    while (found < hashes.length && this.#tokensOf.has(hashes[found]!)) found += 1;
    for (const hash of hashes) {
      this.#tokens += blockTokens - (this.#tokensOf.get(hash) ?? 0);
      this.#tokensOf.delete(hash);
      this.#tokensOf.set(hash, blockTokens);
    }
    for (const [hash, tokens] of this.#tokensOf) {
      if (this.#tokens <= this.#maxTokens) break;
      this.#tokensOf.delete(hash);
      this.#tokens -= tokens;
    }
    return found * blockTokens;
  }

  clear(): void {
    this.#tokensOf.clear();
    this.#tokens = 0;
  }
}
