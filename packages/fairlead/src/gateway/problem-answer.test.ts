// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { problemLines, retryHeaders } from './problem-answer.ts';

describe('when to come back', () => {
  it('is told in whole seconds, never none, and to the millisecond, never a whole minute', () => {
    const told = (ms: number) => Object.values(retryHeaders(ms));
    assert.deepEqual(told(100), ['1', '100']);
    assert.deepEqual(told(1001), ['2', '1001']);
    assert.deepEqual(told(60_000), ['60', '59999']);
    assert.deepEqual(told(3_600_000), ['3600', '59999']);
  });

  it('is left to people when it is never, or later than an SDK should sleep', () => {
    const isRetried = (about: object) =>
      !problemLines({ status: 429, code: 'x', message: 'x', ...about }).includes('x-should-retry');
    assert.equal(isRetried({}), true);
    assert.equal(isRetried({ retryAfterMs: 60_000 }), true);
    assert.equal(isRetried({ retryAfterMs: 60_001 }), false);
    assert.equal(isRetried({ isFinal: true }), false);
  });
});
