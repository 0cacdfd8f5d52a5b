// SPDX-License-Identifier: Apache-2.0

/**
 * A run, or two of the same scenario, as one page for people: a table, and how it went over time. The page holds all it
 * needs, runs no script and asks nobody for anything, so that it can be kept, mailed and looked at in ten years.
 */

import { countText, durationText, shareText } from '../demo/quantity-text.ts';
import { escaped, plotted, topOf } from './plot.ts';
import type { PlotLine } from './plot.ts';
import type { SimulationResult, TenantOutcome } from './result.ts';
import type { Timeline } from './timeline.ts';

/** One run under one configuration. */
export interface ReportedRun {
  /** What the configuration is called. */
  readonly config: string;
  readonly result: SimulationResult;
  readonly timeline: Timeline;
}

/** Tenants that are drawn: those that were served most. The table has all. */
const DRAWN_TENANTS = 10;
const COLOURS = [
  ...['#2563eb', '#dc2626', '#059669', '#d97706', '#7c3aed'],
  ...['#0891b2', '#db2777', '#65a30d', '#475569', '#92400e'],
] as const;

/** The page; `scenario` is what it is called. */
export function htmlReport(scenario: string, runs: readonly ReportedRun[]): string {
  const tenants = drawnTenants(runs);
  const legend = tenants.map(
    ({ name }, index) => `<span><i style="background:${COLOURS[index]}"></i>${escaped(name)}</span>`,
  );
  const sections = runs.map((run) => `<section>${summary(run)}${table(run)}</section>`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(scenario)} – fairlead simulate</title>
<style>${STYLE}</style></head>
<body><h1>${escaped(scenario)}</h1>
${sections.join('\n')}
<p class="legend">${legend.join('')}</p>
${figures(runs, tenants).join('\n')}
</body></html>
`;
}

function summary({ config, result: { seed, seconds, fleet } }: ReportedRun): string {
  const { tokensPerS, busyShare, idleWhileWaitingS, overCapacityS } = fleet;
  return `<h2>${escaped(config)}</h2><p>${countText(seconds)} s simulated, seed ${seed}. Fleet: ${countText(tokensPerS)} tokens/s,
${shareText(busyShare)} busy, ${idleWhileWaitingS.toFixed(1)} s with a free slot while somebody waited,
${overCapacityS.toFixed(1)} s with more at a server than it runs.</p>`;
}

const HEADER = [
  ...['tenant', 'share', 'entitled', 'lag', 'bound', 'requests', 'goodput'],
  ...['wait p50', 'wait p99', 'TTFT p50', 'TTFT p99', 'dropped'],
];

function table({ result: { tenants } }: ReportedRun): string {
  const cell = (text: string): string => `<td>${escaped(text)}</td>`;
  const rows = tenants.map((tenant) => `<tr>${cellsOf(tenant).map(cell).join('')}</tr>`);
  return `<div class="wide"><table><thead><tr>${HEADER.map((name) => `<th>${name}</th>`).join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>`;
}

function cellsOf(tenant: TenantOutcome): string[] {
  const { name, share, entitlement, maxLagTokens, boundTokens, requests, goodput, waitMs, ttftMs } = tenant;
  const drops = Object.entries(tenant.drops).map(([reason, count]) => `${countText(count)} ${reason}`);
  return [
    name,
    ...[share, entitlement].map((part) => `${(part * 100).toFixed(1)} %`),
    countText(maxLagTokens),
    boundTokens === null ? '–' : countText(boundTokens),
    countText(requests),
    shareText(goodput),
    ...[waitMs.p50, waitMs.p99, ttftMs.p50, ttftMs.p99].map(durationText),
    drops.join(', ') || '–',
  ];
}

/** Of all runs the same, in the same order, so that a colour is a tenant on all of the page. */
function drawnTenants([first]: readonly ReportedRun[]): readonly TenantOutcome[] {
  return [...(first?.result.tenants ?? [])].sort((a, b) => b.share - a.share).slice(0, DRAWN_TENANTS);
}

interface Figure {
  readonly title: string;
  readonly unit: string;
  linesOf(run: ReportedRun): PlotLine[];
}

/** Each kind of figure in a row, one for each run, on one scale. */
function figures(runs: readonly ReportedRun[], tenants: readonly TenantOutcome[]): string[] {
  return figureKinds(tenants).map(({ title, unit, linesOf }) => {
    const drawn = runs.map((run) => ({ run, lines: linesOf(run) }));
    const top = Math.max(...drawn.map(({ lines }) => topOf(lines)));
    const plots = drawn.map(({ run, lines }) => {
      const name = runs.length === 1 ? title : `${title}: ${run.config}`;
      return plotted({ title: name, unit, times: run.timeline.times, lines, top });
    });
    return `<div class="row">${plots.join('\n')}</div>`;
  });
}

function figureKinds(tenants: readonly TenantOutcome[]): Figure[] {
  const each = (field: 'costPerS' | 'lagTokens' | 'waitP50Ms' | 'waitP99Ms', dashed = false) => {
    return ({ timeline }: ReportedRun): PlotLine[] =>
      tenants.flatMap(({ name }, index) => {
        const line = timeline.tenants.find((candidate) => candidate.name === name);
        const colour = COLOURS[index]!;
        return line === undefined ? [] : [{ name, colour, values: line[field], dashed }];
      });
  };
  const [waits50, waits99] = [each('waitP50Ms', true), each('waitP99Ms')];
  return [
    { title: 'Service', unit: 'cost dispatched a second, an input token is 1', linesOf: each('costPerS') },
    {
      title: 'Lag so far, and its bound',
      unit: 'cost ÷ weight; dashed: what the fairness policy promises',
      linesOf: (run) => [...each('lagTokens')(run), ...boundsOf(run)],
    },
    {
      title: 'Waits',
      unit: 'ms; p99, dashed: p50',
      linesOf: (run) => [...waits99(run), ...waits50(run)],
    },
    {
      title: 'Fleet',
      unit: 'share of slots that are busy',
      linesOf: ({ timeline }) => [{ name: 'busy', colour: COLOURS[0], values: timeline.busyShare }],
    },
    {
      title: 'Waiting',
      unit: 'requests',
      linesOf: ({ timeline }) => [{ name: 'waiting', colour: COLOURS[8], values: timeline.waiting }],
    },
  ];
}

/** One line for each bound that there is: the tenants of a band have the same. */
function boundsOf({ result: { tenants }, timeline: { times } }: ReportedRun): PlotLine[] {
  const bounds = new Set(tenants.map(({ boundTokens }) => boundTokens).filter((bound) => bound !== null));
  return [...bounds].map((bound) => ({
    name: 'bound',
    colour: '#64748b',
    values: times.map(() => bound),
    dashed: true,
  }));
}

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #777; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 84rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-bottom: 0; } p { margin: 0.3rem 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.legend span { margin-right: 1.2rem; white-space: nowrap; }
.legend i { display: inline-block; width: 1.2rem; height: 0.25rem; margin-right: 0.4rem; vertical-align: middle; }
.row { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { flex: 1 1 34rem; margin: 0 0 1rem; min-width: 0; max-width: 56rem; }
figcaption { font-weight: 600; } small { color: var(--soft); font-weight: 400; }
svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: var(--soft); }
svg path { fill: none; stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round; } .grid { stroke: var(--line); stroke-width: 1; }
`;
