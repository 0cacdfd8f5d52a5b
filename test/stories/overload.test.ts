// SPDX-License-Identifier: Apache-2.0

/** The gateway in a process of its own under ten times more than its fleet can serve; `npm run bench -- overload` for a minute of it. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runOverload } from '../../bench/harness/overload-run.ts';

const MiB = 1024 * 1024;
/** Bytes that nobody holds any more and that the collector has yet to free: V8 waits for 64 MiB of them. */
const GARBAGE_BYTES = 96 * MiB;

describe('ten times more requests than can be served', () => {
  it('are all answered, each refusal explained, within the memory that bodies may have', async () => {
    const budgetBytes = 96 * MiB;
    const stop = new AbortController().signal;
    const figures = await runOverload({ seconds: 8, times: 10, budgetBytes, ttlS: 5, stop });
    assert.deepEqual(figures.unexplained, new Map());
    const refused = [...figures.explained.values()].reduce((sum, count) => sum + count, 0);
    assert.equal(figures.served + refused, figures.sent);
    assert.ok(figures.served > 0 && refused > figures.served, `${figures.served} served, ${refused} refused`);
    const grownBytes = figures.peakBytes - figures.idleBytes;
    assert.ok(grownBytes <= 1.3 * budgetBytes + GARBAGE_BYTES, `grew by ${Math.round(grownBytes / MiB)} MiB`);
  });
});
