// SPDX-License-Identifier: Apache-2.0

/** The official clients, the gateway, and a real engine that speaks all of their APIs by itself: llama.cpp's server. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import Anthropic from '@anthropic-ai/sdk';
import { streamText } from 'ai';
import { openHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';
import { noLlamaServer, startLlamaServer } from '../kit/llama-server.ts';
import { Loopback } from '../kit/loopback.ts';

const messages = [{ role: 'user' as const, content: 'Tell me a story.' }];
// Without chance: a stream whose first tokens are parts of a character begins without its `message_start`.
const asked = { model: 'random', messages, max_tokens: 5, temperature: 0 };

describe('in front of a real llama-server', { skip: noLlamaServer }, () => {
  const loopback = new Loopback();
  let house: House;
  let client: Anthropic;
  before(async () => {
    const url = await startLlamaServer(loopback);
    house = await openHouse({ servers: [{ url, models: ['random'] }] });
    // Its first request waits in the queue until the engine has loaded.
    client = new Anthropic({ baseURL: house.url, apiKey: 'k', maxRetries: 5 });
    await client.messages.create(asked);
  });
  after(async () => {
    await house.close();
    await loopback.end();
  });

  async function lastUsage() {
    await house.quiet();
    return (await house.heard('report')).at(-1)?.usage;
  }

  it('Anthropic’s client gets messages, streams and counts, whose usage is read', async () => {
    const { input_tokens: prompt } = await client.messages.countTokens({ model: 'random', messages });
    const whole = await client.messages.create(asked);
    assert.equal(whole.usage.output_tokens, 5);
    assert.partialDeepStrictEqual(await lastUsage(), { promptTokens: prompt, completionTokens: 5 });
    const streamed = await client.messages.stream(asked).finalMessage();
    assert.equal(streamed.stop_reason, 'max_tokens');
    assert.partialDeepStrictEqual(await lastUsage(), { promptTokens: prompt, completionTokens: 5 });
  });

  it('OpenAI’s client gets responses, and the usage of their streams is read', async () => {
    const question = { model: 'random', input: 'Tell me a story.', max_output_tokens: 5 };
    const events = await house.client().responses.create({ ...question, stream: true });
    let last: string | undefined;
    for await (const event of events) last = event.type;
    assert.equal(last, 'response.completed');
    assert.partialDeepStrictEqual(await lastUsage(), { completionTokens: 5 });
  });

  it('the Vercel AI SDK gets a stream', async () => {
    const model = createAnthropic({ baseURL: `${house.url}/v1`, apiKey: 'k' })('random');
    const { text, usage } = streamText({ model, messages, maxOutputTokens: 5, maxRetries: 0 });
    assert.notEqual(await text, '');
    assert.equal((await usage).outputTokens, 5);
  });
});
