// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { LineBuffer } from './line-buffer.ts';

test('lines of one turn are one write, at its end', async () => {
  const writes: string[] = [];
  const lines = new LineBuffer({ write: (text) => writes.push(text) });
  lines.write('a\n');
  lines.write('b\n');
  assert.deepEqual(writes, []);
  await turn();
  assert.deepEqual(writes, ['a\nb\n']);
  lines.write('c\n');
  await turn();
  assert.deepEqual(writes, ['a\nb\n', 'c\n']);
});

test('a flush leaves nothing behind, and a flood is not held as a whole', async () => {
  const writes: string[] = [];
  const lines = new LineBuffer({ write: (text) => writes.push(text) });
  lines.write('last words\n');
  lines.flush();
  lines.flush();
  assert.deepEqual(writes.splice(0), ['last words\n']);
  const line = `${'x'.repeat(1023)}\n`;
  for (let count = 0; count < 100; count += 1) lines.write(line);
  assert.deepEqual(
    writes.map((text) => text.length),
    [64 * 1024],
  );
  await turn();
  assert.equal(writes.join('').length, 100 * 1024);
});
