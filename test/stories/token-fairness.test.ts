// SPDX-License-Identifier: Apache-2.0

/** What is shared is tokens, through the whole of `fairlead serve`, over real sockets and with the official client. */

import assert from 'node:assert/strict';
import { afterEach, before, after, describe, it } from 'node:test';
import OpenAI from 'openai';
import type { FlowEvent } from '@fairlead/core';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { hashKey } from '../../packages/fairlead/src/tenancy/hash-key.ts';
import { Loopback } from '../kit/loopback.ts';
import { serveText } from '../kit/served.ts';
import type { Served } from '../kit/served.ts';

const messages = [{ role: 'user' as const, content: 'Tell me a story.' }];
/** Requests that each tenant always has under way, and ends that are waited for. */
const LOOPS = 3;
const ENDS = 240;

/** Everybody takes turns at one place. */
function configOf(server: ModelServer, tenants: string, more = ''): string {
  return `
endpoints: [{url: ${server.url}, models: [m]}]
plugins:
  - {type: concurrency-detector, parameters: {maxConcurrency: 1}}
  - {name: shares, type: hierarchical-fairness-policy, parameters: {weights: [{path: acme, weight: 1}, {path: beta, weight: 1}]}}
flowControl:
  saturationDetector: {pluginRef: concurrency-detector}
  ${more}
identity:
  keys: [${tenants}]
`;
}

const key = (name: string, more = '') => `{sha256: ${hashKey(name)}, tenant: ${name}${more}}`;

describe('tenants who share a place', () => {
  const loopback = new Loopback();
  let server: ModelServer;
  const costs = new Map<string, number>();
  let ended = 0;

  before(async () => {
    server = await startModelServer({ prefillMs: 0, tokenMs: 0.2, maxNumSeqs: 1, models: ['m'] });
  });

  afterEach(() => loopback.end());
  after(() => server.destroy());

  function onFlowEvent(_: string, event: FlowEvent): void {
    if (event.kind !== 'ended' || event.usage === undefined) return;
    ended += 1;
    const { promptTokens = 0, completionTokens = 0 } = event.usage;
    const { fairnessId } = event.request;
    costs.set(fairnessId, (costs.get(fairnessId) ?? 0) + promptTokens + 2 * completionTokens);
  }

  /** Every tenant asks for answers of so many tokens, over and over, until enough has been served. */
  async function share(served: Served, tenants: Readonly<Record<string, number>>): Promise<(name: string) => number> {
    costs.clear();
    ended = 0;
    const loops = Object.entries(tenants).flatMap(([tenant, maxTokens]) => {
      const client = new OpenAI({ baseURL: `${served.url}/v1`, apiKey: tenant, maxRetries: 0 });
      return Array.from({ length: LOOPS }, async () => {
        while (ended < ENDS) await client.chat.completions.create({ model: 'm', messages, max_tokens: maxTokens });
      });
    });
    await Promise.all(loops);
    const total = [...costs.values()].reduce((sum, cost) => sum + cost, 0);
    return (name) => (costs.get(name) ?? 0) / total;
  }

  it('get tokens by their weights by default, however long their answers are, and how far from it is told', async () => {
    const text = configOf(server, [key('brief'), key('wordy'), key('double', ', weight: 2')].join(', '));
    const served = await serveText(text, loopback, { onFlowEvent });
    const shareOf = await share(served, { brief: 4, wordy: 60, double: 20 });
    for (const [name, share] of [
      ['brief', 0.25],
      ['wordy', 0.25],
      ['double', 0.5],
    ] as const) {
      assert.ok(Math.abs(shareOf(name) / share - 1) < 0.3, `${name} got ${shareOf(name)}`);
    }
    const { bands } = (await served.state()).pools[0]!;
    assert.equal(bands[0]!.fairness, 'virtual-token-counter-fairness-policy');
    assert.ok(bands[0]!.lagTokens > 0 && bands[0]!.lagTokens <= bands[0]!.lagBoundTokens!);
  });

  it('get no more for having more keys than others, in a hierarchy', async () => {
    const keys = [
      key('a1', ', path: acme'),
      key('a2', ', path: acme'),
      key('a3', ', path: acme'),
      key('b1', ', path: beta'),
    ];
    const more = 'defaultPriorityBand: {fairnessPolicyRef: shares}';
    const served = await serveText(configOf(server, keys.join(', '), more), loopback, { onFlowEvent });
    const shareOf = await share(served, { a1: 10, a2: 10, a3: 10, b1: 10 });
    assert.ok(Math.abs(shareOf('b1') - 0.5) < 0.1, `b1 got ${shareOf('b1')}`);
    assert.partialDeepStrictEqual((await served.state()).pools[0]!.bands[0]!.fairnessFacts, { branches: 2 });
  });
});
