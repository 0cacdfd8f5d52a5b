// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  APIError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from 'openai';
import { Stream } from 'openai/core/streaming';
import { errorBody, streamErrorEvent } from './error-bodies.ts';

function parse(bytes: Buffer): unknown {
  return JSON.parse(bytes.toString()) as unknown;
}

describe('an error body', () => {
  it('is OpenAI’s, with every member present', () => {
    assert.deepEqual(
      parse(errorBody('openai', { status: 404, message: 'no such model: x', code: 'model_not_found', param: 'model' })),
      {
        error: { message: 'no such model: x', type: 'invalid_request_error', param: 'model', code: 'model_not_found' },
      },
    );
    assert.deepEqual(parse(errorBody('openai', { status: 502, message: 'gone' })), {
      error: { message: 'gone', type: 'server_error', param: null, code: null },
    });
  });

  it('is Anthropic’s', () => {
    assert.deepEqual(parse(errorBody('anthropic', { status: 413, message: 'too large', code: 'x', param: 'y' })), {
      type: 'error',
      error: { type: 'request_too_large', message: 'too large' },
    });
    assert.deepEqual(parse(errorBody('anthropic', { status: 404, message: 'no', requestId: 'r' })), {
      type: 'error',
      error: { type: 'not_found_error', message: 'no' },
      request_id: 'r',
    });
  });

  it('is vLLM’s, whose code is the status', () => {
    const error = (status: number) => parse(errorBody('vllm', { status, message: 'm', code: 'x', param: 'n' }));
    assert.deepEqual(error(400), { error: { message: 'm', type: 'BadRequestError', param: 'n', code: 400 } });
    assert.deepEqual(error(429), { error: { message: 'm', type: 'Too Many Requests', param: 'n', code: 429 } });
  });

  it('is SGLang’s, which is a message', () => {
    assert.deepEqual(parse(errorBody('sglang', { status: 429, message: 'full' })), { error: { message: 'full' } });
  });

  it('has a type for every status, and the one that was asked for before that', () => {
    const types = (status: number) =>
      (['openai', 'anthropic'] as const).map(
        (api) => (parse(errorBody(api, { status, message: '' })) as { error: { type: string } }).error.type,
      );
    assert.deepEqual(types(400), ['invalid_request_error', 'invalid_request_error']);
    assert.deepEqual(types(401), ['authentication_error', 'authentication_error']);
    assert.deepEqual(types(405), ['invalid_request_error', 'invalid_request_error']);
    assert.deepEqual(types(429), ['rate_limit_error', 'rate_limit_error']);
    assert.deepEqual(types(500), ['server_error', 'api_error']);
    assert.deepEqual(types(503), ['server_error', 'overloaded_error']);
    assert.deepEqual(types(504), ['timeout_error', 'timeout_error']);
    assert.match(errorBody('anthropic', { status: 503, type: 'own_error', message: '' }).toString(), /"own_error"/);
  });

  it('makes the official client raise the exception of its status, with our message', () => {
    for (const [status, kind] of [
      [400, BadRequestError],
      [401, AuthenticationError],
      [404, NotFoundError],
      [429, RateLimitError],
      [503, InternalServerError],
    ] as const) {
      const raised = APIError.generate(
        status,
        parse(errorBody('openai', { status, message: 'why it failed' })) as object,
        undefined,
        new Headers(),
      );
      assert.ok(raised instanceof kind);
      assert.match(raised.message, /why it failed/);
    }
  });
});

describe('a stream’s last event', () => {
  async function readStream(text: string): Promise<{ read: unknown[]; raised: unknown }> {
    const stream = Stream.fromSSEResponse(new Response(text), new AbortController());
    const read: unknown[] = [];
    try {
      for await (const event of stream) read.push(event);
    } catch (raised) {
      return { read, raised };
    }
    return { read, raised: undefined };
  }

  it('is raised by the official client after what came before', async () => {
    const error = streamErrorEvent('openai', { status: 502, message: 'the model server died' }).toString();
    for (const before of ['data: {"a":1}\n\n', 'data: {"a":1}\n']) {
      const { read, raised } = await readStream(before + error);
      assert.deepEqual(read, [{ a: 1 }]);
      assert.ok(raised instanceof APIError);
      assert.match(raised.message, /the model server died/);
    }
  });

  it('is raised by the official client of responses, and is what their documentation describes', async () => {
    const error = streamErrorEvent('responses', { status: 502, message: 'the model server died' }).toString();
    const { read, raised } = await readStream(`event: response.created\ndata: {"a":1}\n\n${error}`);
    assert.deepEqual(read, [{ a: 1 }]);
    assert.ok(raised instanceof APIError);
    assert.match(raised.message, /the model server died/);
    assert.equal(raised.type, 'server_error');
    assert.match(
      error,
      /^\n\nevent: error\ndata: \{"type":"error","code":null,"message":"the model server died","param":/,
    );
  });

  it('has Anthropic’s event name', () => {
    assert.equal(
      streamErrorEvent('anthropic', { status: 503, message: 'm' }).toString(),
      '\n\nevent: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"m"}}\n\n',
    );
  });

  it('is one line of data whatever the message holds', () => {
    const event = streamErrorEvent('openai', { status: 500, message: 'a\n\nb' }).toString();
    assert.equal(event.trim().split('\n').length, 1);
  });
});
