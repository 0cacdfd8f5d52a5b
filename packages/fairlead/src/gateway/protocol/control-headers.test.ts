// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MAX_DURATION_MS, givenRequestId, readControlHeaders } from './control-headers.ts';
import type { ControlHeaders, HeaderProblem } from './control-headers.ts';

function read(headers: Record<string, string>, trusted: boolean): ControlHeaders {
  const result = readControlHeaders(headers, trusted);
  assert.ok(!('message' in result), 'message' in result ? result.message : '');
  return result;
}

function problem(headers: Record<string, string>, trusted = true): HeaderProblem {
  const result = readControlHeaders(headers, trusted);
  assert.ok('message' in result);
  return result;
}

const everything = {
  'x-request-id': 'r-1',
  'x-fairlead-ttl-ms': '1500',
  'x-fairlead-deadline-ms': '9000',
  'x-llm-d-slo-ttft-ms': '200',
  'x-llm-d-model-name-rewrite': 'm',
};

describe('control headers', () => {
  it('are all read from a trusted source', () => {
    const told = { ttlMs: 1500, deadlineInMs: 9000, ttftSloMs: 200, modelRewrite: 'm' };
    assert.deepEqual(read(everything, true), told);
  });

  it('are not looked at from anyone else, but for the TTL', () => {
    assert.deepEqual(read({ ...everything, 'x-llm-d-slo-ttft-ms': 'garbage' }, false), { ttlMs: 1500 });
  });

  it('are read in their older spelling, unless the current one is present, even if empty', () => {
    const older = { 'x-gateway-model-name-rewrite': 'old', 'x-slo-ttft-ms': '7' };
    assert.partialDeepStrictEqual(read(older, true), { modelRewrite: 'old', ttftSloMs: 7 });
    assert.equal(read({ ...older, 'x-llm-d-model-name-rewrite': 'new' }, true).modelRewrite, 'new');
    assert.equal(read({ ...older, 'x-llm-d-model-name-rewrite': '' }, true).modelRewrite, undefined);
  });

  it('have a request id when one is given that is sane', () => {
    for (const id of ['', 'x'.repeat(129), 'a\u0080b', ' '])
      assert.equal(givenRequestId({ 'x-request-id': id }), undefined);
    assert.equal(givenRequestId({}), undefined);
    assert.equal(givenRequestId({ 'x-request-id': ' r-1 ' }), 'r-1');
    assert.equal(givenRequestId({ 'x-request-id': 'x'.repeat(128) })?.length, 128);
  });

  for (const value of [
    '-5',
    '0',
    '1.5',
    '',
    'soon',
    '1e3',
    '0x10',
    String(MAX_DURATION_MS + 1),
    '99999999999',
    '5, 6',
  ]) {
    it(`are refused with header, value and what is allowed: a TTL of '${value}'`, () => {
      assert.deepEqual(problem({ 'x-fairlead-ttl-ms': value }, false), {
        header: 'x-fairlead-ttl-ms',
        value,
        allowed: 'an integer of milliseconds from 1 to 3600000',
        message: `x-fairlead-ttl-ms: '${value}' is not an integer of milliseconds from 1 to 3600000`,
      });
    });
  }

  it('are refused with control bytes or too long, shown so that a log line stays one', () => {
    assert.match(
      problem({ 'x-llm-d-inference-objective': 'a\nb\u0085' }).message,
      /'a\\x0ab\\x85' is not at most 256 printable/,
    );
    const long = problem({ 'x-gateway-inference-fairness-id': 'x'.repeat(257) });
    assert.equal(long.header, 'x-gateway-inference-fairness-id');
    assert.equal(long.value, `${'x'.repeat(64)}…`);
  });

  it('never make it throw, and are accepted only within bounds', () => {
    const names = Object.keys(everything);
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...names), fc.oneof(fc.string({ unit: 'binary' }), fc.integer().map(String))),
        fc.boolean(),
        (headers, trusted) => {
          const result = readControlHeaders(headers, trusted);
          if ('message' in result) return assert.match(result.message, /^[\x20-\x7e…]+$/);
          assert.match(givenRequestId(headers) ?? 'none', /^[\x20-\x7e]{1,128}$/);
          const { ttlMs = 1, deadlineInMs = 1, ttftSloMs = 1 } = result;
          for (const value of [ttlMs, deadlineInMs, ttftSloMs]) assert.ok(value >= 1 && value <= MAX_DURATION_MS);
        },
      ),
    );
  });
});
