// SPDX-License-Identifier: Apache-2.0

/**
 * How much of a prompt does each server have in its cache? Remembers, for each endpoint, the blocks of the prompts that
 * were sent to it, and takes for cached what a cache of the same size would still hold: no server is asked. Made by
 * itself as soon as a plugin refers to it, such as prefix-cache-scorer.
 *
 * A prompt's bytes are hashed block by block before the request waits, four bytes standing for a token; a token of
 * another model or another `cache_salt` never matches. What is remembered takes 24 bytes a block, `lruCapacityPerServer`
 * blocks an endpoint, and goes with the endpoint.
 */

import type { Endpoint } from '../../endpoints/endpoint.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';
import { textSeed } from '../../request/prompt-prefix.ts';
import type { InferenceRequest } from '../../request/inference-request.ts';
import type { PrefixProducer } from '../../scheduling/contracts.ts';
import { RecentBlocks } from './recent-blocks.ts';

/** The reference's guess, for English and most tokenizers. */
const BYTES_PER_TOKEN = 4;
/** Smaller blocks cost memory and tell no more. */
const MIN_TUNED_BLOCK_TOKENS = 64;
/** However many blocks an engine says it has: 6 MB. */
const MAX_CAPACITY = 262_144;

export const approxPrefixCacheProducer = definePlugin({
  type: 'approx-prefix-cache-producer',
  kinds: ['producer'],
  stability: 'beta',
  summary: 'Knows which prompts were sent to which endpoint, as far as its cache should still hold them.',
  parameters: {
    autoTune: {
      type: 'boolean',
      default: true,
      doc: "Take block size and capacity from the engines' own metrics where they tell, blocks not below 64 tokens.",
    },
    blockSizeTokens: { type: 'integer', default: 16, min: 1, max: 65_536, doc: 'Tokens of a block.' },
    maxPrefixTokensToMatch: {
      type: 'integer',
      default: 131_072,
      min: 0,
      max: 4_194_304,
      doc: 'Tokens of a prompt that are looked at; 0: as many blocks as `maxPrefixBlocksToMatch` says.',
    },
    maxPrefixBlocksToMatch: {
      type: 'integer',
      default: 2048,
      min: 1,
      max: 65_536,
      doc: 'Deprecated in the reference: the same in blocks, when `maxPrefixTokensToMatch` is 0.',
    },
    lruCapacityPerServer: {
      type: 'integer',
      default: 31_250,
      min: 1,
      max: MAX_CAPACITY,
      doc: 'Blocks remembered of an endpoint whose cache is not known.',
    },
  },
  create: ({ type, name, parameters, random }): PrefixProducer => {
    const secret = Math.floor(random() * 2 ** 32);
    const { autoTune, blockSizeTokens, maxPrefixTokensToMatch, maxPrefixBlocksToMatch } = parameters;
    const memory = `${type} ${name}`;
    const recentAt = ({ memories }: Endpoint): RecentBlocks | undefined => {
      const known = memories.get(memory);
      return known instanceof RecentBlocks ? known : undefined;
    };
    const blockTokens = (endpoints: readonly Endpoint[]): number => {
      if (!autoTune) return blockSizeTokens;
      let tokens = 0;
      for (const { metrics } of endpoints) tokens = Math.max(tokens, metrics?.cache?.blockTokens ?? 0);
      return Math.max(MIN_TUNED_BLOCK_TOKENS, tokens === 0 ? blockSizeTokens : tokens);
    };
    const capacityOf = ({ metrics }: Endpoint, blockBytes: number): number => {
      const cache = autoTune ? metrics?.cache : undefined;
      if (cache === undefined) return parameters.lruCapacityPerServer;
      const blocks = Math.floor((cache.blocks * cache.blockTokens * BYTES_PER_TOKEN) / blockBytes);
      return Math.min(MAX_CAPACITY, Math.max(1, blocks));
    };
    const mostBlocks = (blockBytes: number): number =>
      maxPrefixTokensToMatch > 0
        ? Math.floor((maxPrefixTokensToMatch * BYTES_PER_TOKEN) / blockBytes)
        : maxPrefixBlocksToMatch;
    const matchedIn = (known: RecentBlocks | undefined, { prefix, targetModel }: InferenceRequest): number => {
      if (known === undefined || prefix === undefined) return 0;
      const blocks = Math.min(mostBlocks(prefix.blockBytes), prefix.hashes.length);
      return known.matched(prefix.hashes, blocks, textSeed(targetModel));
    };

    return {
      type,
      name,
      prompts: (endpoints) => {
        const blockBytes = blockTokens(endpoints) * BYTES_PER_TOKEN;
        const maxBytes =
          maxPrefixTokensToMatch > 0 ? maxPrefixTokensToMatch * BYTES_PER_TOKEN : maxPrefixBlocksToMatch * blockBytes;
        return { blockBytes, maxBytes };
      },
      blocksOf: ({ prefix }) => (prefix === undefined ? 0 : Math.min(mostBlocks(prefix.blockBytes), prefix.blocks)),
      matchedBlocks: (request, endpoint) => matchedIn(recentAt(endpoint), request),
      dispatched(request, endpoint) {
        const { prefix } = request;
        if (prefix === undefined || prefix.blocks === 0) return undefined;
        const { blockBytes } = prefix;
        const capacity = capacityOf(endpoint, blockBytes);
        const known = recentAt(endpoint) ?? new RecentBlocks(capacity, secret);
        endpoint.memories.set(memory, known);
        known.capacity = capacity;
        const matched = matchedIn(known, request);
        const blocks = Math.min(mostBlocks(blockBytes), prefix.hashes.length);
        known.use(prefix.hashes, blocks, textSeed(request.targetModel));
        return { producer: this, matchedBytes: matched * blockBytes, promptBytes: this.blocksOf(request) * blockBytes };
      },
      remembered: (endpoint) => recentAt(endpoint)?.size ?? 0,
    };
  },
});
