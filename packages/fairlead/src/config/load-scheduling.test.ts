// SPDX-License-Identifier: Apache-2.0

/** What a file says of filters and ceilings, with the built-in plugins and their checks. */

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { problemLine } from './config-problem.ts';
import { loadConfig } from './load.ts';

const head = 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n';

for (const defaults of ['serve', 'reference'] as const) {
  test(`a filter alone is a wish about scheduling: the one profile holds it and nothing else (${defaults} defaults)`, async () => {
    const { ok } = await loadConfig({ text: `${head}plugins: [{type: decode-filter}]`, defaults });
    assert.equal(ok?.scheduling.profiles.length, 1);
    const [profile] = ok.scheduling.profiles;
    assert.deepEqual(
      [profile?.name, profile?.filters.map(({ type }) => type), profile?.scorers, profile?.picker.type],
      ['default', ['decode-filter'], [], 'max-score-picker'],
    );
  });
}

test('a profile takes its filters in the order of the file, beside scorers with weights', async () => {
  const text = `${head}plugins:
  - {name: east, type: label-selector-filter, parameters: {matchLabels: {zone: east}}}
schedulingProfiles:
  - {name: default, plugins: [{pluginRef: prefill-filter}, {pluginRef: load-aware-scorer, weight: 3}, {pluginRef: east}]}`;
  const { ok } = await loadConfig({ text, defaults: 'serve' });
  const [profile] = ok!.scheduling.profiles;
  assert.deepEqual(
    profile?.filters.map(({ name }) => name),
    ['prefill-filter', 'east'],
  );
  assert.deepEqual(
    profile.scorers.map(({ scorer, weight }) => [scorer.name, weight]),
    [['load-aware-scorer', 3]],
  );
});

test('mistakes in a label selector say what is allowed', async () => {
  const cases: [string, RegExp][] = [
    ['{key: zone, operator: in}', /operator: must be one of `In`, .*; did you mean `In`\?/],
    ['{key: zone, operator: In}', /matchExpressions\[0\]: operator In on zone needs at least one of `values`/],
    ['{key: zone, operator: Exists, values: [a]}', /operator Exists on zone takes no `values`/],
    ['{operator: Exists}', /key: is missing/],
  ];
  for (const [expression, expected] of cases) {
    const plugin = `{type: label-selector-filter, parameters: {matchExpressions: [${expression}]}}`;
    const { problems = [] } = await loadConfig({ text: `${head}plugins: [${plugin}]`, defaults: 'serve' });
    assert.match(problems.map(problemLine).join('\n'), expected);
  }
});

test('mistakes in ceilings say what is allowed, and that the policy is experimental', async () => {
  const cases: [parameters: string, allowExperimental: boolean, expected: RegExp][] = [
    ['{}', true, /minCeiling: is missing/],
    ['{minCeiling: 1}', true, /minCeiling: must be a number, at least 0 and less than 1, got 1/],
    ['{minCeiling: 0.8, maxCeiling: 0.8}', true, /minCeiling \(0\.8\) has to be less than maxCeiling \(0\.8\)/],
    ['{minCeiling: 0.5, domain: explicit}', true, /domain: must be one of `rank`, `value`, got "explicit"/],
    ['{minCeiling: 0.5}', false, /Alpha stability level, but command line flag --allow-experimental-plugins/],
    ['{minCeiling: 0.5}', true, /^$/],
  ];
  for (const [parameters, allowExperimental, expected] of cases) {
    const text = `${head}plugins: [{type: priority-holdback-policy, parameters: ${parameters}}]`;
    const { problems = [] } = await loadConfig({ text, defaults: 'serve', allowExperimental });
    assert.match(problems.map(problemLine).join('\n'), expected, parameters);
  }
});

