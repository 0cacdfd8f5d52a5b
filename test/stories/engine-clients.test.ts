// SPDX-License-Identifier: Apache-2.0

/** Clients of the engines' own APIs, which have no official library: vLLM's tokens in and out, SGLang's `generate`. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { openHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';

let house: House;
let server: ModelServer;
before(async () => {
  server = await startModelServer({ prefillMs: 1, tokenMs: 1, models: ['m'] });
  house = await openHouse({ servers: [{ url: server.url, models: ['m'] }] });
});
after(async () => {
  await house.close();
  await server.destroy();
});

function post(path: string, body: unknown, to = house): Promise<Response> {
  return fetch(to.url + path, { method: 'POST', body: JSON.stringify(body) });
}

/** The data of each event. */
async function eventsOf(answer: Response): Promise<string[]> {
  return [...(await answer.text()).matchAll(/^data: (.*)$/gm)].map(([, data]) => data!);
}

async function lastRequest() {
  await house.quiet();
  const report = (await house.heard('report')).at(-1);
  const { request } = (await house.heard('dispatched')).at(-1)!;
  return { report, sequences: request.sequences };
}

describe('vLLM’s generate', () => {
  const asked = { token_ids: [1, 2, 3], sampling_params: { max_tokens: 4, n: 2 } };

  it('answers with tokens; its sequences and its usage are read', async () => {
    const answer = (await (await post('/inference/v1/generate', asked)).json()) as {
      choices: { token_ids: number[] }[];
    };
    assert.deepEqual(
      answer.choices.map(({ token_ids: tokens }) => tokens.length),
      [4, 4],
    );
    const { report, sequences } = await lastRequest();
    assert.equal(sequences, 2);
    assert.partialDeepStrictEqual(report, { usage: { promptTokens: 3, completionTokens: 8 } });
  });

  it('streams', async () => {
    const streamed = { ...asked, stream: true, stream_options: { include_usage: true } };
    const data = await eventsOf(await post('/inference/v1/generate', streamed));
    assert.equal(data.pop(), '[DONE]');
    assert.equal(data.length, 9);
    assert.partialDeepStrictEqual((await lastRequest()).report, { usage: { promptTokens: 3, completionTokens: 8 } });
  });

  it('has errors as vLLM’s are', async () => {
    const answer = await post('/inference/v1/generate', { ...asked, sampling_params: { n: 0 } });
    assert.deepEqual(await answer.json(), {
      error: {
        message: 'sampling_params.n must be an integer from 1 to 1024, got 0',
        type: 'BadRequestError',
        param: 'sampling_params.n',
        code: 400,
      },
    });
  });
});

describe('SGLang’s generate', () => {
  it('answers without a model being named; its usage is read', async () => {
    const answer = await post('/generate', { text: 'Tell me a story.', sampling_params: { max_new_tokens: 4 } });
    assert.partialDeepStrictEqual(await answer.json(), { meta_info: { completion_tokens: 4 } });
    assert.partialDeepStrictEqual((await lastRequest()).report, { usage: { promptTokens: 4, completionTokens: 4 } });
  });

  it('answers a list with a list: each prompt is a sequence, and their usage is added up', async () => {
    const asked = { input_ids: [[1, 2], [3]], sampling_params: { max_new_tokens: 4 } };
    assert.equal(((await (await post('/generate', asked)).json()) as unknown[]).length, 2);
    const whole = await lastRequest();
    assert.equal(whole.sequences, 2);
    const usage = { promptTokens: 3, completionTokens: 8, cachedTokens: 0 };
    assert.partialDeepStrictEqual(whole.report, { usage });
    const data = await eventsOf(await post('/generate', { ...asked, stream: true }));
    assert.equal(data.pop(), '[DONE]');
    assert.equal(data.length, 8);
    assert.partialDeepStrictEqual((await lastRequest()).report, { usage });
  });

  it('has errors as SGLang’s are, of the gateway and of the server', async () => {
    const mine = await post('/generate', { text: 'x', sampling_params: { n: -1 } });
    const message = 'sampling_params.n must be an integer from 1 to 1024, got -1';
    assert.deepEqual(await mine.json(), { error: { message } });
    const theirs = await post('/generate', {});
    assert.equal(theirs.status, 400);
    assert.deepEqual(Object.keys(((await theirs.json()) as { error: object }).error), ['message']);
  });
});

describe('a model server that dies in the middle of such a stream', () => {
  for (const [path, body] of [
    ['/inference/v1/generate', { token_ids: [1], sampling_params: {}, stream: true }],
    ['/generate', { text: 'x', stream: true }],
  ] as const) {
    it(`is an error in the stream of ${path}, and the stream has no end`, async () => {
      const mortal = await startModelServer({ prefillMs: 1, tokenMs: 1, models: ['m'], stallAfter: 3 });
      const other = await openHouse({ servers: [{ url: mortal.url, models: ['m'] }] });
      const answer = await post(path, body, other);
      let text = '';
      const read = async (): Promise<void> => {
        for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
          if (text === '') await mortal.destroy();
          text += chunk;
        }
      };
      await assert.rejects(read(), /terminated/);
      const last = text.trimEnd().split('\n\n').at(-1);
      assert.match(last ?? '', /^data: \{"error":\{"message":"The model server stopped in the middle of its answer\."/);
      assert.doesNotMatch(text, /\[DONE\]/);
      await other.quiet();
      other.assertEmpty();
      await other.close();
    });
  }
});
