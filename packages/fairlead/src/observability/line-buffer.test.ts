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

function add(lines: LineBuffer, text: string): void {
  const bytes = Buffer.from(text);
  lines.write({ length: bytes.length, copyTo: (target, at) => void bytes.copy(target, at) });
}

const kilobyte = `${'x'.repeat(1023)}\n`;

test('a line alone is written at the end of its turn', async () => {
  const reader = new Reader();
  const lines = new LineBuffer(reader);
  for (const line of ['a\n', 'b\n']) {
    add(lines, line);
    assert.ok(!reader.writes.includes(line));
    await turn();
    assert.equal(reader.writes.at(-1), line);
  }
});

test('while turns bring more they are one write, and some turns without more end that', async () => {
  const reader = new Reader();
  const lines = new LineBuffer(reader);
  for (let count = 0; count < 3; count += 1) {
    add(lines, 'a\n');
    add(lines, 'ü🚢\n');
    await turn();
    assert.deepEqual(reader.writes, []);
  }
  let turns = 0;
  for (; reader.writes.length === 0; turns += 1) await turn();
  assert.deepEqual(reader.writes, ['a\nü🚢\n'.repeat(3)]);
  assert.ok(turns <= 4, String(turns));
});

test('a flood is written as it grows, and leaves nothing behind', () => {
  const reader = new Reader();
  const lines = new LineBuffer(reader);
  for (let count = 0; count < 100; count += 1) add(lines, kilobyte);
  assert.deepEqual(
    reader.writes.map((text) => text.length),
    [32, 32, 32].map((count) => count * 1024),
  );
  lines.flush();
  assert.equal(reader.writes.join(''), kilobyte.repeat(100));
});

test('a flush leaves nothing behind, and nothing for the turn to do', async () => {
  const reader = new Reader();
  const lines = new LineBuffer(reader);
  add(lines, 'last words\n');
  lines.flush();
  lines.flush();
  await turn();
  assert.deepEqual(reader.writes, ['last words\n']);
});

test('a line of any length is written whole, after those before it', () => {
  const reader = new Reader();
  const lines = new LineBuffer(reader);
  add(lines, 'one\n');
  add(lines, '\u20ac'.repeat(40_000));
  add(lines, 'three\n');
  lines.flush();
  assert.equal(reader.writes.join(''), `one\n${'\u20ac'.repeat(40_000)}three\n`);
});

test('what a slow reader has not taken stays as it was written', () => {
  const reader = new Reader();
  const lines = new LineBuffer(reader);
  const say = (text: string): void => {
    add(lines, text);
    lines.flush();
  };
  say('one\n');
  reader.stuck = true;
  say('two\n');
  say('3\n');
  reader.goOn();
  say('four\n');
  say('5\n');
  assert.deepEqual(reader.writes, ['one\n', 'two\n', '3\n', 'four\n', '5\n']);
});
