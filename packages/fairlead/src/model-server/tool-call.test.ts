// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readToolChoice, toolCall } from './tool-call.ts';
import type { ToolChoice } from './tool-call.ts';

const tools = [
  { name: 'first', schema: undefined },
  { name: 'second', schema: { type: 'object', properties: { port: { type: 'string' }, days: { type: 'integer' } } } },
];

function argumentsFor(schema: unknown): unknown {
  const call = toolCall([{ name: 't', schema }], 'required', false);
  return JSON.parse(call!.pieces.join(''));
}

describe('a tool call', () => {
  test('is of the tool that is named, else of the first, and of none that is not there', () => {
    const name = (choice: ToolChoice) => toolCall(tools, choice, false)?.name;
    assert.equal(name({ name: 'second' }), 'second');
    assert.equal(name('required'), 'first');
    assert.equal(name('none'), undefined);
    assert.equal(name({ name: 'third' }), undefined);
    assert.equal(toolCall([], 'required', false), undefined);
  });

  test('is left out when a tool has spoken, unless it is asked for', () => {
    assert.equal(toolCall(tools, 'auto', true), undefined);
    assert.equal(toolCall(tools, 'auto', false)?.name, 'first');
    assert.equal(toolCall(tools, 'required', true)?.name, 'first');
  });

  test('has arguments that fit the schema', () => {
    assert.deepEqual(argumentsFor(tools[1]!.schema), { port: 'harbour', days: 1 });
    assert.deepEqual(argumentsFor({ type: 'array', items: { type: 'number', minimum: 3 } }), [3]);
    assert.deepEqual(argumentsFor({ type: 'object', properties: { kind: { enum: ['big', 'small'] } } }), {
      kind: 'big',
    });
    assert.deepEqual(argumentsFor({ type: 'object', properties: [] }), {});
    assert.equal(argumentsFor({ type: ['string', 'null'] }), 'harbour');
  });

  test('ends, however deep a schema is', () => {
    let schema: unknown = { type: 'string' };
    for (let level = 0; level < 100; level += 1) schema = { type: 'array', items: schema };
    assert.deepEqual(argumentsFor(schema), [[[[[[['harbour']]]]]]]);
  });

  test('is chosen in the words of each API', () => {
    assert.deepEqual(readToolChoice({ type: 'function', function: { name: 'a' } }), { name: 'a' });
    assert.deepEqual(readToolChoice({ type: 'function', name: 'a' }), { name: 'a' });
    assert.deepEqual(readToolChoice({ type: 'tool', name: 'a' }), { name: 'a' });
    assert.equal(readToolChoice({ type: 'any' }), 'required');
    assert.equal(readToolChoice('required'), 'required');
    assert.equal(readToolChoice({ type: 'none' }), 'none');
    for (const other of [undefined, 'auto', { type: 'auto' }, 7]) assert.equal(readToolChoice(other), 'auto');
  });
});
