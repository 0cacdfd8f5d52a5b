// SPDX-License-Identifier: Apache-2.0

/**
 * Where is most of the prompt in the cache already? Rates an endpoint by the share of the prompt's blocks that it should
 * have: matched ÷ total, and with a `matchLengthWeight` w, w × min(1, matched tokens ÷ `matchLengthScaleTokens`)² beside
 * (1 − w) times that. Choose it wherever prompts share beginnings (system prompts, chats that go on, documents asked
 * about) and engines keep a prefix cache. It holds nothing itself: which blocks an endpoint has is the producer's
 * knowledge. A part of
 * a block counts as one that is not cached, so that short prompts weigh less; a prompt seen nowhere yet is rated 0
 * everywhere and leaves the choice to others.
 */

import type { Endpoint } from '../../endpoints/endpoint.ts';
import type { PrefixProducer, Scorer } from '../../scheduling/contracts.ts';
import { definePlugin, PluginError } from '../../plugin-registry/plugin.ts';
import type { Plugin } from '../../plugin-registry/plugin.ts';
import { approxPrefixCacheProducer } from '../producers/approx-prefix-cache-producer.ts';

const BYTES_PER_TOKEN = 4;

export const prefixCacheScorer = definePlugin({
  type: 'prefix-cache-scorer',
  kinds: ['scorer'],
  stability: 'beta',
  summary: 'Prefers endpoints that should have much of the prompt in their cache.',
  parameters: {
    prefixMatchInfoProducerName: {
      type: 'plugin-ref',
      kind: 'producer',
      default: approxPrefixCacheProducer.type,
      doc: 'The producer that knows what is cached; made with its defaults when there is none of that name.',
    },
    matchLengthWeight: {
      type: 'number',
      default: 0,
      min: 0,
      max: 1,
      doc: 'How much of the score is the length of the match, rather than its share of the prompt.',
    },
    matchLengthScaleTokens: {
      type: 'integer',
      default: 8192,
      min: 1,
      doc: 'Tokens of a match that count as the longest; the 95th percentile of prompt lengths is a good choice.',
    },
  },
  create: ({ type, name, handle, parameters }): Scorer => {
    const { prefixMatchInfoProducerName, matchLengthWeight, matchLengthScaleTokens } = parameters;
    const producer = handle.get(prefixMatchInfoProducerName, 'producer');
    if (!knowsPrefixes(producer)) {
      throw new PluginError(
        `prefixMatchInfoProducerName: '${producer.name}' (type: ${producer.type}) does not know what is cached`,
      );
    }
    return {
      type,
      name,
      score: (request, endpoints, scores) => {
        const total = producer.blocksOf(request);
        if (total === 0) return;
        const blockTokens = (request.prefix?.blockBytes ?? 0) / BYTES_PER_TOKEN;
        for (let index = 0; index < endpoints.length; index += 1) {
          const matched = producer.matchedBlocks(request, endpoints[index] as Endpoint);
          const length = Math.min(1, (matched * blockTokens) / matchLengthScaleTokens);
          scores[index] = (1 - matchLengthWeight) * (matched / total) + matchLengthWeight * length ** 2;
        }
      },
    };
  },
});

function knowsPrefixes(producer: Plugin): producer is PrefixProducer {
  return 'matchedBlocks' in producer && 'blocksOf' in producer;
}
