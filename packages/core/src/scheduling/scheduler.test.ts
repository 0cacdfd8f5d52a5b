// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Endpoint } from '../endpoints/endpoint.ts';
import type { Plugin } from '../plugin-registry/plugin.ts';
import { maxScorePicker } from '../plugins/pickers/max-score-picker.ts';
import { singleProfileHandler } from '../plugins/profile-handlers/single-profile-handler.ts';
import type { InferenceRequest } from '../request/inference-request.ts';
import { instanceOf } from '../testing/plugin-instance.ts';
import type { Filter, Producer, SchedulingProfile, Scorer } from './contracts.ts';
import { Scheduler } from './scheduler.ts';
import type { TrailStep } from './trail.ts';

const [a, b, c] = ['a', 'b', 'c'].map((name) => new Endpoint({ name, url: `http://${name}.test`, labels: {} })) as [
  Endpoint,
  Endpoint,
  Endpoint,
];
const request: InferenceRequest = {
  ...{ id: 'r', fairnessId: 'a', priority: 0, model: 'm', targetModel: 'm' },
  ...{ sizeBytes: 1, sequences: 1, receivedMs: 0 },
};

function scorer(name: string, score: (endpoint: Endpoint) => number): Scorer {
  return {
    type: name,
    name,
    score: (_request, endpoints, scores) => {
      for (const [index, endpoint] of endpoints.entries()) scores[index] = score(endpoint);
    },
  };
}

function filter(name: string, keep: (endpoints: readonly Endpoint[]) => readonly Endpoint[]): Filter {
  return { type: name, name, filter: (_request, endpoints) => keep(endpoints) };
}

function make(profile: Partial<SchedulingProfile>, faults: Plugin[] = []): Scheduler {
  const defaults = { name: 'default', filters: [], scorers: [], picker: instanceOf(maxScorePicker) };
  return new Scheduler({
    handler: instanceOf(singleProfileHandler),
    profiles: [{ ...defaults, ...profile }],
    onFault: (plugin) => faults.push(plugin),
  });
}

const broken = (name: string) => (): never => {
  throw new Error(`${name} is broken`);
};

test('the endpoint with the highest weighted sum is chosen', () => {
  const likesA = scorer('likes-a', (endpoint) => (endpoint === a ? 1 : 0));
  const likesB = scorer('likes-b', (endpoint) => (endpoint === b ? 0.8 : 0));
  const weigh = (weightA: number, weightB: number) => [
    { scorer: likesA, weight: weightA },
    { scorer: likesB, weight: weightB },
  ];
  assert.deepEqual(make({ scorers: weigh(1, 1) }).schedule(request, [a, b, c]), [a]);
  assert.deepEqual(make({ scorers: weigh(1, 2) }).schedule(request, [a, b, c]), [b]);
});

test('filters narrow the candidates in order, and what they drop is never chosen', () => {
  const seen: string[][] = [];
  const drop = (dropped: Endpoint) =>
    filter(`drop-${dropped.name}`, (endpoints) => {
      seen.push(endpoints.map((endpoint) => endpoint.name));
      return endpoints.filter((endpoint) => endpoint !== dropped);
    });
  assert.deepEqual(make({ filters: [drop(a), drop(c)] }).schedule(request, [a, b, c]), [b]);
  assert.deepEqual(seen, [
    ['a', 'b', 'c'],
    ['b', 'c'],
  ]);
});

test('nothing is chosen when the filters leave nothing', () => {
  assert.deepEqual(make({ filters: [filter('none', () => [])] }).schedule(request, [a, b]), []);
  assert.deepEqual(make({}).schedule(request, []), []);
});

test('a single candidate is not rated', () => {
  const faults: Plugin[] = [];
  const scheduler = make({ scorers: [{ scorer: scorer('broken', broken('scorer')), weight: 1 }] }, faults);
  assert.deepEqual(scheduler.schedule(request, [b]), [b]);
  assert.deepEqual(faults, []);
});

test('scores are clamped to 0 to 1, and what is not a number counts as 0', () => {
  const wild = scorer('wild', (endpoint) => (endpoint === a ? NaN : endpoint === b ? -5 : 7));
  const trail = make({ scorers: [{ scorer: wild, weight: 2 }] }).explain(request, [a, b, c]);
  const pick = trail.find((step) => step.kind === 'pick');
  assert.deepEqual(
    pick?.scores.map(({ score }) => score),
    [0, 0, 2],
  );
});

test('a plugin that throws does not count and is reported once', () => {
  const faults: Plugin[] = [];
  const likesB = scorer('likes-b', (endpoint) => (endpoint === b ? 1 : 0));
  const halfway = scorer('halfway', (endpoint) => (endpoint === a ? 1 : broken('halfway')()));
  const scorers = [halfway, likesB].map((each) => ({ scorer: each, weight: 1 }));
  const scheduler = make({ filters: [filter('broken-filter', broken('filter'))], scorers }, faults);
  for (let times = 0; times < 3; times += 1) assert.deepEqual(scheduler.schedule(request, [a, b, c]), [b]);
  assert.deepEqual(
    faults.map((plugin) => plugin.name),
    ['broken-filter', 'halfway'],
  );
});

