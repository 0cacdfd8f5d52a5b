// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { BodyScan } from './body-scan.ts';
import type { BodyFamily } from './body-shapes.ts';
import { PromptHash } from './prompt-hash.ts';

const wish = { blockBytes: 16, maxBytes: 4096 };

function hash(body: string | object, cuts: readonly number[] = [], family: BodyFamily = 'chat'): number[] {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const places = [0, ...cuts.map((cut) => cut % bytes.length).toSorted((a, b) => a - b), bytes.length];
  const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
  const scan = new BodyScan(chunks, family);
  const facts = scan.next(Infinity);
  assert.ok(facts !== undefined && !('message' in facts), JSON.stringify(facts));
  const hashing = new PromptHash(chunks, scan, wish);
  for (;;) {
    const prefix = hashing.next(7);
    if (prefix !== undefined) return [...prefix.hashes];
  }
}

const system = { role: 'system', content: 'You are a harbour pilot. '.repeat(8) };
const user = (content: string) => ({ role: 'user', content });
const shared = (a: readonly number[], b: readonly number[]): number => {
  const end = a.findIndex((value, index) => value !== b[index]);
  return end < 0 ? a.length : end;
};

test('a body gives the same hashes however it was cut, and however little is read at a time', () => {
  const body = { model: 'm', messages: [system, user('Where is the buoy?')], cache_salt: 'tenant', tools: [{ a: 1 }] };
  const whole = hash(body);
  assert.ok(whole.length > 10);
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 8 }), (cuts) => {
      assert.deepEqual(hash(body, cuts), whole);
    }),
  );
});

test('what is not prompt does not count, wherever it stands in the body', () => {
  const messages = [system, user('Where is the buoy?')];
  const one = hash({ model: 'm', messages, temperature: 0.1, user: 'ann', seed: 1, stream: true });
  const other = hash({ stream: false, user: 'bob', seed: 2, max_tokens: 9, messages, model: 'm' });
  assert.deepEqual(one, other);
});

test('the same system prompt before other questions, and a chat that goes on, share their beginning', () => {
  const asked = hash({ messages: [system, user('Where is the buoy?')] });
  const systemBlocks = Math.floor(JSON.stringify([system]).length / 16);
  assert.ok(shared(asked, hash({ messages: [system, user('How deep is the water?')] })) >= systemBlocks);
  const goesOn = [system, user('Where is the buoy?'), { role: 'assistant', content: 'There.' }, user('And the pier?')];
  assert.equal(shared(asked, hash({ messages: goesOn })), asked.length);
});

test('tools come before messages as engines render them, so that other tools share nothing', () => {
  const messages = [system, user('Where is the buoy?')];
  const one = hash({ messages, tools: [{ name: 'chart' }] });
  assert.deepEqual(hash({ tools: [{ name: 'chart' }], messages }), one);
  assert.equal(shared(one, hash({ messages, tools: [{ name: 'radio' }] })), 0);
});

test('another cache salt shares nothing', () => {
  const messages = [system];
  assert.equal(shared(hash({ messages, cache_salt: 'a' }), hash({ messages, cache_salt: 'b' })), 0);
  assert.equal(shared(hash({ messages, cache_salt: 'a' }), hash({ messages })), 0);
  assert.deepEqual(hash({ messages, cache_salt: null }), hash({ messages }));
});

test('prompts of every kind are hashed, and a body without one has no hashes', () => {
  const long = 'a prompt of some length '.repeat(4);
  assert.ok(hash({ prompt: long }, [], 'completions').length > 4);
  assert.ok(hash({ prompt: Array.from({ length: 60 }, (_, index) => index) }, [], 'completions').length > 4);
  assert.ok(hash({ input: long }, [], 'embeddings').length > 4);
  assert.ok(hash({ system: long, messages: [] }, [], 'other').length > 4);
  assert.deepEqual(hash({ model: 'm' }), []);
});
