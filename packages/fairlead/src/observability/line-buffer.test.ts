// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { LineBuffer } from './line-buffer.ts';

/** Keeps what it is given, as text, and takes it at once unless it is `stuck`. */
class Reader {
  readonly writes: string[] = [];
  readonly waiting: Buffer[] = [];
  stuck = false;

  get writableLength(): number {
    return this.waiting.reduce((sum, { length }) => sum + length, 0);
  }

  write(text: Buffer): void {
    if (this.stuck) this.waiting.push(text);
    else this.writes.push(text.toString());
  }

  /** Takes what waited. */
  goOn(): void {
    this.stuck = false;
    for (const text of this.waiting.splice(0)) this.writes.push(text.toString());
  }
}

const kilobyte = `${'x'.repeat(1023)}\n`;

test('a line of a quiet turn is written at its end', async () => {
  const reader = new Reader();
  const lines = new LineBuffer(reader);
  for (const line of ['a\n', 'b\n']) {
    lines.write(line);
    assert.ok(!reader.writes.includes(line));
    await turn();
    assert.equal(reader.writes.at(-1), line);
  }
});

test('while every turn brings more they are one write, and the first turn without ends that', async () => {
  const reader = new Reader();
  const lines = new LineBuffer(reader);
  for (let count = 0; count < 3; count += 1) {
    lines.write('a\n');
    lines.write('ü🚢\n');
    assert.deepEqual(reader.writes, []);
    await turn();
  }
  await turn();
  assert.deepEqual(reader.writes, ['a\nü🚢\n'.repeat(3)]);
});

test('a flood is written as it grows', () => {
  const reader = new Reader();
  const lines = new LineBuffer(reader);
  for (let count = 0; count < 100; count += 1) lines.write(kilobyte);
  assert.deepEqual(
    reader.writes.map((text) => text.length),
    Array.from({ length: 6 }, () => 16 * 1024),
  );
  lines.flush();
  assert.equal(reader.writes.join(''), kilobyte.repeat(100));
});

test('a flush leaves nothing behind, and nothing for the turn to do', async () => {
  const reader = new Reader();
  const lines = new LineBuffer(reader);
  lines.write('last words\n');
  lines.flush();
  lines.flush();
  await turn();
  assert.deepEqual(reader.writes, ['last words\n']);
});

test('what a slow reader has not taken stays as it was written', () => {
  const reader = new Reader();
  const lines = new LineBuffer(reader);
  const say = (line: string): void => {
    lines.write(line);
    lines.flush();
  };
  say('one\n');
  reader.stuck = true;
  say('two\n');
  say('3\n');
  reader.goOn();
  say('four\n');
  say('\u20ac'.repeat(40_000));
  say('six\n');
  assert.deepEqual(reader.writes, ['one\n', 'two\n', '3\n', 'four\n', '\u20ac'.repeat(40_000), 'six\n']);
});
