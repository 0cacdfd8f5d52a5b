// SPDX-License-Identifier: Apache-2.0

/**
 * What simulated prompts say, as far as anybody compares it: at every place an id, equal in two prompts that are equal up
 * to there. Made into the hashes that the scheduler would make of the bytes, and into the blocks of a server's cache.
 */

import type { PromptPrefix, PromptWish } from '@fairlead/core';
import type { PromptBlocks } from '@fairlead/core/testing';

/** Bytes of a prompt's token in a body. */
export const BYTES_PER_TOKEN = 4;
/** Tokens of a block of a Mooncake trace. */
const TRACE_BLOCK_TOKENS = 512;

export interface PromptContents {
  /** Of the part that all prompts of a tenant share. */
  readonly sharedId: number;
  readonly sharedTokens: number;
  /** Of the rest: the request's own. */
  readonly ownId: number;
  /** In place of all that: ids of blocks, as a trace tells them. */
  readonly traceBlocks?: readonly number[] | undefined;
}

/** What the scheduler would hash of the prompt. */
export function prefixOf(contents: PromptContents, promptTokens: number, wish: PromptWish): PromptPrefix {
  const bytes = Math.min(wish.maxBytes, promptTokens * BYTES_PER_TOKEN);
  const hashes = new Uint32Array(Math.floor(bytes / wish.blockBytes));
  for (let index = 0; index < hashes.length; index += 1) {
    hashes[index] = hashAt(contents, ((index + 1) * wish.blockBytes) / BYTES_PER_TOKEN, index);
  }
  return { blockBytes: wish.blockBytes, blocks: Math.ceil(bytes / wish.blockBytes), hashes };
}

/** The prompt as a server's cache knows it, in blocks of so many tokens. */
export function blocksOf(contents: PromptContents, promptTokens: number, blockTokens: number): PromptBlocks {
  const count = Math.floor(promptTokens / blockTokens);
  const hashes = new Uint32Array(count);
  for (let index = 0; index < count; index += 1) hashes[index] = hashAt(contents, (index + 1) * blockTokens, index);
  return { blockTokens, hashes };
}

/** Of block `index`, which ends at that token. */
function hashAt(
  { sharedId, sharedTokens, ownId, traceBlocks }: PromptContents,
  endToken: number,
  index: number,
): number {
  if (traceBlocks === undefined) return mixed(endToken <= sharedTokens ? sharedId : ownId, index);
  return mixed(traceBlocks[Math.floor((endToken - 1) / TRACE_BLOCK_TOKENS)] ?? ownId, index);
}

function mixed(id: number, index: number): number {
  const hash = Math.imul(id ^ Math.imul(index + 1, 0x9e3779b1), 0x85ebca6b);
  return (Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35) ^ (id >>> 7)) >>> 0;
}
