// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { CostHistory, CostModel, saneUsage } from './cost-model.ts';
import { MOST_TOKENS } from './tokens-spent.ts';
import type { InferenceRequest, Usage } from './inference-request.ts';
import type { Ending } from './permit.ts';

const model = new CostModel();

function request(fields: Partial<InferenceRequest> = {}): InferenceRequest {
  const ids = { id: 'r', fairnessId: 'a', priority: 0, model: 'm', targetModel: 'm' };
  return { ...ids, sizeBytes: 4_000, sequences: 1, receivedMs: 0, ...fields };
}

interface Told {
  readonly ending?: Ending;
  readonly usage?: Usage;
  readonly streamedTokens?: number;
}

function actual({ ending = 'succeeded', usage, streamedTokens }: Told, of = request()): number {
  const estimate = model.estimate(of, new CostHistory());
  return model.actual(of, { estimate, ending, usage, streamedTokens });
}

test('an input token costs 1, one from the cache 0.1, an output token 2', () => {
  assert.equal(actual({ usage: { promptTokens: 1000, completionTokens: 100 } }), 1200);
  assert.equal(actual({ usage: { promptTokens: 1000, cachedTokens: 900, completionTokens: 100 } }), 390);
});

test('before a flow is known its input is estimated by its size, its answer by what the caller allows', () => {
  assert.equal(model.estimate(request({ maxOutputTokens: 10 }), new CostHistory()).cost, 1020);
  assert.equal(model.estimate(request({ maxOutputTokens: 10, sequences: 4 }), new CostHistory()).cost, 1080);
  assert.equal(model.estimate(request({ inputTokens: 7, maxOutputTokens: 0 }), new CostHistory()).cost, 7);
  // Nobody produces a million tokens because he may.
  assert.equal(model.estimate(request({ maxOutputTokens: 1e6 }), new CostHistory()).cost, 1512);
});

test('a flow is known by what its requests really were: length of answers, bytes to a token, share of the cache', () => {
  const history = new CostHistory();
  const usage = { promptTokens: 2000, cachedTokens: 1000, completionTokens: 40 };
  for (let count = 0; count < 3; count += 1) {
    const estimate = model.estimate(request(), history);
    model.learn(history, request(), { estimate, ending: 'succeeded', usage, streamedTokens: undefined });
  }
  const { cost, outputTokens } = model.estimate(request(), history);
  assert.ok(
    Math.abs(
      cost -
        model.actual(request(), {
          estimate: { cost, inputCost: 0, outputTokens },
          ending: 'succeeded',
          usage,
          streamedTokens: undefined,
        }),
    ) < 1e-6,
  );
  assert.equal(model.estimate(request({ maxOutputTokens: 5 }), history).outputTokens, 5);
});

test('a client that leaves early pays for its prompt and for what it has seen', () => {
  assert.equal(actual({ ending: 'cancelled', streamedTokens: 30 }), 1060);
  // Anthropic streams tell the prompt first, and a first count of the answer with it.
  const begun = { promptTokens: 500, completionTokens: 1 };
  assert.equal(actual({ ending: 'cancelled', usage: begun, streamedTokens: 30 }), 560);
  // Nobody saw how far it came.
  assert.equal(actual({ ending: 'cancelled' }), 1512);
});

test('a failure costs what came of it, and is never quite free', () => {
  assert.equal(actual({ ending: 'failed' }), 1);
  assert.equal(actual({ ending: 'failed', streamedTokens: 50 }), 1100);
  assert.equal(actual({ ending: 'succeeded', usage: { promptTokens: 0 } }), 1);
});

test('what streams beyond the estimate is charged, and what does not is not', () => {
  const estimate = model.estimate(request({ maxOutputTokens: 10 }), new CostHistory());
  assert.equal(model.soFar(estimate, 5), 1020);
  assert.equal(model.soFar(estimate, 100), 1200);
});

test('images cost what they are said to, when the request has a prompt at all', () => {
  const dear = new CostModel({ inputToken: 1, cachedInputToken: 1, outputToken: 1, image: 500 });
  const withImages = request({ images: 2, maxOutputTokens: 0 });
  const estimate = dear.estimate(withImages, new CostHistory());
  assert.equal(estimate.cost, 2000);
  const facts = { estimate, ending: 'succeeded' as const, streamedTokens: undefined };
  assert.equal(dear.actual(withImages, { ...facts, usage: { promptTokens: 10, completionTokens: 0 } }), 1010);
});

test('absurd usage is brought within bounds, and usage that is not is left as it is', () => {
  const usage = { promptTokens: 5, completionTokens: 6 };
  assert.equal(saneUsage(usage), usage);
  assert.equal(saneUsage(undefined), undefined);
  assert.deepEqual(saneUsage({ promptTokens: -5, completionTokens: 1e12, cachedTokens: NaN }), {
    promptTokens: 0,
    completionTokens: MOST_TOKENS,
    cachedTokens: 0,
  });
});

test('every cost is a finite number of at least 1, whatever is asked and told', () => {
  const tokens = fc.option(fc.oneof(fc.double(), fc.constantFrom(-1, 0, 1e12)), { nil: undefined });
  const anyUsage = fc.record({ promptTokens: tokens, completionTokens: tokens, cachedTokens: tokens });
  const ending = fc.constantFrom<Ending>('succeeded', 'failed', 'cancelled');
  fc.assert(
    fc.property(
      fc.record({ told: anyUsage, how: ending, streamedTokens: tokens, maxOutputTokens: tokens }),
      ({ told, how, streamedTokens, maxOutputTokens }) => {
        const history = new CostHistory();
        const of = request({ maxOutputTokens });
        for (let count = 0; count < 2; count += 1) {
          const estimate = model.estimate(of, history);
          const facts = { estimate, ending: how, usage: saneUsage(told), streamedTokens };
          for (const cost of [estimate.cost, model.actual(of, facts), model.soFar(estimate, streamedTokens ?? 0)])
            assert.ok(cost >= 1 && cost <= 1e9, `${cost}`);
          model.learn(history, of, facts);
        }
      },
    ),
  );
});
