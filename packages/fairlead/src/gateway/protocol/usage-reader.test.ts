// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Usage } from '@fairlead/core';
import fc from 'fast-check';
import type { ApiFormat } from './error-bodies.ts';
import { createUsageReader } from './usage-reader.ts';

const openai = {
  prompt_tokens: 12,
  completion_tokens: 34,
  total_tokens: 46,
  prompt_tokens_details: { cached_tokens: 8 },
};
const read: Usage = { promptTokens: 12, completionTokens: 34, cachedTokens: 8 };

function readAll(
  contentType: string | undefined,
  chunks: readonly (string | Uint8Array)[],
  api?: ApiFormat,
): Usage | undefined {
  const reader = createUsageReader(contentType, api);
  for (const chunk of chunks) reader.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  return reader.end();
}

function readJson(body: unknown): Usage | undefined {
  return readAll('application/json', [JSON.stringify(body)]);
}

function readEvents(...events: unknown[]): Usage | undefined {
  return readAll('text/event-stream; charset=utf-8', [
    events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''),
  ]);
}

/** Cuts `bytes` at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

describe('usage of a JSON answer', () => {
  it('is read at the end, where vLLM puts it', () => {
    assert.deepEqual(
      readJson({ id: 'x', choices: [{ message: { content: 'hi' } }], usage: openai, prompt_logprobs: null }),
      read,
    );
  });

  it('is read with members after it, as llama.cpp sends', () => {
    assert.deepEqual(
      readJson({ choices: [], usage: openai, timings: { prompt_n: 12, list: [1, { usage: { prompt_tokens: 1 } }] } }),
      read,
    );
  });

  it('is read at the beginning of a long answer', () => {
    assert.deepEqual(readJson({ usage: openai, data: [{ embedding: Array(20_000).fill(0.25) }] }), read);
  });

  it('is read at the end of a huge answer whose beginning has another', () => {
    const huge = 'x'.repeat(3 << 20);
    const chunks = [`{"a":{"usage":{"prompt_tokens":1}},"b":"`, huge, `","usage":${JSON.stringify(openai)}}`];
    assert.deepEqual(readAll(undefined, chunks), read);
  });

  it('is not taken from a tool call, a string or a list, wherever they stand', () => {
    const fake = { usage: { prompt_tokens: 999 } };
    assert.deepEqual(readJson({ usage: openai, content: [{ type: 'tool_use', input: fake }] }), read);
    assert.deepEqual(readJson({ content: [{ type: 'tool_use', input: fake }], usage: openai }), read);
    assert.equal(readJson({ content: [{ type: 'tool_use', input: fake }] }), undefined);
    assert.equal(readJson({ content: JSON.stringify(fake) }), undefined);
    assert.equal(readJson({ token: 'usage', x: 'usage' }), undefined);
    assert.equal(readJson({ 'their"usage': { prompt_tokens: 999 } }), undefined);
  });

  it('is read in the spellings of the responses and the messages API', () => {
    assert.deepEqual(
      readJson({ usage: { input_tokens: 5, output_tokens: 7, input_tokens_details: { cached_tokens: 2 } } }),
      { promptTokens: 5, completionTokens: 7, cachedTokens: 2 },
    );
    assert.deepEqual(
      readJson({
        usage: { input_tokens: 5, cache_creation_input_tokens: 10, cache_read_input_tokens: 100, output_tokens: 7 },
      }),
      { promptTokens: 115, completionTokens: 7, cachedTokens: 100 },
    );
  });

  it('ignores what is no whole number, each for itself, and passes on what no request has to be counted', () => {
    const usage = { prompt_tokens: -1, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 2e9 } };
    assert.deepEqual(readJson({ usage }), { promptTokens: -1, completionTokens: 4, cachedTokens: 2e9 });
    assert.equal(readJson({ usage: { prompt_tokens: 1.5, completion_tokens: null } }), undefined);
    assert.equal(readJson({ usage: { prompt_tokens: { a: [] } } }), undefined);
    assert.equal(readAll(undefined, ['{"usage":{"prompt_tokens":NaN}}']), undefined);
    assert.deepEqual(readJson({ usage: { prompt_tokens: '17' } }), { promptTokens: 17 });
    assert.equal(
      readJson({ usage: { prompt_tokens: '17 tokens', completion_tokens: '', cached_tokens: '-1' } }),
      undefined,
    );
    const large = { prompt_tokens: 1e3, completion_tokens: 12_345_678_901 };
    assert.deepEqual(readJson({ usage: large }), { promptTokens: 1000, completionTokens: 12_345_678_901 });
    assert.deepEqual(readAll(undefined, ['{"usage":{"prompt_tokens":1e3,"completion_tokens":2.50E1}}']), {
      promptTokens: 1000,
      completionTokens: 25,
    });
  });

  it('has its details from where they are meant, and under escaped names as well', () => {
    const details = (text: string) => readAll(undefined, [`{"usage":{"prompt_tokens":9,${text}}}`]);
    const told = { promptTokens: 9, cachedTokens: 4 };
    assert.deepEqual(details('"prompt_tokens_details":{"audio_tokens":7,"cached_tokens":4,"x":5}'), told);
    assert.deepEqual(
      details('"prompt_tokens_details":{"cached_tokens":3},"prompt_tokens_details":{"cached_tokens":4}'),
      told,
    );
    assert.deepEqual(details('"prompt_tokens_details":null,"cached_tokens":4'), told);
    assert.deepEqual(details('"prompt_tokens_details":{"x":{"cached_tokens":1}},"cached_tokens":4'), told);
    assert.deepEqual(details('"prompt_tokens_details":[{"cached_tokens":1},1],"cached_tokens":4'), told);
    assert.deepEqual(details('"cached_tokens":4,"other":{"cached_tokens":1}'), told);
    assert.deepEqual(details('"\\u0063ached_tokens":4'), told);
    assert.deepEqual(details('"cached_tokens":1,"cached_tokens":4'), told);
    assert.deepEqual(details('"cached_tokens":4,"cached_tokens":null'), { promptTokens: 9 });
  });

  it('is the last when it is told twice', () => {
    assert.deepEqual(readAll(undefined, ['{"usage":{"prompt_tokens":1},"usage":{"prompt_tokens":2}}']), {
      promptTokens: 2,
    });
  });

  it('is not looked for in answers that are not JSON', () => {
    assert.equal(readAll('audio/wav', [JSON.stringify({ usage: openai })]), undefined);
  });
});

describe('usage of an event stream', () => {
  it('is read from the last event, with null in those before', () => {
    const token = { choices: [{ delta: { content: 'hi' } }], usage: null };
    const events = [...Array<unknown>(5).fill(token), { choices: [], usage: openai }];
    const text = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('') + 'data: [DONE]\n\n';
    assert.deepEqual(readAll('text/event-stream', [text]), read);
    assert.deepEqual(readAll('text/event-stream', [text.replaceAll('\n', '\r\n')]), read);
  });

  it('is the last of many when every event tells it', () => {
    const events = Array.from({ length: 30_000 }, (_, index) => ({
      usage: { prompt_tokens: 5, completion_tokens: index },
    }));
    assert.deepEqual(readEvents(...events), { promptTokens: 5, completionTokens: 29_999 });
  });

  it('is read from response.completed', () => {
    assert.deepEqual(
      readEvents({
        type: 'response.completed',
        response: { output: [], usage: { input_tokens: 1, output_tokens: 2 } },
      }),
      {
        promptTokens: 1,
        completionTokens: 2,
      },
    );
  });

  it('is put together from message_start and message_delta', () => {
    assert.deepEqual(
      readEvents(
        {
          type: 'message_start',
          message: { usage: { input_tokens: 25, cache_read_input_tokens: 5, output_tokens: 1 } },
        },
        { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 15 } },
        { type: 'message_stop' },
      ),
      { promptTokens: 30, completionTokens: 15, cachedTokens: 5 },
    );
  });

  it('is not undone by a server that says 0 of what it told before, or will tell later', () => {
    assert.deepEqual(
      readEvents(
        { type: 'message_start', message: { usage: { input_tokens: 0, output_tokens: 0 } } },
        { type: 'message_delta', usage: { input_tokens: 7, output_tokens: 3 } },
        { type: 'message_delta', usage: { input_tokens: 0, output_tokens: 4 } },
      ),
      { promptTokens: 7, completionTokens: 4 },
    );
  });

  it('is not taken from deeper inside an event', () => {
    assert.equal(readEvents({ choices: [{ usage: openai }] }), undefined);
  });

  it('is read when the stream breaks off without its last blank line', () => {
    assert.deepEqual(readAll('text/event-stream', [`data: {"usage":${JSON.stringify(openai)}}`]), read);
  });
});

describe('usage of SGLang’s generate', () => {
  const sequence = (id: string, completion_tokens: number) => ({
    text: '"meta_info": {"id": "x", "completion_tokens": 999}',
    output_ids: [1, 2],
    meta_info: { id, finish_reason: { type: 'stop' }, prompt_tokens: 5, completion_tokens, cached_tokens: 1 },
  });

  it('is that of the answer', () => {
    assert.deepEqual(readAll('application/json', [JSON.stringify(sequence('a', 7))], 'sglang'), {
      promptTokens: 5,
      completionTokens: 7,
      cachedTokens: 1,
    });
  });

  it('is the sum of its sequences', () => {
    const body = JSON.stringify([sequence('a', 7), sequence('b', 8)]);
    const whole = { promptTokens: 10, completionTokens: 15, cachedTokens: 2 };
    assert.deepEqual(readAll('application/json', [body], 'sglang'), whole);
    assert.deepEqual(readAll('application/json', cut(Buffer.from(body), [9, 80, 81, 200]), 'sglang'), whole);
  });

  it('is what each sequence of a stream told last', () => {
    const events = [sequence('a', 1), sequence('b', 1), sequence('a', 2), sequence('b', 2), sequence('a', 3)];
    const text = events.map((event, index) => `data: ${JSON.stringify({ ...event, index })}\n\n`).join('');
    assert.deepEqual(readAll('text/event-stream', [text, 'data: [DONE]\n\n'], 'sglang'), {
      promptTokens: 10,
      completionTokens: 5,
      cachedTokens: 2,
    });
  });

  it('is not looked for elsewhere', () => {
    assert.equal(readAll('application/json', [JSON.stringify(sequence('a', 7))]), undefined);
    assert.equal(readAll('application/json', [JSON.stringify({ usage: openai })], 'sglang'), undefined);
  });
});

describe('the usage reader', () => {
  const texts = [
    [
      'application/json',
      JSON.stringify({ a: 'say \\"usage\\": {', tool: { usage: { prompt_tokens: 3 } }, usage: openai, z: [1, '}'] }),
    ],
    ['application/json', JSON.stringify({ 'x"usage': { prompt_tokens: 3 }, usage: openai }, null, 2)],
    [
      'text/event-stream',
      `: hello\n\ndata: {"usage":null}\n\ndata: {"x":"\\"usage","usage" : ${JSON.stringify(openai)} }\r\n\r\ndata: [DONE]\n\n`,
    ],
  ] as const;

  it('reads the same whatever the chunks', () => {
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.array(fc.nat(), { maxLength: 12 }), ([type, text], places) => {
        assert.deepEqual(readAll(type, cut(Buffer.from(text), places)), read);
      }),
      { numRuns: 500 },
    );
    for (const [type, text] of texts) {
      const single = cut(Buffer.from(text), [...Buffer.from(text).keys()]);
      assert.deepEqual(readAll(type, single), read);
    }
  });

  it('does not mind that the memory of a chunk is used again', () => {
    for (const [type, text] of texts) {
      const bytes = Buffer.from(text);
      for (const size of [1, 7, 16, 50, 100]) {
        const reader = createUsageReader(type);
        const memory = Buffer.alloc(size);
        for (let at = 0; at < bytes.length; at += size) {
          reader.push(memory.subarray(0, bytes.copy(memory, 0, at, at + size)));
          memory.fill('}');
        }
        assert.deepEqual(reader.end(), read, `${size} bytes of ${text}`);
      }
    }
  });

  it('survives arbitrary bytes', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.constantFrom('"usage"', '"usage":{', '{', '}', '\n\n', '\\', '"').map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(fc.array(piece), fc.constantFrom('text/event-stream', undefined), (pieces, type) => {
        readAll(type, pieces);
      }),
    );
  });

  it('stays bounded and quick when every byte is a candidate that never ends', () => {
    const chunk = Buffer.from('{"usage":'.repeat(4000));
    for (const type of ['text/event-stream', 'application/json']) {
      assert.equal(readAll(type, Array<Buffer>(200).fill(chunk)), undefined);
    }
  });
});
