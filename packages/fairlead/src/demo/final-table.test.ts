// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finalTable, sentences } from './final-table.ts';
import { Tally } from './load/tally.ts';
import type { DemoResult, PhaseResult, TenantResult } from './result.ts';
import { phaseResult } from './result.ts';

function tenant(name: string, figures: Partial<TenantResult> & { p99?: number | null }): TenantResult {
  const { p99 = null, ...rest } = figures;
  const ttftMs = { p50: p99 === null ? null : p99 / 2, p90: p99, p99 };
  const none = { requests: 0, ok: 0, failed: 0, cancelled: 0, tokensPerS: 0, unanswered: 0, brokenStreams: 0 };
  return { name, ...none, ttftMs, failures: {}, ...rest };
}

function phase(name: string, tokensPerS: number, tenants: TenantResult[]): PhaseResult {
  return { name, seconds: 10, fleet: { tokensPerS, slots: 24, busyShare: 0.994 }, tenants };
}

const whole: DemoResult = {
  schema: 1,
  phases: [
    phase('alone', 32, [tenant('interactive', { requests: 20, ok: 20, p99: 66 })]),
    phase('unprotected', 2301, [
      tenant('interactive', { requests: 20, ok: 15, cancelled: 5, unanswered: 2, p99: 4120 }),
      tenant('batch', { requests: 1500, ok: 1400, cancelled: 100, p99: 4300 }),
    ]),
    phase('protected', 2290, [tenant('interactive', { requests: 20, ok: 20, p99: 182 })]),
    phase('one server killed', 1500, [
      tenant('interactive', { requests: 20, ok: 20, p99: 240 }),
      tenant('batch', {
        requests: 1000,
        ok: 990,
        failed: 10,
        brokenStreams: 8,
        failures: { 'stream broken off': 8, 'HTTP 502': 2 },
      }),
    ]),
  ],
};

test('the sentences say what changed, what failed and what was cut off, from the figures', () => {
  assert.deepEqual(sentences(whole), [
    'interactive p99 time to first token: alone 66 ms, unprotected at least 4.1 s, protected 182 ms, one server killed 240 ms',
    'protected, the fleet made 100 % of the tokens/s it made unprotected (2 290 against 2 301)',
    'one of the servers was killed: of 1 020 requests 8 broke off whose answer had begun, 2 others failed',
    'failed: 8 × stream broken off (batch, one server killed); 2 × HTTP 502 (batch, one server killed)',
    '105 requests were still under way when their phase ended, and were cancelled by the demo; 2 of them had no token yet and count with the time they had waited (≥)',
  ]);
});

test('of a demo that was cut short only what was measured is said', () => {
  assert.deepEqual(sentences({ schema: 1, phases: [] }), ['no request failed']);
  const alone: DemoResult = { schema: 1, phases: [phase('alone', 0, [tenant('interactive', {})])] };
  assert.deepEqual(sentences(alone), ['no request failed']);
});

test('the table lines up, and shows every tenant and the fleet of every phase', () => {
  const lines = finalTable(whole).filter((line) => line !== '' && !line.startsWith('- '));
  assert.equal(lines.length, 1 + 2 + 3 + 2 + 3);
  assert.match(lines[0]!, /^phase +tenant +requests +ok +failed +tokens\/s +TTFT p50 +p90 +p99$/);
  assert.match(lines[3]!, /^unprotected +interactive +20 +15 +0 +0 +2\.1 s +4\.1 s +≥ 4\.1 s$/);
  assert.match(lines[5]!, /^ +24 slots, 99 % busy +2 301$/);
  const ends = lines.filter((line) => line.endsWith(' ms') || line.endsWith(' s')).map((line) => line.length);
  assert.equal(new Set(ends).size, 1);
});

test('a result is made of what a tally holds, with null where nothing was measured', () => {
  const tally = new Tally();
  tally.of('interactive').tokens = 32;
  tally.of('interactive').ttftMs.push(60, 70);
  tally.of('interactive').end({ kind: 'ok' }, 200);
  tally.of('interactive').end({ kind: 'failed', answered: true, reason: 'stream broken off' }, 200);
  tally.closeWindow();
  const names = ['interactive', 'agent'];
  const result = phaseResult({ name: 'x', tally, tenants: names, slots: 24, meanRunning: undefined });
  assert.equal(result.fleet.busyShare, null);
  const [interactive, agent] = result.tenants;
  assert.deepEqual([interactive?.requests, interactive?.ok, interactive?.failed], [2, 1, 1]);
  assert.deepEqual(interactive?.ttftMs, { p50: 60, p90: 70, p99: 70 });
  assert.deepEqual(interactive?.failures, { 'stream broken off': 1 });
  assert.deepEqual(agent?.ttftMs, { p50: null, p90: null, p99: null });
  const busy = phaseResult({ name: 'x', tally, tenants: names, slots: 24, meanRunning: 12 });
  assert.equal(busy.fleet.busyShare, 0.5);
});
