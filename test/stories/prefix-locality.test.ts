// SPDX-License-Identifier: Apache-2.0

/** Prompts that begin alike, before real model servers that keep a prefix cache. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as plugins from '@fairlead/core/plugins';
import { instanceOf } from '@fairlead/core/testing';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServer, ModelServerOptions } from '../../packages/fairlead/src/model-server/model-server.ts';
import { openHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';

const models = ['m'];
const SERVERS = 3;

/** About 500 tokens that differ from the first word on. */
const systemPrompt = (number: number): string => `You are pilot ${number}. `.padEnd(2000, `Rule ${number} stands. `);

/** A house whose servers keep prompts, and which prefers those that should have one. */
async function openHarbour(options: ModelServerOptions = {}) {
  const servers: ModelServer[] = [];
  for (let index = 0; index < SERVERS; index += 1) {
    servers.push(await startModelServer({ models, prefillMs: 1, tokenMs: 0.1, prefixCache: 1000, ...options }));
  }
  const producer = instanceOf(plugins.approxPrefixCacheProducer);
  const scheduling = {
    handler: instanceOf(plugins.singleProfileHandler),
    profiles: [
      {
        name: 'default',
        filters: [],
        scorers: [{ scorer: instanceOf(plugins.prefixCacheScorer, { others: [producer] }), weight: 1 }],
        picker: instanceOf(plugins.maxScorePicker),
      },
    ],
    producers: [producer],
  };
  const house = await openHouse({ servers: servers.map(({ url }) => ({ url, models })), config: { scheduling } });
  const close = async (): Promise<void> => {
    await house.close();
    for (const server of servers) await server.destroy();
  };
  return { house, servers, close };
}

/** Asks and says how many tokens of the prompt were cached, and where. */
async function ask(house: House, system: string, more: Readonly<Record<string, unknown>> = {}) {
  const asked = house.count('report');
  const answer = await house.client().chat.completions.create({
    ...{ model: 'm', max_tokens: 2, ...more },
    messages: [
      { role: 'system', content: system },
      { role: 'user', content: `Question ${asked}?` },
    ],
  });
  const reports = await house.heard('report', asked + 1);
  return { cached: answer.usage?.prompt_tokens_details?.cached_tokens, endpoint: reports.at(-1)?.endpoint };
}

describe('A gateway before servers with prefix caches', () => {
  it('sends a prompt where its beginning was sent before, and the server finds it there', async () => {
    const { house, servers, close } = await openHarbour();
    try {
      const homes = new Map<number, string | undefined>();
      for (let round = 0; round < 4; round += 1) {
        for (let number = 0; number < 8; number += 1) {
          const { cached, endpoint } = await ask(house, systemPrompt(number));
          if (round === 0) homes.set(number, endpoint);
          assert.equal(endpoint, homes.get(number), `prompt ${number}, round ${round}`);
          // All of it but the block in which the question begins.
          assert.equal(cached, round === 0 ? 0 : 496);
        }
      }
      const found = servers.reduce((sum, server) => sum + server.stats().cachedTokens, 0);
      assert.equal(found, 3 * 8 * 496);
      const matches = (await house.heard('dispatched', 32)).map(({ prefixMatch }) => prefixMatch?.matchedBytes);
      assert.deepEqual(
        matches.slice(0, 8),
        Array.from({ length: 8 }, () => 0),
      );
      assert.ok(matches.slice(8).every((bytes) => bytes === 8 * 256));
      house.assertEmpty();
    } finally {
      await close();
    }
  });

  it('takes a prompt with another cache salt for another prompt, as the servers do', async () => {
    const { house, close } = await openHarbour();
    try {
      await ask(house, systemPrompt(1), { cache_salt: 'ann' });
      assert.equal((await ask(house, systemPrompt(1), { cache_salt: 'bob' })).cached, 0);
      assert.equal((await ask(house, systemPrompt(1), { cache_salt: 'ann' })).cached, 496);
      const matches = (await house.heard('dispatched', 3)).map(({ prefixMatch }) => prefixMatch?.matchedBytes);
      assert.deepEqual(matches, [0, 0, 8 * 256]);
    } finally {
      await close();
    }
  });

  it('hashes a prompt of megabytes a slice a turn, and only as much of it as counts', async () => {
    const { house, close } = await openHarbour({ maxModelLen: 1_000_000, kvBlocks: 100_000 });
    try {
      const long = `${systemPrompt(1)}${'and so on '.repeat(300_000)}`;
      await ask(house, long);
      const [dispatched] = await house.heard('dispatched');
      assert.equal(dispatched?.prefixMatch?.promptBytes, 131_072 * 4);
      assert.equal(dispatched.request.prefix?.hashes.length, 2048);
    } finally {
      await close();
    }
  });
});
