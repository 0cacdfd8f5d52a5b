// SPDX-License-Identifier: Apache-2.0

/** What the Vercel AI SDK sees through the gateway, in each of the three APIs that it may speak with it. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import type { LanguageModel } from 'ai';
import { smallHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';

/** By API: the model `m`, asked as the SDK's documentation shows. */
const models: Readonly<Record<string, (house: House, name?: string) => LanguageModel>> = {
  'OpenAI’s chat': (house, name = 'm') =>
    createOpenAICompatible({ name: 'fairlead', baseURL: `${house.url}/v1`, apiKey: 'k', includeUsage: true })(name),
  'OpenAI’s responses': (house, name = 'm') => createOpenAI({ baseURL: `${house.url}/v1`, apiKey: 'k' })(name),
  'Anthropic’s messages': (house, name = 'm') => createAnthropic({ baseURL: `${house.url}/v1`, apiKey: 'k' })(name),
};

const prompt = 'Tell me a story.';
const common = { prompt, maxOutputTokens: 6, maxRetries: 0 };
/** Errors and warnings are looked at, not printed. */
const onError = (): void => {};
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });

for (const [api, modelOf] of Object.entries(models)) {
  describe(`the Vercel AI SDK with ${api}`, () => {
    it('gets a text, and the same in a stream, with their usage', async () => {
      const [house, server] = await smallHouse({ limit: 1 });
      const model = modelOf(house);
      const whole = await generateText({ model, ...common });
      assert.equal(whole.text.split(' ').length, 6);
      assert.equal(whole.usage.outputTokens, 6);
      assert.equal(whole.finishReason, 'length');
      const stream = streamText({ model, ...common, onError });
      let text = '';
      for await (const piece of stream.textStream) text += piece;
      assert.equal(text, whole.text);
      assert.equal((await stream.usage).outputTokens, 6);
      await house.quiet();
      const reports = await house.heard('report', 2);
      assert.deepEqual(
        reports.map(({ status, usage }) => [status, usage?.completionTokens]),
        reports.map(() => [200, 6]),
      );
      await house.close();
      await server.destroy();
    });

    it('has its tools called, and goes on with what they say', async () => {
      const [house, server] = await smallHouse({ limit: 1 });
      const asked: unknown[] = [];
      const tide = tool({
        inputSchema: jsonSchema<{ port: string; days: number }>({
          type: 'object',
          properties: { port: { type: 'string' }, days: { type: 'integer', minimum: 2 } },
          required: ['port', 'days'],
        }),
        execute: async (input) => {
          asked.push(input);
          return 'at noon';
        },
      });
      const options = {
        model: modelOf(house),
        ...common,
        maxOutputTokens: 30,
        tools: { tide },
        stopWhen: stepCountIs(4),
      };
      const { steps, text } = await generateText(options);
      assert.equal(steps.length, 2);
      assert.notEqual(text, '');
      const stream = streamText({ ...options, onError });
      assert.equal(await stream.text, text);
      assert.deepEqual(asked, [
        { port: 'harbour', days: 2 },
        { port: 'harbour', days: 2 },
      ]);
      await house.close();
      await server.destroy();
    });

    it('gets an error with the gateway’s words for what is wrong', async () => {
      const [house, server] = await smallHouse({ limit: 1 });
      await assert.rejects(generateText({ model: modelOf(house, 'x'), ...common }), (error) => {
        assert.ok(APICallError.isInstance(error));
        assert.equal(error.statusCode, 404);
        assert.match(error.message, /The model `x` does not exist; served here: m\./);
        assert.equal(error.isRetryable, false);
        return true;
      });
      await house.close();
      await server.destroy();
    });

    it('leaves its place in the queue, and the model server, when it is aborted', async () => {
      const [house, server] = await smallHouse({ limit: 1 });
      server.set({ stallAfter: 2 });
      const holder = new AbortController();
      const held = streamText({ model: modelOf(house), ...common, abortSignal: holder.signal, onError });
      const reading = held.text.then(undefined, () => 'aborted');
      await house.heard('dispatched');
      const leaver = new AbortController();
      const left = generateText({ model: modelOf(house), ...common, abortSignal: leaver.signal });
      await house.heard('enqueued', 2);
      leaver.abort();
      await assert.rejects(left, { name: 'AbortError' });
      assert.equal((await house.heard('evicted'))[0]?.cause, 'cancelled');
      holder.abort();
      await reading;
      assert.equal((await house.heard('ended'))[0]?.ending, 'cancelled');
      await house.quiet();
      house.assertEmpty();
      await house.close();
      await server.destroy();
    });

    it('gets an error when the model server dies in the middle of a stream', async () => {
      const [house, server] = await smallHouse({ limit: 1 });
      server.set({ stallAfter: 3 });
      const stream = streamText({ model: modelOf(house), ...common, onError });
      const errors: unknown[] = [];
      let words = 0;
      const read = async (): Promise<void> => {
        for await (const part of stream.fullStream) {
          if (part.type === 'text-delta' && (words += 1) === 3) await server.destroy();
          if (part.type === 'error') errors.push(part.error);
        }
      };
      // Told of the error, it finds that the connection breaks as well.
      await assert.rejects(read(), APICallError);
      assert.equal(words, 3);
      assert.match(inspect(errors[0]), /stopped in the middle of its answer/);
      await house.quiet();
      house.assertEmpty();
      await house.close();
    });
  });
}
