// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import { Endpoint, type EngineMetrics } from '../../endpoints/endpoint.ts';
import type { InferenceRequest } from '../../request/inference-request.ts';
import type { Scorer } from '../../scheduling/contracts.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { activeRequestScorer } from './active-request-scorer.ts';
import { kvCacheUtilizationScorer } from './kv-cache-utilization-scorer.ts';
import { loadAwareScorer } from './load-aware-scorer.ts';
import { loraAffinityScorer } from './lora-affinity-scorer.ts';
import { queueScorer } from './queue-scorer.ts';
import { runningRequestsSizeScorer } from './running-requests-size-scorer.ts';
import { tokenLoadScorer } from './token-load-scorer.ts';

const request: InferenceRequest = {
  ...{ id: 'r', fairnessId: 'a', priority: 0, model: 'm', targetModel: 'm' },
  ...{ sizeBytes: 1, sequences: 1, receivedMs: 0 },
};

/** An endpoint with these metrics, or one that never told. */
function endpoint(metrics?: Partial<EngineMetrics>, requestsInFlight = 0): Endpoint {
  const made = new Endpoint({ name: 'e', url: 'http://e.test', labels: {} });
  for (let taken = 0; taken < requestsInFlight; taken += 1) made.take(1);
  if (metrics !== undefined) made.noteMetrics({ waiting: 0, running: 0, ...metrics }, made.dispatched, 0);
  return made;
}

function scores(scorer: Scorer, endpoints: readonly Endpoint[]): number[] {
  const written = new Float64Array(endpoints.length).fill(-1);
  scorer.score(request, endpoints, written);
  return [...written].map((score) => Math.round(score * 1000) / 1000);
}

const queued = (...waiting: (number | undefined)[]) =>
  waiting.map((count) => endpoint(count === undefined ? undefined : { waiting: count }));

test('the queue scorer rates the shortest queue 1, the longest 0 and the others between', () => {
  assert.deepEqual(scores(instanceOf(queueScorer), queued(0, 4, 1)), [1, 0, 0.75]);
});

test('the queue scorer rates equal queues 1, known or not', () => {
  assert.deepEqual(scores(instanceOf(queueScorer), queued(3, 3)), [1, 1]);
  assert.deepEqual(scores(instanceOf(queueScorer), queued(undefined, undefined)), [1, 1]);
});

test('the queue scorer rates an endpoint that never told like the longest queue', () => {
  assert.deepEqual(scores(instanceOf(queueScorer), queued(undefined, 0, 4)), [0, 1, 0]);
  assert.deepEqual(scores(instanceOf(queueScorer), queued(undefined, 7)), [1, 1]);
});

test('the queue scorer sees what was dispatched since the reading', () => {
  const [busy, calm] = queued(0, 2) as [Endpoint, Endpoint];
  busy.take(6);
  assert.deepEqual(scores(instanceOf(queueScorer), [busy, calm]), [0, 1]);
});

test('the KV cache scorer rates by what is free, and who does not tell like the worst', () => {
  const endpoints = [endpoint({ kvUsage: 0.25 }), endpoint({ kvUsage: 0.9 }), endpoint(), endpoint({})];
  assert.deepEqual(scores(instanceOf(kvCacheUtilizationScorer), endpoints), [0.75, 0.1, 0.1, 0.1]);
});

test('the KV cache scorer rates all alike when none tells', () => {
  assert.deepEqual(scores(instanceOf(kvCacheUtilizationScorer), [endpoint(), endpoint({})]), [1, 1]);
});

const busy = (...requests: number[]) => requests.map((count) => endpoint(undefined, count));

test('the active request scorer rates idle endpoints 1 and the busiest 0', () => {
  assert.deepEqual(scores(instanceOf(activeRequestScorer), busy(0, 4, 1)), [1, 0, 0.75]);
  assert.deepEqual(scores(instanceOf(activeRequestScorer), busy(0, 0)), [1, 1]);
});

