// SPDX-License-Identifier: Apache-2.0

/** The requests and answers of the speed measurements, as the bytes that go over the wire. */

const MODEL = 'bench-model';

export const MODEL_LIST = JSON.stringify({ object: 'list', data: [{ id: MODEL, object: 'model' }] });

/** What a chat completion that is not streamed looks like. */
export const JSON_ANSWER = JSON.stringify({
  id: 'chatcmpl-5f1c9b0a7d7e4c0f9d3a',
  object: 'chat.completion',
  created: 1_790_000_000,
  model: MODEL,
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: 'The capital of France is Paris, on the river Seine.' },
      logprobs: null,
      finish_reason: 'stop',
    },
  ],
  usage: { prompt_tokens: 24, completion_tokens: 12, total_tokens: 36 },
});

export const STREAM_HEAD = Buffer.from(
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n' +
    'date: Wed, 25 Nov 2026 12:00:00 GMT\r\nserver: uvicorn\r\ntransfer-encoding: chunked\r\n\r\n',
);

export const DONE_EVENT =
  `data: {"id":"chatcmpl-5f1c9b0a7d7e4c0f9d3a","object":"chat.completion.chunk","created":1790000000,` +
  `"model":"${MODEL}","choices":[],"usage":{"prompt_tokens":24,"completion_tokens":100,"total_tokens":124}}\n\n` +
  'data: [DONE]\n\n';

/** One event of a stream, as vLLM writes them. */
export function tokenEvent(index: number): string {
  const chunk = {
    id: 'chatcmpl-5f1c9b0a7d7e4c0f9d3a',
    object: 'chat.completion.chunk',
    created: 1_790_000_000,
    model: MODEL,
    choices: [{ index: 0, delta: { content: ` word${index}` }, logprobs: null, finish_reason: null }],
  };
  return `data: ${JSON.stringify(chunk)}\n\n`;
}

/** One chunk of a chunked body; an empty one ends it. */
export function chunked(text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
}

/** A whole answer. */
export function whole(type: string, body: string): Buffer {
  return Buffer.from(
    `HTTP/1.1 200 OK\r\ndate: Wed, 25 Nov 2026 12:00:00 GMT\r\nserver: uvicorn\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\ncontent-type: ${type}\r\n\r\n${body}`,
  );
}

export interface PromptOptions {
  /** Whose key it carries: each number is a tenant. */
  readonly tenant: number;
  readonly isStream: boolean;
  /** Bytes of prompt, about. */
  readonly promptBytes: number;
}

/** A whole request, headers as the official OpenAI client sends them. */
export function promptRequest({ tenant, isStream, promptBytes }: PromptOptions): Buffer {
  const sentence = 'What is the capital of France, and on which river\n does it "stand"? ';
  const content = sentence.repeat(Math.ceil(promptBytes / sentence.length)).slice(0, promptBytes);
  const body = JSON.stringify({
    model: MODEL,
    messages: [
      { role: 'system', content: 'You are a helpful assistant.' },
      { role: 'user', content },
    ],
    max_tokens: 100,
    temperature: 0.7,
    ...(isStream && { stream: true, stream_options: { include_usage: true } }),
  });
  return Buffer.from(
    'POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.example:8080\r\naccept: application/json\r\n' +
      'content-type: application/json\r\nuser-agent: OpenAI/JS 7.57.0\r\nx-stainless-lang: js\r\n' +
      'x-stainless-package-version: 7.57.0\r\nx-stainless-os: Linux\r\nx-stainless-arch: x64\r\n' +
      'x-stainless-runtime: node\r\nx-stainless-runtime-version: v26.10.0\r\nx-stainless-retry-count: 0\r\n' +
      `authorization: Bearer key-of-tenant-${tenant}\r\naccept-encoding: gzip, deflate, br\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: keep-alive\r\n\r\n${body}`,
  );
}
