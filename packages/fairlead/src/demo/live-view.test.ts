// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveView, liveTenant } from './live-view.ts';
import { TenantTally } from './load/tally.ts';

function row(name: string, ttftMs: number[]): ReturnType<typeof liveTenant> {
  const tally = new TenantTally();
  tally.ttftMs.push(...ttftMs);
  tally.failed = ttftMs.length === 0 ? 2 : 0;
  return liveTenant({ name, tally, underWay: { waiting: 3, running: 4 }, tokensPerS: 1234.5 });
}

function written(isTTY: boolean): { view: LiveView; text: () => string } {
  let text = '';
  return { view: new LiveView({ isTTY, write: (more: string) => (text += more) }), text: () => text };
}

test('where no terminal is, every second is one plain line', () => {
  const { view, text } = written(false);
  view.show('alone, 1 s', [row('interactive', [50, 4100]), row('batch', [])]);
  assert.equal(
    text(),
    'alone, 1 s: interactive 1 235 tokens/s, 4 running, 3 waiting, TTFT p50 50 ms p99 4.1 s | ' +
      'batch 1 235 tokens/s, 4 running, 3 waiting, TTFT p50 – p99 –, 2 failed\n',
  );
});

test('a terminal sees one table drawn over itself, below what was said', () => {
  const { view, text } = written(true);
  view.show('alone, 1 s', [row('interactive', [50])]);
  assert.equal(text().split('\n').length, 4);
  assert.ok(!text().includes('\u001b'));
  view.show('alone, 2 s', [row('interactive', [50])]);
  assert.equal(text().split('\u001b[3A\u001b[J').length, 2);
  view.say('unprotected: …');
  view.show('unprotected, 1 s', [row('interactive', [50])]);
  assert.equal(text().split('\u001b').length, 3);
});
