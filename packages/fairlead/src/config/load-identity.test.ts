// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { problemLine } from './config-problem.ts';
import { loadConfig } from './load.ts';
import type { ResolvedConfig } from './resolved.ts';

const head = 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n';

async function load(text: string): Promise<ResolvedConfig> {
  const loaded = await loadConfig({ text, defaults: 'serve' });
  assert.deepEqual(loaded.problems, undefined);
  return loaded.ok;
}

async function messages(text: string): Promise<string[]> {
  const { problems = [] } = await loadConfig({ text: `${head}${text}`, defaults: 'serve', textName: 'f' });
  return problems.map(problemLine);
}

describe('tenants', () => {
  it('give their keys what these do not say themselves, and their priorities have bands', async () => {
    const { identity, flowControl } = await load(`${head}
identity:
  tenants: [{tenant: a, priority: 7, weight: 2, tokensPerMinute: 60k, burstTokens: 10k}, {tenant: b, maxInFlight: 3}]
  keys: [{sha256: "${'a'.repeat(64)}", tenant: a}, {sha256: "${'b'.repeat(64)}", tenant: a, priority: 1, weight: 1}]`);
    assert.deepEqual(identity.tenants, [
      { tenant: 'a', priority: 7, weight: 2, tokensPerMinute: 60_000, burstTokens: 10_000 },
      { tenant: 'b', priority: 0, weight: 1, maxInFlight: 3 },
    ]);
    assert.deepEqual(
      identity.keys.map(({ priority, weight }) => [priority, weight]),
      [
        [7, 2],
        [1, 1],
      ],
    );
    assert.deepEqual(new Set(flowControl.knownPriorities), new Set([7, 1, 0]));
  });

  it('are named once, and a burst belongs to a rate', async () => {
    assert.match((await messages('identity: {tenants: [{tenant: a}, {tenant: a}]}')).join(), /duplicate tenant 'a'/);
    assert.match(
      (await messages('identity: {tenants: [{tenant: a, burstTokens: 5}]}')).join(),
      /burstTokens: has no effect without tokensPerMinute: give both/,
    );
    assert.match((await messages('identity: {tenants: [{tenant: a, tokensPerMinute: 0}]}')).join(), /at least 1/);
  });
});