test('what is in flight has one account: its producer is found wherever it is named, and a second is refused', async () => {
  const load = 'type: inflight-load-producer, parameters: {addEstimatedOutputTokens: true, outputRatio: 1}';
  const detector =
    '{type: concurrency-detector, parameters: {concurrencyMode: hybrid, inFlightLoadProducerName: load}}';
  const one = await loadConfig({ text: `${head}plugins: [${detector}, {name: load, ${load}}]`, defaults: 'serve' });
  const request = { id: 'r', fairnessId: 'a', priority: 0, model: 'm', targetModel: 'm', sequences: 1, receivedMs: 0 };
  assert.equal(one.ok?.tokens?.tokensOf({ ...request, sizeBytes: 400 }), 200);
  const none = await loadConfig({ text: head, defaults: 'serve' });
  assert.equal(none.ok?.tokens, undefined);
  const text = `${head}plugins: [{name: load, ${load}}, {type: inflight-load-producer}]`;
  const { problems = [] } = await loadConfig({ text, defaults: 'serve' });
  assert.match(
    problems.map(problemLine).join('\n'),
    /:3:\d+: plugins\[1\]: a second inflight-load-producer \('load' and/,
  );
});

test('the name of another kind of producer for what is in flight is refused with what is allowed', async () => {
  const module =
    'export default { type: "guess", kinds: ["producer"], stability: "stable", summary: "", parameters: {}, create: ({ type, name }) => ({ type, name }) }';
  const directory = await mkdtemp(path.join(tmpdir(), 'fairlead-'));
  try {
    await writeFile(path.join(directory, 'guess.mjs'), module);
    const file = path.join(directory, 'fairlead.yaml');
    const plugins =
      '[{type: guess, module: ./guess.mjs}, {type: token-load-scorer, parameters: {inFlightLoadProducerName: guess}}]';
    await writeFile(file, `${head}plugins: ${plugins}`);
    const { problems = [] } = await loadConfig({ file, defaults: 'serve' });
    const expected =
      /inFlightLoadProducerName "guess" is a plugin of type guess; allowed: one of type inflight-load-producer/;
    assert.match(problems.map(problemLine).join('\n'), expected);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('the reference without a file prefers queues, free cache and known prefixes, 2 to 2 to 3', async () => {
  const { ok } = await loadConfig({ defaults: 'reference' });
  assert.deepEqual(
    ok?.scheduling.profiles[0]?.scorers.map(({ scorer, weight }) => [scorer.type, weight]),
    [
      ['queue-scorer', 2],
      ['kv-cache-utilization-scorer', 2],
      ['prefix-cache-scorer', 3],
    ],
  );
});

const producersOf = async (plugins: string): Promise<string[] | undefined> => {
  const { ok } = await loadConfig({ text: `${head}plugins: [${plugins}]`, defaults: 'reference' });
  return ok?.scheduling.producers?.map(({ name, type }) => (name === type ? type : `${name} (${type})`));
};

test('a producer that a scorer asks is made by itself, is the configured one of that name, or the one it names', async () => {
  assert.deepEqual(await producersOf('{type: prefix-cache-scorer}'), ['approx-prefix-cache-producer']);
  const configured = '{type: approx-prefix-cache-producer, parameters: {autoTune: false}}';
  assert.deepEqual(await producersOf(`${configured}, {type: prefix-cache-scorer}`), ['approx-prefix-cache-producer']);
  const named = '{name: cpu, type: approx-prefix-cache-producer}';
  const asks = '{type: prefix-cache-scorer, parameters: {prefixMatchInfoProducerName: cpu}}';
  assert.deepEqual(await producersOf(`${asks}, ${named}`), ['cpu (approx-prefix-cache-producer)']);
});

test('a producer that no profile asks does nothing', async () => {
  const text = `${head}plugins: [{type: approx-prefix-cache-producer}, {type: prefix-cache-scorer}, {type: queue-scorer}]
schedulingProfiles: [{name: default, plugins: [{pluginRef: queue-scorer}]}]`;
  const { ok } = await loadConfig({ text, defaults: 'serve' });
  assert.deepEqual(ok?.scheduling.producers, []);
  assert.ok(ok?.plugins.some(({ type }) => type === 'approx-prefix-cache-producer'));
});

test('a producer that knows nothing of prefixes, or does not exist, is named with its place', async () => {
  const cases: [string, RegExp][] = [
    ['inflight-load-producer', /:3:11: .*'inflight-load-producer' \(type: .*\) does not know what is cached/],
    ['aprox-prefix-cache-producer', /prefixMatchInfoProducerName: .*did you mean `approx-prefix-cache-producer`\?/],
    ['queue-scorer', /is a scorer; wanted is a data producer: approx-prefix-cache-producer/],
  ];
  for (const [name, expected] of cases) {
    const plugin = `{type: prefix-cache-scorer, parameters: {prefixMatchInfoProducerName: ${name}}}`;
    const { problems = [] } = await loadConfig({ text: `${head}plugins: [${plugin}]`, defaults: 'serve' });
    assert.match(problems.map(problemLine).join('\n'), expected);
  }
});
