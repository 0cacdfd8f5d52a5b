// SPDX-License-Identifier: Apache-2.0

/** What the log says, and above all what it never says. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Endpoint } from '@fairlead/core';
import type { FlowEvent } from '@fairlead/core';
import type { RequestReport } from '../director/request-report.ts';
import { EventLog } from './event-log.ts';
import { createLog } from './log.ts';
import type { LogLevel } from './log.ts';

interface Line {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

function start(level: LogLevel = 'info') {
  const written: string[] = [];
  const time = { nowMs: 0 };
  const log = createLog({ level, destination: { write: (line) => written.push(String(line)) } });
  const events = new EventLog(log, () => time.nowMs);
  return { written, time, log, events, lines: () => written.map((line) => JSON.parse(line) as Line) };
}

const answered: RequestReport = {
  id: 'req-1',
  route: '/v1/chat/completions',
  tenant: 'acme',
  verified: true,
  priority: 10,
  model: 'llama',
  pool: 'llama',
  endpoint: 'gpu-1',
  status: 200,
  outcome: 'Dispatched',
  ending: 'succeeded',
  streamed: true,
  waitMs: 12.34567,
  ttftMs: 80,
  durationMs: 900,
  usage: { promptTokens: 7, completionTokens: 70 },
};

test('a finished request is one line of JSON with its id, who, where, how it ended and how long it took', () => {
  const { events, lines, written } = start();
  events.finished(answered);
  const [line] = lines();
  assert.equal(written.length, 1);
  assert.ok(written[0]?.endsWith('\n'));
  assert.match(line?.time ?? '', /^\d{4}-\d\d-\d\dT.*Z$/);
  const { time: _, ...fields } = line as Line;
  assert.deepEqual(fields, {
    level: 'info',
    msg: 'request',
    requestId: 'req-1',
    route: '/v1/chat/completions',
    status: 200,
    outcome: 'Dispatched',
    ending: 'succeeded',
    tenant: 'acme',
    priority: 10,
    model: 'llama',
    pool: 'llama',
    endpoint: 'gpu-1',
    streamed: true,
    waitMs: 12.346,
    ttftMs: 80,
    durationMs: 900,
    promptTokens: 7,
    completionTokens: 70,
  });
});

test('a line tells what is of its own request, whatever the lines before it told', () => {
  const { events, lines } = start();
  const usage = { promptTokens: 1 };
  const reports: RequestReport[] = [
    answered,
    { ...answered, tenant: 'umbrella', endpoint: 'gpu-2', streamed: false },
    { ...answered, route: '/v1/messages', model: 'qwen', unknownObjective: true, retries: ['refused', 'reset-idle'] },
    { ...answered, priority: -1, status: 502, ending: 'failed', reason: 'connection-reset', usage },
    { id: 'req-2', status: 404, durationMs: 0.1, unknownObjective: false },
    answered,
  ];
  for (const report of reports) events.finished(report);
  for (const [index, report] of reports.entries()) {
    const { verified: _, usage: told, retries, unknownObjective, ...named } = report;
    const fields: Record<string, unknown> = { ...named, requestId: report.id, ...told };
    if (unknownObjective === true) fields['unknownObjective'] = true;
    if (retries !== undefined) fields['retries'] = retries.join(',');
    if (report.waitMs !== undefined) fields['waitMs'] = 12.346;
    delete fields['id'];
    const { time, level, msg, ...line } = lines()[index] as Line;
    assert.deepEqual(line, fields, `${time} ${level} ${msg}`);
  }
});

test('whatever else hangs on a report or an endpoint, a key or a prompt never reaches the log', () => {
  const { events, written } = start('debug');
  const canary = 'sk-canary-b7f3';
  const report = {
    ...answered,
    authorization: `Bearer ${canary}`,
    headers: { 'x-api-key': canary },
    body: `{"messages":[{"content":"${canary}"}]}`,
    usage: { promptTokens: 1, prompt: canary },
  };
  events.finished(report);
  const endpoint = new Endpoint({ name: 'gpu-1', url: `http://user:${canary}@gpu-1.test`, labels: { key: canary } });
  endpoint.up = false;
  endpoint.problem = 'connection refused';
  events.endpointAdded(endpoint);
  const request = {
    id: 'r',
    fairnessId: 'a',
    priority: 9,
    model: 'm',
    targetModel: 'm',
    sizeBytes: 1,
    sequences: 1,
    receivedMs: 0,
  };
  events.observe('llama', {
    kind: 'priority-unknown',
    request: { ...request, body: canary } as typeof request,
    atMs: 1,
  });
  assert.equal(written.length, 3);
  assert.ok(!written.join('').includes('canary'));
});

test('names from outside cannot forge a line or fill the disk', () => {
  const { events, written, lines } = start();
  events.finished({ ...answered, tenant: 'a"}\n{"level":"error","msg":"forged', model: 'x'.repeat(100_000) });
  assert.equal(written.length, 1);
  assert.equal(written[0]?.indexOf('\n'), (written[0]?.length ?? 0) - 1);
  assert.equal(String(lines()[0]?.model).length, 513);
});

test('a flood of refusals costs twenty lines a second and one that says how many were left out', () => {
  const { events, lines, time } = start();
  const refused: RequestReport = { id: 'r', status: 429, reason: 'rejected-saturated', durationMs: 0 };
  for (let index = 0; index < 1_000; index += 1) events.finished(refused);
  assert.equal(lines().length, 20);
  // An answered request is told all the same.
  events.finished(answered);
  assert.equal(lines().length, 21);
  time.nowMs = 1_001;
  events.finished(refused);
  assert.deepEqual(
    lines()
      .slice(21)
      .map(({ msg, count }) => [msg, count]),
    [
      ['refused requests were not logged one by one', 980],
      ['request', undefined],
    ],
  );
  for (let index = 0; index < 25; index += 1) events.finished(refused);
  events.close();
  assert.equal(lines().at(-1)?.count, 6);
});

test('a gate that stays closed for a second is told once, and that it opened; one that flickers is not', () => {
  const { events, lines, time } = start();
  const gated = (atMs: number): FlowEvent => ({ kind: 'gated', band: 0, saturation: 1, ceiling: 1, atMs });
  for (time.nowMs = 0; time.nowMs < 900; time.nowMs += 100) {
    events.observe('llama', gated(time.nowMs));
    events.tellGates();
    events.observe('llama', { kind: 'ungated', atMs: time.nowMs + 50 });
  }
  assert.equal(lines().length, 0);
  events.observe('llama', gated(2_000));
  time.nowMs = 3_100;
  events.tellGates();
  events.observe('llama', { ...gated(3_200), band: -1 } as FlowEvent);
  events.tellGates();
  events.observe('llama', { kind: 'ungated', atMs: 5_000 });
  events.close();
  assert.deepEqual(
    lines().map(({ level, msg, pool, gatedMs }) => [level, msg, pool, gatedMs]),
    [
      ['warn', 'bands are gated: saturation has reached the ceiling', 'llama', undefined],
      ['info', 'bands are no longer gated', 'llama', 3_000],
    ],
  );
});

test('endpoints are told when they go down, with the reason, come back, or go away, and not otherwise', () => {
  const { events, lines } = start();
  const one = new Endpoint({ name: 'gpu-1', url: 'http://gpu-1.test', labels: {} });
  events.endpointAdded(one);
  events.endpointChanged(one);
  one.up = false;
  one.problem = 'connection refused';
  events.endpointChanged(one);
  one.up = true;
  one.problem = undefined;
  events.endpointChanged(one);
  events.endpointRemoved(one);
  one.up = false;
  events.endpointChanged(one);
  assert.deepEqual(
    lines().map(({ level, msg, problem }) => [level, msg, problem]),
    [
      ['info', 'endpoint added', undefined],
      ['warn', 'endpoint is down', 'connection refused'],
      ['info', 'endpoint is up', undefined],
      ['info', 'endpoint is gone', undefined],
    ],
  );
});

test('bypass is one switch, told once, however many pools tell it', () => {
  const { events, lines } = start();
  for (const pool of ['a', 'b']) events.observe(pool, { kind: 'bypass', on: true, atMs: 0 });
  for (const pool of ['a', 'b']) events.observe(pool, { kind: 'bypass', on: false, atMs: 1 });
  assert.deepEqual(
    lines().map(({ level, msg }) => [level, msg.slice(0, 13)]),
    [
      ['warn', 'bypass is on:'],
      ['warn', 'bypass is off'],
    ],
  );
});

test('the level is respected', () => {
  const { events, log, lines } = start('warn');
  events.finished(answered);
  log.debug('no');
  log.error('yes', { port: 80, reason: undefined });
  assert.deepEqual(
    lines().map(({ msg, port }) => [msg, port]),
    [['yes', 80]],
  );
});
