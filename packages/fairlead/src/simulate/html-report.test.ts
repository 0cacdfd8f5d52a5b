// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadConfig } from '../config/load.ts';
import { htmlReport } from './html-report.ts';
import type { ReportedRun } from './html-report.ts';
import { readScenario } from './load-scenario.ts';
import { plotted } from './plot.ts';
import { simulate } from './simulate.ts';
import { Timeline } from './timeline.ts';
import { workloadOf } from './workload.ts';

async function played(scenarioText: string): Promise<ReportedRun> {
  const { scenario } = readScenario(scenarioText, 'scenario.yaml');
  const { ok: config } = await loadConfig({ defaults: 'serve' });
  assert.ok(scenario !== undefined && config !== undefined);
  const timeline = new Timeline(60_000);
  return {
    config: 'now & <then>',
    result: await simulate({ workload: workloadOf(scenario), config, timeline }),
    timeline,
  };
}

const SCENARIO = `
duration: 60s
warmUp: 10s
fleet: { servers: 1, slots: 8 }
tenants:
  - { name: '<script>alert(1)</script>', arrivals: { loops: 20 }, outputTokens: { tokens: 20 } }
  - { name: 'b "quoted"', arrivals: { loops: 20 }, outputTokens: { tokens: 40 } }
`;

describe('The page of a run', () => {
  it('has every tenant in its table, and holds no script and nothing from elsewhere, whatever tenants are called', async () => {
    const page = htmlReport('a scenario', [await played(SCENARIO)]);
    assert.match(page, /<td>&lt;script&gt;alert\(1\)&lt;\/script&gt;<\/td>/);
    assert.match(page, /<td>b &quot;quoted&quot;<\/td>/);
    assert.match(page, /<h2>now &amp; &lt;then&gt;<\/h2>/);
    assert.doesNotMatch(page, /<script|<link|<img|src=|href=|url\(/i);
  });

  it('has a figure of each kind for each run, on one scale', async () => {
    const run = await played(SCENARIO);
    const page = htmlReport('a scenario', [run, run]);
    assert.equal(page.match(/<figure>/g)?.length, 10);
    assert.doesNotMatch(page, /NaN|undefined|Infinity/);
  });
});

describe('A timeline', () => {
  it('begins after the warm-up, and its steps add up to what was served', async () => {
    const { timeline, result } = await played(SCENARIO);
    assert.deepEqual([timeline.times[0], timeline.times.at(-1)], [11, 60]);
    const totals = timeline.tenants.map(({ costPerS }) => costPerS.reduce((sum, cost) => sum + cost, 0));
    const all = totals.reduce((sum, cost) => sum + cost, 0);
    result.tenants.forEach(({ share, maxLagTokens }, index) => {
      assert.ok(Math.abs(totals[index]! / all - share) < 1e-9);
      assert.equal(timeline.tenants[index]?.lagTokens.at(-1), maxLagTokens);
    });
  });

  it('has no more steps than can be drawn, however long the run', () => {
    const looks = Array.from({ length: 7200 }, (_, index) => (index + 1) * 1000);
    const fleet = { count: () => undefined, busySlotMs: 0, slotMs: 0, waiting: 0 };
    const timeline = new Timeline(7_200_000);
    for (const nowMs of looks) timeline.look({ isCounting: true, fleet } as never, [], nowMs);
    assert.equal(timeline.times.length, 239);
  });
});

describe('A plot', () => {
  it('breaks its lines where there is no value, and makes a dot of a value that is alone', () => {
    const plot = plotted({
      title: 'a',
      unit: 'b',
      times: [0, 1, 2, 3],
      lines: [{ name: 'x', colour: 'red', values: [1, null, 2, 2] }],
    });
    const path = /<path d="([^"]+)"/.exec(plot)?.[1] ?? '';
    assert.match(path, /^M\d+ [\d.]+h0\.01M[\d.]+ 12L[\d.]+ 12$/);
  });

  it('is drawn without any value', () => {
    assert.doesNotMatch(plotted({ title: 'a', unit: 'b', times: [], lines: [] }), /NaN|Infinity/);
  });
});
