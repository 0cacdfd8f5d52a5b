// SPDX-License-Identifier: Apache-2.0

/** What a prefix cache and a bound on adapters change: on their own, and as a client sees them. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startModelServer } from './model-server.ts';
import type { ModelServerOptions } from './model-server.ts';
import { PrefixCache, promptBlocks } from './prefix-cache.ts';

/** A prompt of so many blocks that is like no prompt of another letter. */
const prompt = (letter: string, blocks: number): string => letter.repeat(64 * blocks);
const admit = (cache: PrefixCache, text: string, salt = ''): number =>
  cache.admit(promptBlocks(text, salt), text.length / 4);

describe('a prefix cache', () => {
  test('finds the whole blocks that were there before, but never all of a prompt', () => {
    const cache = new PrefixCache(100);
    assert.equal(admit(cache, prompt('a', 4)), 0);
    assert.equal(admit(cache, prompt('a', 4)), 3 * 16);
    assert.equal(admit(cache, `${prompt('a', 4)}and then`), 4 * 16);
    assert.equal(admit(cache, `${prompt('a', 2)}${prompt('b', 2)}`), 2 * 16);
    assert.deepEqual([cache.queriedTokens, cache.foundTokens], [66 + 3 * 64, 9 * 16]);
  });

  test('forgets what was used longest ago, the end of a prompt first', () => {
    const cache = new PrefixCache(6);
    admit(cache, prompt('a', 4));
    admit(cache, prompt('b', 4));
    assert.equal(admit(cache, `${prompt('b', 4)}and more`), 4 * 16);
    assert.equal(admit(cache, `${prompt('a', 4)}and more`), 2 * 16);
  });

  test('shares nothing between salts', () => {
    const cache = new PrefixCache(100);
    admit(cache, prompt('a', 4), 'one');
    assert.equal(admit(cache, prompt('a', 4), 'two'), 0);
  });

  test('cuts texts, lists of tokens and messages alike', () => {
    const messages = [{ role: 'user', content: [{ type: 'text', text: prompt('a', 1) }] }];
    assert.deepEqual(promptBlocks(messages, ''), promptBlocks(prompt('a', 1), ''));
    assert.equal(
      promptBlocks(
        Array.from({ length: 40 }, (_, index) => index),
        '',
      ).length,
      2,
    );
  });
});

type Ask = (path: string, body: object) => Promise<unknown>;

async function serving(options: ModelServerOptions, use: (ask: Ask) => Promise<void>): Promise<void> {
  const server = await startModelServer({ prefillMs: 1, tokenMs: 0.1, ...options });
  const ask: Ask = async (path, body) => {
    const response = await fetch(server.url + path, { method: 'POST', body: JSON.stringify(body) });
    const text = await response.text();
    if (!text.startsWith('data: ')) return JSON.parse(text) as unknown;
    return JSON.parse(text.split('\n\n').at(-3)!.slice('data: '.length)) as unknown;
  };
  try {
    await use(ask);
  } finally {
    await server.destroy();
  }
}

const usageOf = (answer: unknown): unknown => (answer as { usage: unknown }).usage;

test('usage tells the cached tokens of chats and completions, streamed or not', async () => {
  await serving({ prefixCache: 100 }, async (post) => {
    const chat = { messages: [{ role: 'user', content: prompt('a', 4) }], max_tokens: 1 };
    const streamed = { ...chat, stream: true, stream_options: { include_usage: true } };
    const usage = (cached: number, prompts = 64) => ({
      prompt_tokens: prompts,
      total_tokens: prompts + 1,
      completion_tokens: 1,
      prompt_tokens_details: { cached_tokens: cached },
    });
    assert.deepEqual(usageOf(await post('/v1/chat/completions', chat)), usage(0));
    assert.deepEqual(usageOf(await post('/v1/chat/completions', streamed)), usage(48));
    const two = { prompt: [prompt('a', 4), prompt('b', 4)], max_tokens: 1, n: 2 };
    const answer = usageOf(await post('/v1/completions', two)) as { prompt_tokens_details: unknown };
    assert.deepEqual(answer.prompt_tokens_details, { cached_tokens: 48 });
    const salted = { ...chat, cache_salt: 'tenant' };
    assert.deepEqual(usageOf(await post('/v1/chat/completions', salted)), usage(0));
  });
});

test('sequences whose adapter has no slot wait, and hold up nobody else', async () => {
  const options = { adapters: ['ada', 'bob'], maxLoras: 1, maxNumSeqs: 8, tokenMs: 1000 };
  const server = await startModelServer({ prefillMs: 0, ...options });
  try {
    const stream = async (model: string): Promise<ReadableStreamDefaultReader<Uint8Array>> => {
      const body = JSON.stringify({ model, prompt: 'x', max_tokens: 2, stream: true });
      const response = await fetch(`${server.url}/v1/completions`, { method: 'POST', body });
      return response.body!.getReader();
    };
    const ada = await stream('ada');
    await ada.read();
    const bob = await stream('bob');
    const base = await stream('demo-model');
    await base.read();
    const page = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(page, /lora_requests_info\{max_lora="1",running_lora_adapters="ada",waiting_lora_adapters="bob"\} \d/);
    await ada.cancel();
    const { value } = await bob.read();
    assert.match(Buffer.from(value ?? []).toString(), /"model":"bob"/);
  } finally {
    await server.destroy();
  }
});
