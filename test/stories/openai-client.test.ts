// SPDX-License-Identifier: Apache-2.0

/** OpenAI's newer API, tools, and broken streams, as the official `openai` client sees them through the gateway. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import OpenAI from 'openai';
import type { ModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { smallHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';

const messages = [{ role: 'user' as const, content: 'Tell me a story.' }];
const parameters = {
  type: 'object',
  properties: { port: { type: 'string' }, days: { type: 'integer', minimum: 2 } },
};
const asked = { model: 'm', input: 'Tell me a story.', max_output_tokens: 6 };

describe('the responses API', () => {
  let house: House;
  let server: ModelServer;
  before(async () => {
    [house, server] = await smallHouse();
  });
  after(async () => {
    await house.close();
    await server.destroy();
  });

  it('answers, and its usage is read', async () => {
    const response = await house.client().responses.create(asked);
    assert.equal(response.status, 'incomplete');
    assert.equal(response.output_text.split(' ').length, 6);
    await house.quiet();
    const [report] = await house.heard('report');
    const usage = { promptTokens: response.usage?.input_tokens, completionTokens: 6 };
    assert.partialDeepStrictEqual(report, { route: '/v1/responses', usage });
  });

  it('streams the same, event by event in order', async () => {
    const whole = await house.client().responses.create(asked);
    const stream = await house.client('streams').responses.create({ ...asked, stream: true });
    let text = '';
    const numbers: number[] = [];
    let last: OpenAI.Responses.ResponseStreamEvent | undefined;
    for await (const event of stream) {
      numbers.push(event.sequence_number);
      if (event.type === 'response.output_text.delta') text += event.delta;
      last = event;
    }
    assert.equal(text, whole.output_text);
    assert.deepEqual(numbers, [...numbers.keys()]);
    assert.ok(last?.type === 'response.incomplete');
    assert.equal(last.response.output_text ?? text, whole.output_text);
    await house.quiet();
    const report = (await house.heard('report')).findLast(({ streamed }) => streamed === true);
    assert.partialDeepStrictEqual(report, { ending: 'succeeded', usage: { completionTokens: 6 } });
  });

  it('has functions called, streamed or not, and goes on with what they say', async () => {
    const tools = [{ type: 'function' as const, name: 'tide', parameters, strict: false }];
    const question = { model: 'm', input: 'When?', tools, tool_choice: 'required' as const };
    const whole = await house.client().responses.create(question);
    const [call] = whole.output;
    assert.ok(call?.type === 'function_call');
    assert.deepEqual(JSON.parse(call.arguments), { port: 'harbour', days: 2 });
    const streamed = await house.client().responses.stream(question).finalResponse();
    assert.partialDeepStrictEqual(streamed.output[0], { type: 'function_call', arguments: call.arguments });
    const input = [call, { type: 'function_call_output' as const, call_id: call.call_id, output: 'at noon' }];
    const next = await house.client().responses.create({ model: 'm', input, tools });
    assert.equal(next.output[0]?.type, 'message');
    assert.equal(next.status, 'completed');
  });

  it('keeps nothing, and says so', async () => {
    const { responses } = house.client();
    for (const attempt of [responses.retrieve('resp_1'), responses.cancel('resp_1'), responses.delete('resp_1')]) {
      await assert.rejects(attempt, (error) => {
        assert.ok(error instanceof OpenAI.NotFoundError);
        assert.equal(error.code, 'not_kept');
        assert.match(error.message, /keeps no responses/);
        return true;
      });
    }
  });
});

describe('tools of a chat', () => {
  it('are called, streamed or not, and the chat goes on with what they say', async () => {
    const [house, server] = await smallHouse();
    const { completions } = house.client().chat;
    const tools = [{ type: 'function' as const, function: { name: 'tide', parameters } }];
    const tool_choice = { type: 'function' as const, function: { name: 'tide' } };
    const whole = await completions.create({ model: 'm', messages, tools, tool_choice });
    assert.equal(whole.choices[0]?.finish_reason, 'tool_calls');
    const [call] = whole.choices[0].message.tool_calls ?? [];
    assert.ok(call?.type === 'function');
    assert.deepEqual(JSON.parse(call.function.arguments), { port: 'harbour', days: 2 });
    const stream = completions.stream({ model: 'm', messages, tools, tool_choice });
    const streamed = await stream.finalChatCompletion();
    assert.partialDeepStrictEqual(streamed.choices[0], {
      finish_reason: 'tool_calls',
      message: { tool_calls: [{ function: { name: 'tide', arguments: call.function.arguments } }] },
    });
    const told = { role: 'tool' as const, tool_call_id: call.id, content: 'at noon' };
    const next = await completions.create({
      model: 'm',
      messages: [...messages, whole.choices[0].message, told],
      tools,
    });
    assert.equal(next.choices[0]?.finish_reason, 'stop');
    await house.close();
    await server.destroy();
  });
});

describe('a model server that dies in the middle of a stream', () => {
  const streams = {
    'of a chat': (client: OpenAI) => client.chat.completions.create({ model: 'm', messages, stream: true }),
    'of a completion': (client: OpenAI) => client.completions.create({ model: 'm', prompt: 'x', stream: true }),
    'of a response': (client: OpenAI) => client.responses.create({ model: 'm', input: 'x', stream: true }),
  } as const;

  for (const [name, ask] of Object.entries(streams)) {
    it(`${name} is an error to the client, after what came before`, async () => {
      const [house, server] = await smallHouse();
      server.set({ stallAfter: 3 });
      const events: AsyncIterable<unknown> = await ask(house.client());
      let count = 0;
      const read = async (): Promise<void> => {
        // The first event is there: whatever comes, comes before the error.
        for await (const _ of events) if ((count += 1) === 1) await server.destroy();
      };
      await assert.rejects(read(), (error) => {
        assert.ok(error instanceof OpenAI.APIError);
        assert.match(error.message, /stopped in the middle of its answer/);
        assert.equal(error.type, 'server_error');
        assert.equal(error.code, 'upstream_died');
        return true;
      });
      assert.ok(count >= 1);
      await house.quiet();
      house.assertEmpty();
      await house.close();
    });
  }
});
