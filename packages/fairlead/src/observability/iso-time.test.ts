// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isoTime } from './iso-time.ts';

test('every time reads as the language writes it, wherever the clock goes', () => {
  const newYear = Date.UTC(2027, 0, 1);
  const second = Array.from({ length: 1001 }, (_, milliseconds) => newYear + milliseconds);
  for (const nowMs of [newYear - 1, ...second, newYear + 1000, newYear + 7, newYear - 86_400_000, -1]) {
    assert.equal(String(isoTime(nowMs)), JSON.stringify(new Date(nowMs)));
  }
});
