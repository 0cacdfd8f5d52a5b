// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clientTimeoutMs } from './client-timeout.ts';
import { readControlHeaders } from './control-headers.ts';

describe("A client's own time-out", () => {
  for (const [name, value, ms] of [
    ['x-stainless-timeout', '5', 5_000],
    ['x-stainless-timeout', '600', 600_000],
    ['x-stainless-read-timeout', '2.5', 2_500],
    ['x-envoy-expected-rq-timeout-ms', '15000', 15_000],
    ['grpc-timeout', '1H', 3_600_000],
    ['grpc-timeout', '2M', 120_000],
    ['grpc-timeout', '7S', 7_000],
    ['grpc-timeout', '250m', 250],
    ['grpc-timeout', '90000u', 90],
    ['grpc-timeout', '99999999n', 99.999999],
  ] as const) {
    it(`is ${ms} ms for ${name}: ${value}`, () => assert.equal(clientTimeoutMs({ [name]: value }), ms));
  }

  it('is none for what cannot be read, which is nobody’s error', () => {
    for (const value of ['', '0', '-1', 'NaN', '1e3', '5s', '5, 6', '0x10', '٥', '1'.repeat(40)]) {
      for (const name of ['x-stainless-timeout', 'x-envoy-expected-rq-timeout-ms', 'grpc-timeout']) {
        assert.equal(clientTimeoutMs({ [name]: value }), undefined, `${name}: ${value}`);
        assert.deepEqual(readControlHeaders({ [name]: value }, false), {});
      }
    }
  });

  it('is the shortest of all that are told', () => {
    const told = { 'x-stainless-timeout': '600', 'x-envoy-expected-rq-timeout-ms': '15000', 'grpc-timeout': '20S' };
    assert.equal(clientTimeoutMs(told), 15_000);
  });

  it('bounds a deadline that a trusted source gives, and stands for one that it does not', () => {
    const told = { 'x-stainless-timeout': '5' };
    assert.partialDeepStrictEqual(readControlHeaders(told, false), { deadlineInMs: 5_000 });
    const both = { ...told, 'x-fairlead-deadline-ms': '9000' };
    assert.partialDeepStrictEqual(readControlHeaders(both, true), { deadlineInMs: 5_000 });
    const shorter = { ...told, 'x-fairlead-deadline-ms': '900' };
    assert.partialDeepStrictEqual(readControlHeaders(shorter, true), { deadlineInMs: 900 });
    assert.partialDeepStrictEqual(readControlHeaders(shorter, false), { deadlineInMs: 5_000 });
  });
});
