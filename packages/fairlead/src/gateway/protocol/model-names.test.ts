// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ModelNames } from './model-names.ts';

/** The text after it came in pieces that end at `cuts`. */
function mapped(text: string, cuts: readonly number[] = [], isStream = false): string {
  const names = new ModelNames({ from: 'llama-"7"', to: 'chat', isStream });
  const bytes = Buffer.from(text);
  const ends = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const end of ends) {
    parts.push(names.push(bytes.subarray(from, end)));
    from = end;
  }
  return Buffer.concat([...parts, names.end()]).toString();
}

const NAME = 'llama-"7"';
const cuts = fc.array(fc.nat(), { maxLength: 30 });

describe('The name of the model in an answer', () => {
  it('is the one that was asked for, at the top and in the envelopes of events', () => {
    const event = { type: 'x', response: { id: 1, model: NAME }, message: { model: NAME }, model: NAME };
    const expected = { type: 'x', response: { id: 1, model: 'chat' }, message: { model: 'chat' }, model: 'chat' };
    assert.deepEqual(JSON.parse(mapped(JSON.stringify(event, null, 2))), expected);
  });

  it('is left alone when it is another, and in what the model wrote', () => {
    const answer = {
      model: 'other',
      choices: [{ message: { content: `{"model":${JSON.stringify(NAME)}}`, model: NAME } }],
      content: [{ type: 'tool_use', input: { model: NAME } }],
      metadata: { model: NAME },
      list: ['model', NAME],
      note: 'model',
    };
    const text = JSON.stringify(answer);
    assert.equal(mapped(text), text);
  });

  it('is replaced wherever the answer is cut, in any document', () => {
    const key = fc.constantFrom('model', 'response', 'message', 'a', 'mo"del', 'models');
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 4 }, fc.constantFrom(NAME, 'x', '"', 1, null, true), tie('list'), tie('object')),
      list: fc.array(tie('value'), { maxLength: 3 }),
      object: fc.dictionary(key, tie('value'), { maxKeys: 4 }),
    }));
    const named = (container: unknown): unknown =>
      container !== null &&
      typeof container === 'object' &&
      !Array.isArray(container) &&
      Object.hasOwn(container, 'model')
        ? {
            ...container,
            model: (container as { model: unknown }).model === NAME ? 'chat' : (container as { model: unknown }).model,
          }
        : container;
    fc.assert(
      fc.property(fc.dictionary(key, value, { maxKeys: 5 }), cuts, fc.constantFrom(0, 2), (document, at, indent) => {
        const expected = named(document) as Record<string, unknown>;
        for (const envelope of ['response', 'message']) {
          if (Object.hasOwn(expected, envelope)) expected[envelope] = named(expected[envelope]);
        }
        assert.deepEqual(
          JSON.parse(mapped(JSON.stringify(document, null, indent), at)),
          JSON.parse(JSON.stringify(expected)),
        );
      }),
    );
  });

  it('is replaced in every event of a stream, and nowhere else in it', () => {
    const name = JSON.stringify(NAME);
    const stream = `: model ${name}\nevent: model\ndata: {"model": ${name}, "x": "}"}\n\ndata:{"model":${name}\n\ndata: [DONE]\n\nid: {"model":${name}}\r\ndata: {"a":[{"model":${name}}],"model":${name}}\r\n\r\n`;
    const expected = `: model ${name}\nevent: model\ndata: {"model": "chat", "x": "}"}\n\ndata:{"model":"chat"\n\ndata: [DONE]\n\nid: {"model":${name}}\r\ndata: {"a":[{"model":${name}}],"model":"chat"}\r\n\r\n`;
    fc.assert(fc.property(cuts, (at) => assert.equal(mapped(stream, at, true), expected)));
  });

  it('passes bytes that are no JSON on as they came, whatever they are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...'{}[]":,\\amodel\n', '"model":'), { maxLength: 60 }),
        cuts,
        (words, at) => {
          const text = words.join('');
          for (const isStream of [false, true]) assert.equal(mapped(text, at, isStream), text);
        },
      ),
    );
  });
});
