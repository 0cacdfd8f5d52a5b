// SPDX-License-Identifier: Apache-2.0

/** What the official clients make of a refusal when they are left to retry by themselves. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import Anthropic from '@anthropic-ai/sdk';
import { generateText } from 'ai';
import OpenAI from 'openai';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { openHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';
import { Loopback } from '../kit/loopback.ts';

const messages = [{ role: 'user' as const, content: 'hi' }];

/** Each client as its makers ship it, retries included. */
const official = {
  'the openai client': (house: House) =>
    new OpenAI({ baseURL: `${house.url}/v1`, apiKey: 'k' }).chat.completions.create({
      model: 'm',
      messages,
      max_tokens: 1,
    }),
  'the Anthropic client': (house: House) =>
    new Anthropic({ baseURL: house.url, apiKey: 'k' }).messages.create({ model: 'm', messages, max_tokens: 1 }),
};
const vercel = {
  'the Vercel AI SDK with OpenAI’s API': (house: House) => {
    const provider = createOpenAICompatible({ name: 'fairlead', baseURL: `${house.url}/v1`, apiKey: 'k' });
    return generateText({ model: provider('m'), messages, maxOutputTokens: 1 });
  },
  'the Vercel AI SDK with Anthropic’s API': (house: House) =>
    generateText({
      model: createAnthropic({ baseURL: `${house.url}/v1`, apiKey: 'k' })('m'),
      messages,
      maxOutputTokens: 1,
    }),
};

/** A house that is full (one request answered, one waiting), has drained fast, and tells how to make room. */
async function fullHouse(
  about: { ttlMs?: number } = {},
): Promise<{ house: House; server: ModelServer; makeRoom(): Promise<void> }> {
  const server = await startModelServer({ prefillMs: 1, tokenMs: 1, models: ['m'] });
  const house = await openHouse({ servers: [{ url: server.url, models: ['m'] }], limit: 1, maxRequests: 1, ...about });
  const client = house.client('others');
  const ask = () => client.chat.completions.create({ model: 'm', messages, max_tokens: 1 });
  for (let count = 0; count < 30; count += 1) await ask();
  server.set({ stallAfter: 0 });
  const holding = [ask()];
  await house.heard('dispatched', 31);
  holding.push(ask());
  await house.heard('enqueued', 32);
  return {
    house,
    server,
    async makeRoom() {
      server.set({ stallAfter: null });
      await Promise.all(holding);
    },
  };
}

describe('a client that is refused because the queue is full', () => {
  for (const [name, ask] of Object.entries({ ...official, ...vercel })) {
    it(`is told when to come back, and served when it does: ${name}`, async () => {
      const { house, server, makeRoom } = await fullHouse();
      const answer = ask(house);
      await house.heard('rejected');
      await makeRoom();
      await answer;
      const reports = (await house.heard('report', 34)).slice(30);
      assert.deepEqual(reports.map(({ status }) => status).sort(), [200, 200, 200, 429]);
      await house.close();
      await server.destroy();
    });
  }
});

describe('a client that is refused because no server is there', () => {
  for (const [name, ask] of Object.entries({ ...official, ...vercel })) {
    it(`is served when it comes back and one is: ${name}`, async () => {
      const { server, house, makeRoom } = await fullHouse({ ttlMs: 400 });
      await makeRoom();
      await server.destroy();
      const answer = ask(house);
      await house.heard('evicted');
      const next = await startModelServer({ prefillMs: 1, tokenMs: 1, models: ['m'], port: server.port });
      await answer;
      await house.quiet();
      const statuses = (await house.heard('report')).slice(32).map(({ status }) => status);
      assert.deepEqual([statuses[0], statuses.at(-1)], [503, 200]);
      await house.close();
      await next.destroy();
    });
  }
});

describe('a client whose request a server may have received', () => {
  for (const [name, ask] of Object.entries(official)) {
    // The Vercel AI SDK goes by the status alone, whatever it is told.
    it(`is told not to send it again by itself, and does not: ${name}`, async () => {
      const server = await startModelServer({ resetRate: 1, models: ['m'] });
      const house = await openHouse({ servers: [{ url: server.url, models: ['m'] }] });
      await assert.rejects(ask(house), /may have received the request/);
      assert.equal(house.count('report'), 1);
      assert.equal(server.stats().received, 1);
      await house.close();
      await server.destroy();
    });

    it(`is told so too when the server died between the head and the body of its answer: ${name}`, async () => {
      const loopback = new Loopback();
      let asked = 0;
      const url = await loopback.http((request, response) => {
        if (request.method === 'GET') return void response.end();
        asked += 1;
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 });
        response.flushHeaders();
        request.resume().on('end', () => response.socket?.end());
      });
      const house = await openHouse({ servers: [{ url, models: ['m'] }] });
      await assert.rejects(ask(house), /502.*stopped in the middle of its answer/);
      assert.equal(asked, 1);
      await house.close();
      await loopback.end();
    });
  }
});
