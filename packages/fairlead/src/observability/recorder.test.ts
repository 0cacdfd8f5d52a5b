// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import type { RequestReport } from '../director/request-report.ts';
import { Recorder } from './recorder.ts';

const report: RequestReport = {
  id: 'secret-id',
  tenant: 'a',
  priority: 3,
  model: 'm',
  status: 200,
  outcome: 'Dispatched',
  waitMs: 1.23456,
  durationMs: 400,
  requestBytes: 77,
  usage: { promptTokens: 5, completionTokens: 7 },
};

function recorder(writableLength = 0): { lines: unknown[]; recorder: Recorder; clock: { nowMs: number } } {
  const lines: unknown[] = [];
  const clock = { nowMs: 1000 };
  const stream = { writableLength, write: (text: string) => lines.push(JSON.parse(text)) };
  return { lines, clock, recorder: new Recorder(stream, () => clock.nowMs, new Date(0)) };
}

test('a recording has a head, and a line for each request that came as far as a queue', () => {
  const { lines, clock, recorder: it } = recorder();
  clock.nowMs = 2000;
  it.finished(report);
  it.finished({ id: 'x', status: 401, durationMs: 1 });
  const { model, priority, status, outcome, tenant } = report;
  assert.deepEqual(lines, [
    { fairleadTrace: 1, startedAt: '1970-01-01T00:00:00.000Z' },
    {
      ...{ atMs: 600, tenant, priority, model, bytes: 77, promptTokens: 5, outputTokens: 7 },
      ...{ status, outcome, waitMs: 1.235, durationMs: 400 },
    },
  ]);
});

test('a disk that does not follow costs lines, which are counted', () => {
  const { lines, recorder: it } = recorder(9 * 1024 * 1024);
  it.finished(report);
  assert.deepEqual([lines.length, it.leftOut], [0, 2]);
});
