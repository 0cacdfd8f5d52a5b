// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fail, stand } from '../../../../test/kit/journey-stand.ts';

describe('a request that was not sent', () => {
  it('may be asked for again when we had no connection left for it: nothing was sent, and no server is to blame', () => {
    const { clock, tries, begin, refused } = stand();
    const { answer } = begin();
    clock.advance(0);
    fail(tries[0], 'shortage');
    const { status, code, isFinal, retryAfterMs } = answer.problem!;
    assert.deepEqual([status, code, isFinal, retryAfterMs], [503, 'gateway_shortage', false, 1000]);
    assert.deepEqual(refused, []);
  });
});
