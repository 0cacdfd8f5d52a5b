// SPDX-License-Identifier: Apache-2.0

/**
 * A prefix cache as vLLM keeps one: prompts are cut into blocks, each known by a hash of itself and all before it, and a
 * prompt whose first blocks are there need not be computed so far. The blocks used longest ago go first, the end of a
 * prompt before its beginning. Memory of its own, beside the KV blocks of what runs; a prompt counts as cached from the
 * moment its sequence is admitted.
 */

import { hash } from 'node:crypto';
import { BLOCK_TOKENS } from './engine.ts';
import type { PromptStore } from './engine.ts';

/** Four bytes of text stand for a token here. */
const BLOCK_BYTES = 4 * BLOCK_TOKENS;

export class PrefixCache implements PromptStore {
  readonly #capacity: number;
  /** In order of use, the latest last. */
  readonly #blocks = new Set<string>();
  /** Tokens looked for and found, ever. */
  queriedTokens = 0;
  foundTokens = 0;

  /** Holds so many blocks. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /**
   * Takes a prompt's blocks in; returns the tokens that were there. At least one token is always computed, so a prompt
   * that is all there has its last block computed.
   */
  admit(blocks: readonly string[], promptTokens: number): number {
    const missing = blocks.findIndex((block) => !this.#blocks.has(block));
    const known = missing < 0 ? blocks.length : missing;
    const found = Math.min(known * BLOCK_TOKENS, Math.floor((promptTokens - 1) / BLOCK_TOKENS) * BLOCK_TOKENS);
    this.queriedTokens += promptTokens;
    this.foundTokens += found;
    for (const block of blocks.slice(0, this.#capacity).reverse()) {
      this.#blocks.delete(block);
      this.#blocks.add(block);
    }
    for (const oldest of this.#blocks) {
      if (this.#blocks.size <= this.#capacity) break;
      this.#blocks.delete(oldest);
    }
    return found;
  }
}

/** The hashes of a prompt's whole blocks; what is computed for one `salt` (model, tenant) is not used for another. */
export function promptBlocks(prompt: unknown, salt: string): string[] {
  const text = Buffer.from(textOf(prompt));
  const blocks: string[] = [];
  let chain = salt;
  for (let end = BLOCK_BYTES; end <= text.length; end += BLOCK_BYTES) {
    chain = hash('sha1', `${chain}\n${text.toString('latin1', end - BLOCK_BYTES, end)}`, 'base64');
    blocks.push(chain);
  }
  return blocks;
}

/** As many bytes as the prompt is counted for. */
function textOf(prompt: unknown): string {
  if (typeof prompt === 'string') return prompt;
  if (!Array.isArray(prompt)) return '';
  return (prompt as readonly unknown[]).map(partOf).join('');
}

/** A token, a text, a message, or a part of one. */
function partOf(part: unknown): string {
  if (typeof part === 'string' || Array.isArray(part)) return textOf(part);
  if (typeof part === 'number') return String(part).slice(-4).padStart(4);
  if (typeof part !== 'object' || part === null) return '';
  const { content, text } = part as { content?: unknown; text?: unknown };
  return typeof text === 'string' ? text : textOf(content);
}
