// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TokenCounter } from './token-counter.ts';

const opening = 'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n';
const token = 'data: {"choices":[{"delta":{"content":"böot "}}]}\n\n';
const thought = 'data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}\n\n';
const done = 'data: [DONE]\n\n';

function usage(tokens: number): string {
  return `data: {"choices":[],"usage":{"completion_tokens":${tokens}}}\n\n`;
}

function read(...texts: string[]): TokenCounter {
  const counter = new TokenCounter();
  for (const text of texts) counter.push(Buffer.from(text));
  return counter;
}

test('an opening without text is no token; text and thoughts are', () => {
  const counter = new TokenCounter();
  assert.equal(counter.push(Buffer.from(opening)), 0);
  assert.equal(counter.push(Buffer.from(thought + token)), 2);
  assert.equal(counter.push(Buffer.from(usage(2) + done)), 0);
  assert.deepEqual([counter.counted, counter.uncounted, counter.complete, counter.problem], [2, 0, true, undefined]);
});

test('an engine that puts several tokens into an event is put right by its usage', () => {
  assert.equal(read(token, usage(5), done).uncounted, 4);
});

test('wherever the bytes are cut, the same is counted', () => {
  const bytes = Buffer.from(`: a comment\n${opening}${token}${token.replaceAll('\n', '\r\n')}${usage(2)}${done}`);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
      const counter = new TokenCounter();
      const ends = [...cuts.toSorted((a, b) => a - b), bytes.length];
      ends.reduce((start, end) => (counter.push(bytes.subarray(start, end)), end), 0);
      assert.deepEqual(
        [counter.counted, counter.uncounted, counter.complete, counter.problem],
        [2, 0, true, undefined],
      );
    }),
  );
});

test('error events, nonsense and endless lines are problems, and never throw', () => {
  assert.equal(read('data: {"error":{"message":"gone"}}\n\n').problem, 'an error event');
  assert.equal(read('data: {oops\n\n').problem, 'an event that is not JSON');
  assert.equal(read('data: 7\n\ndata: null\n\ndata: {"choices":{}}\n\n').counted, 0);
  const counter = read('data: ', 'x'.repeat(2 * 1024 * 1024));
  assert.match(counter.problem ?? '', /more than 1048576 characters/);
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void new TokenCounter().push(Buffer.from(bytes))));
});
