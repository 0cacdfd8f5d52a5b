// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import { createLog } from './log.ts';
import type { LogLevel } from './log.ts';

function logged(level: LogLevel, write: (log: ReturnType<typeof createLog>) => void): unknown[] {
  const lines: string[] = [];
  write(createLog({ level, destination: { write: (line) => lines.push(String(line)) } }));
  return lines.map((line) => {
    assert.ok(line.endsWith('}\n') && !line.slice(0, -1).includes('\n'), line);
    const { time, ...rest } = JSON.parse(line) as { time: string };
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    return rest;
  });
}

test('a line is one object with level, message and the fields that are there', () => {
  const fields = { tenant: 'a"b\n', absent: undefined, waitMs: 1.23456, streamed: false, ratio: NaN };
  assert.deepEqual(
    logged('info', (log) => log.info('request', fields)),
    [{ level: 'info', msg: 'request', tenant: 'a"b\n', waitMs: 1.235, streamed: false, ratio: null }],
  );
});

test('text without end is cut, and half a letter does not break the line', () => {
  const [line] = logged('info', (log) => log.info('m', { text: `${'x'.repeat(511)}🚢${'y'.repeat(9999)}` })) as [
    { text: string },
  ];
  assert.equal(line.text.length, 513);
  assert.ok(line.text.endsWith('…'));
});

test('lines below the level are not written', () => {
  const all = (log: ReturnType<typeof createLog>): void => {
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level](level);
  };
  assert.equal(logged('debug', all).length, 4);
  assert.deepEqual(
    logged('warn', all).map((line) => (line as { msg: string }).msg),
    ['warn', 'error'],
  );
  assert.deepEqual(logged('silent', all), []);
});
