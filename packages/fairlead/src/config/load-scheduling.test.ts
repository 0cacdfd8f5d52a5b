// SPDX-License-Identifier: Apache-2.0

/** What a file says of filters and ceilings, with the built-in plugins and their checks. */

import assert from 'node:assert/strict';
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
