// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { scanBody } from './body-scan.ts';
import { stringEnd } from './byte-runs.ts';
import { createWindowSearch, hostWebAssembly, insideEnd } from './inside-string.ts';

type Search = (bytes: Uint8Array, from: number) => number;

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const inPlace: Search = (bytes, from) => stringEnd(viewOf(bytes), from, bytes.length);
const asTheScannerAsks: Search = (bytes, from) => insideEnd(bytes, viewOf(bytes), from);
const byModule = createWindowSearch(hostWebAssembly);

/** Every way to look, by its name. This machine's Node has SIMD: else half of what is here would be shown of nothing. */
function searches(): [string, Search][] {
  assert.ok(byModule !== undefined, 'WebAssembly with SIMD does not run here');
  return [
    ['in place', inPlace],
    ['by the module', byModule],
    ['as the scanner asks', asTheScannerAsks],
  ];
}

/** What all of them have to find, said by the grammar of RFC 8259. Latin-1: a character is a byte. */
function grammarEnd(bytes: Uint8Array, from: number): number {
  const inside = /(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*/y;
  inside.lastIndex = from;
  inside.exec(Buffer.from(bytes).toString('latin1'));
  return inside.lastIndex;
}

function agree(bytes: Uint8Array, from = 0): void {
  const expected = grammarEnd(bytes, from);
  for (const [name, search] of searches()) assert.equal(search(bytes, from), expected, name);
}

const wellFormed = fc.oneof(
  fc.integer({ min: 1, max: 40 }).map((length) => 'x'.repeat(length)),
  fc.constantFrom('\\n', '\\t', '\\"', '\\\\', '\\/', '\\b', '\\f', '\\r', '\\u00e9', '\\uD83D\\ude00', 'n', 'u', 't'),
  fc.constantFrom('\x7f', '\x80', '\xff', '\xdc', '\xa2', ' ', '!', '#', '[', ']'),
);
const anything = fc.oneof(
  { weight: 4, arbitrary: wellFormed },
  {
    weight: 1,
    arbitrary: fc.constantFrom('"', '\\', '\\u', '\\u12', '\\u12g4', '\\uu', '\\x', '\\N', '\\\n', '\0', '\x1f', '\n'),
  },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)) },
);
/** Some text that goes on for so many bytes, and then anything. */
const texts = fc
  .tuple(
    fc.array(wellFormed, { minLength: 1, maxLength: 20 }).map((pieces) => pieces.join('')),
    fc.oneof(fc.nat(600), fc.nat(40_000)),
    fc.array(anything, { maxLength: 30 }).map((pieces) => pieces.join('')),
  )
  .map(([text, length, end]) =>
    Buffer.from(text.repeat(Math.ceil(length / text.length)).slice(0, length) + end, 'latin1'),
  );

describe('the end of the inside of a string', () => {
  it('is found in place and by the module where the grammar has it, whatever the bytes are', () => {
    fc.assert(
      fc.property(texts, fc.nat(100), (bytes, from) => {
        agree(bytes, Math.min(from, bytes.length));
      }),
      { numRuns: 1_000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        agree(bytes);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is found wherever it is: each byte that ends one, each escape, at each place of a vector and of a window', () => {
    const escapes = Array.from({ length: 256 }, (_, byte) => `\\${String.fromCharCode(byte)}`);
    const digits = [
      '\\u0aF9',
      '\\u0aFg',
      '\\u0a:9',
      '\\u0G19',
      '\\u/aF9',
      '\\u0a"',
      '\\\\\\u00e9"',
      '\\\\\\\\\\',
      '\\\\"',
    ];
    const ends = [...escapes, ...digits, ...Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte))];
    for (const end of ends) {
      for (let before = 0; before < 18; before += 1) {
        agree(Buffer.from(`${'y'.repeat(before)}${end}${'z'.repeat(before % 3)}`, 'latin1'));
      }
    }
    for (const border of [512, 2_048, 512 + 2_048, 2_048 + 16_384, 512 + 2_048 + 16_384, 2_048 + 2 * 16_384]) {
      for (const end of ['"', '\\"', '\\\\"', '\\u00e9"', '\\u00g9', '\\x', '\x07']) {
        for (let before = border - 18; before <= border + 7; before += 1) {
          agree(Buffer.from(`${'y'.repeat(before)}${end}${'z'.repeat(20)}`, 'latin1'));
          agree(Buffer.from(`${'y'.repeat(before)}${end}`, 'latin1'));
        }
      }
    }
  });

  it('does not depend on what was looked through before', () => {
    for (const [name, search] of searches()) {
      for (const stale of ['"', '\\', 'n', '0', '\\u00e9', '\x01']) {
        search(Buffer.from(stale.repeat(3_000)), 0);
        for (const cut of ['x\\', 'x\\u', 'x\\u00', 'x\\u00e']) {
          assert.equal(search(Buffer.from('x'.repeat(1_000) + cut), 0), 1_001, `${name} after ${stale}, ${cut}`);
        }
      }
    }
  });
});

describe('a body with a long string', () => {
  it('is judged the same in one chunk and cut anywhere: same verdict, same place, same words', () => {
    const chunksOf = (body: Buffer, size: number) =>
      Array.from({ length: Math.ceil(body.length / size) }, (_, index) =>
        body.subarray(index * size, (index + 1) * size),
      );
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 500 }), fc.nat(), (text, size, place) => {
        const body = Buffer.concat([Buffer.from('{"model":"m","prompt":"'), text, Buffer.from('"}')]);
        const whole = scanBody([body], 'completions');
        // Chunks that are too short for the module.
        assert.deepEqual(scanBody(chunksOf(body, size), 'completions'), whole);
        const at = place % body.length;
        assert.deepEqual(scanBody([body.subarray(0, at), body.subarray(at)], 'completions'), whole);
      }),
      { numRuns: 500 },
    );
  });

  it('is accepted exactly if JSON.parse accepts it, cut at each of its bytes', () => {
    const long = 'Grüße, \\"Welt\\"\\n\\t\\u00e9\\\\'.repeat(60);
    for (const [end, isValid] of [
      ['', true],
      ['\\', false],
      ['\\u00', false],
      ['\x01', false],
      ['\\x', false],
    ] as const) {
      const body = Buffer.from(`{"prompt":"${long}${end}","n":1}`);
      const parse = () => void JSON.parse(body.toString());
      if (isValid) assert.doesNotThrow(parse);
      else assert.throws(parse, SyntaxError);
      const whole = scanBody([body], 'completions');
      assert.equal('message' in whole, !isValid);
      for (let at = 0; at <= body.length; at += 1) {
        assert.deepEqual(scanBody([body.subarray(0, at), body.subarray(at)], 'completions'), whole);
      }
    }
  });
});

describe('the search by the module', () => {
  it('is done without where the host has no WebAssembly, no SIMD, or no room for a memory', () => {
    assert.equal(createWindowSearch(undefined), undefined);
    const host = hostWebAssembly!;
    const { Module } = host;
    assert.equal(createWindowSearch({ Module, Instance: host.Instance, validate: () => false }), undefined);
    class Instance {
      readonly exports = {};
      constructor() {
        throw new RangeError('Out of memory: Cannot allocate Wasm memory for new instance');
      }
    }
    assert.equal(createWindowSearch({ Module, Instance, validate: () => true }), undefined);
  });
});