test('endpoints that were not candidates are not believed, from a filter or a picker', () => {
  const faults: Plugin[] = [];
  const likesB = scorer('likes-b', (endpoint) => (endpoint === b ? 1 : 0));
  const stranger = { type: 'stranger', name: 'stranger', pick: () => [c] };
  const scorers = [{ scorer: likesB, weight: 1 }];
  const scheduler = make({ filters: [filter('adds', () => [c, a])], scorers, picker: stranger }, faults);
  assert.deepEqual(scheduler.schedule(request, [a, b]), [b]);
  assert.deepEqual(
    faults.map((plugin) => plugin.name),
    ['adds', 'stranger'],
  );
});

test('a filter may change the order of what it keeps', () => {
  const faults: Plugin[] = [];
  const scheduler = make({ filters: [filter('reverses', (endpoints) => endpoints.toReversed())] }, faults);
  assert.equal(scheduler.schedule(request, [a, b, c]).length, 1);
  assert.deepEqual(faults, []);
});

test('the trail says what each plugin made of the request', () => {
  const filters = [filter('not-c', (endpoints) => endpoints.filter((endpoint) => endpoint !== c))];
  const scorers = [{ scorer: scorer('likes-b', (endpoint) => (endpoint === b ? 1 : 0.5)), weight: 3 }];
  const expected: TrailStep[] = [
    { kind: 'profile', plugin: 'single-profile-handler', profile: 'default' },
    { kind: 'filter', plugin: 'not-c', kept: ['a', 'b'], dropped: ['c'] },
    {
      kind: 'score',
      plugin: 'likes-b',
      weight: 3,
      scores: [
        { endpoint: 'a', score: 0.5 },
        { endpoint: 'b', score: 1 },
      ],
    },
    {
      kind: 'pick',
      plugin: 'max-score-picker',
      scores: [
        { endpoint: 'a', score: 1.5 },
        { endpoint: 'b', score: 3 },
      ],
      picked: ['b'],
    },
  ];
  assert.deepEqual(make({ filters, scorers }).explain(request, [a, b, c]), expected);
});

test('a handler that cannot work with the profiles stops the start', () => {
  const profile = { name: 'p', filters: [], scorers: [], picker: instanceOf(maxScorePicker) };
  assert.throws(
    () => new Scheduler({ handler: instanceOf(singleProfileHandler), profiles: [profile, profile] }),
    /exactly one scheduling profile, not 2/,
  );
});

test('the choice is the same whatever was scheduled before, with more candidates or fewer', () => {
  const endpoints = Array.from({ length: 40 }, (_, index) => {
    return new Endpoint({ name: String(index), url: `http://e${index}.test`, labels: {} });
  });
  const byNumber = scorer('by-number', (endpoint) => Number(endpoint.name) / 40);
  const scheduler = make({ scorers: [{ scorer: byNumber, weight: 1 }] });
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 20 }), (counts) => {
      for (const count of counts) {
        assert.equal(scheduler.schedule(request, endpoints.slice(0, count))[0], endpoints[count - 1]);
      }
    }),
  );
});

test('plugins learn where a request went, once each, and one that throws costs nothing', () => {
  const heard: string[] = [];
  const learns = (name: string): Scorer & Producer => ({
    ...scorer(name, () => 0),
    dispatched: (_request, endpoint, nowMs) => {
      heard.push(`${name} ${endpoint.name} ${nowMs}`);
      return undefined;
    },
    answerHeaders: (_request, endpoint) => ({ [`x-${name}`]: endpoint.name }),
  });
  const match = { producer: { type: 'p', name: 'p' }, matchedBytes: 1, promptBytes: 2 };
  const producer: Producer = { type: 'p', name: 'p', dispatched: () => match };
  const faults: Plugin[] = [];
  const bad: Producer = { type: 'bad', name: 'bad', dispatched: broken('bad'), answerHeaders: broken('bad') };
  const [both, other] = [learns('both'), learns('other')];
  const scheduler = new Scheduler({
    handler: instanceOf(singleProfileHandler),
    profiles: [
      {
        name: 'default',
        filters: [],
        scorers: [both, other].map((each) => ({ scorer: each, weight: 1 })),
        picker: instanceOf(maxScorePicker),
      },
    ],
    producers: [bad, producer, both],
    onFault: (plugin) => faults.push(plugin),
  });
  assert.equal(scheduler.dispatched(request, a, 5), match);
  assert.deepEqual(heard, ['both a 5', 'other a 5']);
  assert.deepEqual(scheduler.answerHeaders(request, b), { 'x-both': 'b', 'x-other': 'b' });
  assert.deepEqual(faults, [bad]);
  assert.equal(make({}).answerHeaders(request, b), undefined);
});
