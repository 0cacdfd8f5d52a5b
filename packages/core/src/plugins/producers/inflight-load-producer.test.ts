// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { PluginError } from '../../plugin-registry/plugin.ts';
import type { InferenceRequest } from '../../request/inference-request.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { inflightLoadProducer } from './inflight-load-producer.ts';

const request = (fields: Partial<InferenceRequest>): InferenceRequest => ({
  ...{ id: 'r', fairnessId: 'a', priority: 0, model: 'm', targetModel: 'm' },
  ...{ sizeBytes: 4000, sequences: 1, receivedMs: 0 },
  ...fields,
});

function tokens(fields: Partial<InferenceRequest>, parameters: Readonly<Record<string, unknown>> = {}): number {
  return instanceOf(inflightLoadProducer, { parameters }).tokensOf(request(fields));
}

test('a request counts for a quarter of its bytes, rounded up, and for one token at least', () => {
  assert.deepEqual(
    [4000, 4001, 1, 0].map((sizeBytes) => tokens({ sizeBytes })),
    [1000, 1001, 1, 1],
  );
});

test('who knows the tokens of the input better is believed', () => {
  assert.equal(tokens({ inputTokens: 7 }), 7);
});

test('the expected answer is counted only when asked for, at most as long as client and operator allow', () => {
  const counted = { addEstimatedOutputTokens: true };
  assert.equal(tokens({ maxOutputTokens: 10 }), 1000);
  assert.equal(tokens({}, counted), 2500);
  assert.equal(tokens({}, { ...counted, outputRatio: 0.25 }), 1250);
  assert.equal(tokens({ maxOutputTokens: 10 }, counted), 1010);
  assert.equal(tokens({}, { ...counted, maxEstimatedOutputTokens: 100 }), 1100);
  assert.equal(tokens({ maxOutputTokens: 10 }, { ...counted, maxEstimatedOutputTokens: 100 }), 1010);
});

test('whatever a client says, it counts for a whole number that can be summed', () => {
  const sizes = fc.record({
    sizeBytes: fc.nat(2 ** 31 - 1),
    maxOutputTokens: fc.option(fc.maxSafeNat(), { nil: undefined }),
  });
  fc.assert(
    fc.property(sizes, fc.double({ min: 0, noNaN: true }), (fields, outputRatio) => {
      const count = tokens(fields, { addEstimatedOutputTokens: true, outputRatio });
      assert.ok(Number.isInteger(count) && count >= 1 && count <= 1e9, String(count));
    }),
  );
});

test('not counting what a prefix cache holds is refused with a word of what is done instead', () => {
  assert.throws(
    () => tokens({}, { prefixMatchInfoProducerName: 'precise' }),
    (error) => error instanceof PluginError && /the whole input is counted, cached or not/.test(error.message),
  );
});
