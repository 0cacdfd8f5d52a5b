// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import { Endpoint } from '../../endpoints/endpoint.ts';
import type { EngineMetrics } from '../../endpoints/endpoint.ts';
import type { InferenceRequest } from '../../request/inference-request.ts';
import { PromptHasher } from '../../request/prompt-prefix.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { prefixCacheScorer } from '../scorers/prefix-cache-scorer.ts';
import { approxPrefixCacheProducer } from './approx-prefix-cache-producer.ts';

const BLOCK_BYTES = 256;

function endpoint(name: string, cache?: EngineMetrics['cache']): Endpoint {
  const made = new Endpoint({ name, url: `http://${name}.test`, labels: {} });
  if (cache !== undefined) made.noteMetrics({ waiting: 0, running: 0, cache }, 0, 0);
  return made;
}

/** A request whose prompt has a block for each letter. */
function asking(letters: string, targetModel = 'm'): InferenceRequest {
  const hasher = new PromptHasher({ blockBytes: BLOCK_BYTES, maxBlocks: 1000, expectedBytes: 0 });
  for (const letter of letters) hasher.update(new Uint8Array(BLOCK_BYTES).fill(letter.charCodeAt(0)));
  return {
    ...{ id: 'r', fairnessId: 'a', priority: 0, model: targetModel, targetModel },
    ...{ sizeBytes: 1, sequences: 1, receivedMs: 0, prefix: hasher.finish() },
  };
}

test('an endpoint is known to have what was sent to it, and the others nothing', () => {
  const producer = instanceOf(approxPrefixCacheProducer);
  const [a, b] = [endpoint('a'), endpoint('b')];
  assert.equal(producer.dispatched?.(asking('systemx'), a, 0)?.matchedBytes, 0);
  assert.equal(producer.matchedBlocks(asking('systemy'), a), 6);
  assert.equal(producer.matchedBlocks(asking('systemx'), b), 0);
  const match = producer.dispatched?.(asking('systemyz'), a, 0);
  assert.deepEqual(match, { producer, matchedBytes: 6 * BLOCK_BYTES, promptBytes: 8 * BLOCK_BYTES });
});

test('the same prompt for another model is another prompt', () => {
  const producer = instanceOf(approxPrefixCacheProducer);
  const a = endpoint('a');
  producer.dispatched?.(asking('prompt', 'm'), a, 0);
  assert.equal(producer.matchedBlocks(asking('prompt', 'adapter'), a), 0);
  assert.equal(producer.matchedBlocks(asking('prompt', 'm'), a), 6);
});

test('what an engine says of its cache is how much of it is remembered', () => {
  const producer = instanceOf(approxPrefixCacheProducer);
  // 16 blocks of 16 tokens hold four blocks of 64.
  const small = endpoint('small', { blockTokens: 16, blocks: 16 });
  producer.dispatched?.(asking('abcdef'), small, 0);
  assert.equal(producer.matchedBlocks(asking('abcdef'), small), 4);
  assert.equal(producer.remembered?.(small), 4);
  const untuned = instanceOf(approxPrefixCacheProducer, { parameters: { autoTune: false, lruCapacityPerServer: 2 } });
  untuned.dispatched?.(asking('abcdef'), small, 0);
  assert.equal(untuned.matchedBlocks(asking('abcdef'), small), 2);
});

test('blocks are as large as the engines say, but not below 64 tokens', () => {
  const wish = (parameters: Readonly<Record<string, unknown>>, ...endpoints: Endpoint[]) =>
    instanceOf(approxPrefixCacheProducer, { parameters }).prompts?.(endpoints);
  const maxBytes = 131_072 * 4;
  assert.deepEqual(wish({}, endpoint('a')), { blockBytes: 256, maxBytes });
  assert.deepEqual(wish({}, endpoint('a', { blockTokens: 16, blocks: 1 })), { blockBytes: 256, maxBytes });
  const hybrid = endpoint('b', { blockTokens: 784, blocks: 1 });
  assert.deepEqual(wish({}, endpoint('a'), hybrid), { blockBytes: 3136, maxBytes });
  assert.deepEqual(wish({ autoTune: false }, hybrid), { blockBytes: 64, maxBytes });
  const inBlocks = { autoTune: false, maxPrefixTokensToMatch: 0, maxPrefixBlocksToMatch: 10 };
  assert.deepEqual(wish(inBlocks, hybrid), { blockBytes: 64, maxBytes: 640 });
});

test('no more of a prompt is looked at than wanted', () => {
  const producer = instanceOf(approxPrefixCacheProducer, { parameters: { maxPrefixTokensToMatch: 3 * 64 } });
  assert.equal(producer.blocksOf(asking('abcdef')), 3);
  const request = asking('abcdef');
  assert.equal(producer.blocksOf({ ...request, prefix: undefined }), 0);
  assert.equal(producer.dispatched?.({ ...request, prefix: undefined }, endpoint('a'), 0), undefined);
});

test('the prefix cache scorer rates by the share of the prompt that should be cached', () => {
  const producer = instanceOf(approxPrefixCacheProducer);
  const scorer = instanceOf(prefixCacheScorer, { others: [producer] });
  const endpoints = [endpoint('a'), endpoint('b'), endpoint('c')] as const;
  producer.dispatched?.(asking('abcd'), endpoints[0], 0);
  producer.dispatched?.(asking('ab'), endpoints[1], 0);
  const scores = new Float64Array(3);
  scorer.score(asking('abcd'), endpoints, scores);
  assert.deepEqual([...scores], [1, 0.5, 0]);
});

test('with a weight for its length, a long match counts more than its share, by its square', () => {
  const producer = instanceOf(approxPrefixCacheProducer);
  const parameters = { matchLengthWeight: 0.5, matchLengthScaleTokens: 8 * 64 };
  const scorer = instanceOf(prefixCacheScorer, { others: [producer], parameters });
  const a = endpoint('a');
  producer.dispatched?.(asking('abcd'), a, 0);
  const scores = new Float64Array(1);
  scorer.score(asking('abcdefgh'), [a], scores);
  assert.deepEqual([...scores], [0.5 * 0.5 + 0.5 * 0.25]);
});

test('a prompt without a whole block is rated 0 everywhere', () => {
  const scorer = instanceOf(prefixCacheScorer, { others: [instanceOf(approxPrefixCacheProducer)] });
  const scores = new Float64Array(2);
  scorer.score(asking(''), [endpoint('a'), endpoint('b')], scores);
  assert.deepEqual([...scores], [0, 0]);
});

test('a producer that knows nothing of prefixes is refused by name', () => {
  const parameters = { prefixMatchInfoProducerName: 'loads' };
  const others = [{ type: 'inflight-load-producer', name: 'loads' }];
  assert.throws(
    () => instanceOf(prefixCacheScorer, { parameters, others }),
    /'loads' \(type: inflight-load-producer\) does not know what is cached/,
  );
});