test('the active request scorer counts a few requests as idle and holds busy ones below a score, when told so', () => {
  const scorer = instanceOf(activeRequestScorer, { parameters: { idleThreshold: 2, maxBusyScore: 0.5 } });
  assert.deepEqual(scores(scorer, busy(2, 3, 6)), [1, 0.25, 0]);
});

const running = (...counts: (number | undefined)[]) =>
  counts.map((count) => endpoint(count === undefined ? undefined : { running: count }));

test('the running requests scorer rates the fewest 1, the most 0, the others between, and equals alike', () => {
  const scorer = instanceOf(runningRequestsSizeScorer);
  assert.deepEqual(scores(scorer, running(0, 4, 1)), [1, 0, 0.75]);
  assert.deepEqual(scores(scorer, running(3, 3)), [1, 1]);
});

test('the running requests scorer rates an endpoint that never told like the busiest', () => {
  assert.deepEqual(scores(instanceOf(runningRequestsSizeScorer), running(undefined, 0, 4)), [0, 1, 0]);
});

test('the running requests scorer sees what started and finished since the reading, but not what only queues', () => {
  const [full, freed] = [endpoint({ waiting: 1, running: 4 }), endpoint({ running: 8 }, 6)];
  full.take(9);
  for (let done = 0; done < 6; done += 1) freed.release(1);
  assert.deepEqual([full.runningEstimate(), freed.runningEstimate()], [4, 2]);
  assert.deepEqual(scores(instanceOf(runningRequestsSizeScorer), [full, freed]), [0, 1]);
});

test('the load aware scorer rates an empty queue 0.5, and down to 0 at the threshold and beyond', () => {
  assert.deepEqual(scores(instanceOf(loadAwareScorer), queued(0, 32, 128, 500)), [0.5, 0.375, 0, 0]);
  const strict = instanceOf(loadAwareScorer, { parameters: { threshold: 4 } });
  assert.deepEqual(scores(strict, queued(0, 1)), [0.5, 0.375]);
});

test('the load aware scorer rates an endpoint that never told like the longest queue, and all alike when none tells', () => {
  assert.deepEqual(scores(instanceOf(loadAwareScorer), queued(undefined, 64, 32)), [0.25, 0.25, 0.375]);
  assert.deepEqual(scores(instanceOf(loadAwareScorer), queued(undefined, undefined)), [0.5, 0.5]);
});

test('the load aware scorer sees what was dispatched since the reading', () => {
  const [busy, calm] = queued(0, 2) as [Endpoint, Endpoint];
  busy.take(64);
  assert.deepEqual(scores(instanceOf(loadAwareScorer), [busy, calm]), [0.25, 0.492]);
});

test('the token load scorer rates by the tokens in flight, none 1, the threshold and beyond 0', () => {
  const holding = (tokens: number) => {
    const made = endpoint();
    if (tokens > 0) made.take(1, tokens);
    return made;
  };
  const endpoints = [0, 250, 1000, 5000].map(holding);
  const scorer = instanceOf(tokenLoadScorer, { parameters: { queueThresholdTokens: 1000 } });
  assert.deepEqual(scores(scorer, endpoints), [1, 0.75, 0, 0]);
  assert.deepEqual(scores(instanceOf(tokenLoadScorer), [holding(0), holding(2_097_152)]), [1, 0.5]);
});

test('the LoRA scorer prefers who runs the adapter, then a free slot, then who has it waiting', () => {
  const lora = (running: readonly string[], waiting: readonly string[], max: number) =>
    endpoint({ lora: { running: new Set(running), waiting: new Set(waiting), max } });
  const endpoints = [
    lora(['m', 'x'], [], 2),
    lora(['x'], [], 2),
    lora(['x', 'y'], ['m'], 2),
    lora(['x', 'y'], [], 2),
    endpoint({}),
    endpoint(),
  ];
  assert.deepEqual(scores(instanceOf(loraAffinityScorer), endpoints), [1, 0.8, 0.6, 0, 0, 0]);
});
