// SPDX-License-Identifier: Apache-2.0

/** The document of `/state` as text for a terminal. Pure; names from outside are made printable. */

import type { BandState, EndpointState, PoolState, StateDocument } from '../admin/state.ts';
import { problemLine } from '../config/config-problem.ts';
import { printable } from './admin-client.ts';

/** Flows shown per pool: those that wait most. */
const MAX_FLOWS = 20;
const MAX_NAME_LENGTH = 40;

type Row = readonly string[];

/** Ends with a line feed. */
export function statusText(state: StateDocument): string {
  const { version, uptimeS, buffered } = state;
  const facts = [`fairlead ${printable(version)}`, `up ${duration(uptimeS * 1000)}`, bufferedText(buffered)];
  if (state.draining) facts.push('DRAINING');
  if (state.bypass) facts.push('BYPASS ON: everything is dispatched at once');
  const parts = [facts.join(' · '), ...configText(state.config), ...state.pools.map(poolText)];
  if (state.pools.length === 0) parts.push('No pools: no endpoint has told its models yet.');
  if (state.unassigned.length > 0)
    parts.push(`Endpoints whose models are not known\n${endpointTable(state.unassigned)}`);
  return `${parts.join('\n\n')}\n`;
}

function bufferedText({ bytes, limitBytes }: StateDocument['buffered']): string {
  return `${size(bytes)}${limitBytes === null ? '' : ` of ${size(limitBytes)}`} buffered`;
}

/** Only what is not as the file says. */
function configText({ lastReload }: StateDocument['config']): string[] {
  if (lastReload === null) return [];
  const { at, result, problems, needsRestart } = lastReload;
  if (result === 'success') {
    return needsRestart.length === 0 ? [] : [`Counts after a restart: ${needsRestart.map(printable).join(', ')}`];
  }
  const lines = problems.map((problem) => `  ${printable(problemLine(problem))}`);
  return [[`NOT RELOADED at ${printable(at)}: the old configuration goes on`, ...lines].join('\n')];
}

function poolText(pool: PoolState): string {
  const { saturation, waiting, inFlight, gated } = pool;
  const lines = [
    `Pool ${name(pool.name)} · saturation ${ratio(saturation)} · ${waiting} waiting · ${inFlight} in flight`,
  ];
  const models = pool.models.filter((model) => model !== pool.name);
  if (models.length > 0) lines.push(`  models: ${[pool.name, ...models].map(name).join(', ')}`);
  if (gated !== null) {
    lines.push(
      `  held for ${duration(gated.forMs)}: ${heldBands(pool.bands, gated.priority)}, ` +
        `saturation ${ratio(gated.saturation)} has reached ceiling ${ratio(gated.ceiling)}`,
    );
  }
  lines.push('', endpointTable(pool.endpoints), '', bandTable(pool.bands));
  const flows = flowTable(pool.bands);
  if (flows !== '') lines.push('', flows);
  return lines.join('\n');
}

/** `priority 10 and below`, or, where a band is held for itself, `priority 10, -10`. */
function heldBands(bands: readonly BandState[], highest: number): string {
  const below = bands.filter(({ priority }) => priority <= highest);
  const held = below.filter(({ gated }) => gated).map(({ priority }) => priority);
  return held.length === below.length ? `priority ${highest} and below` : `priority ${held.join(', ')}`;
}

function bandTable(bands: readonly BandState[]): string {
  return table(
    ['PRIORITY', 'WAITING', 'BYTES', 'CEILING', '', 'SHARE', 'PROMISED', 'FAIRNESS', 'ORDERING'],
    bands.map((band) => [
      String(band.priority),
      `${band.waiting}${band.maxRequests === null ? '' : `/${band.maxRequests}`}`,
      `${size(band.bytes)}${band.maxBytes === null ? '' : `/${size(band.maxBytes)}`}`,
      ratio(band.ceiling),
      band.gated ? 'held' : '',
      percent(band.share.recent),
      band.share.promised === null ? '-' : percent(band.share.promised),
      name(band.fairness),
      name(band.ordering),
    ]),
  );
}

function flowTable(bands: readonly BandState[]): string {
  const flows = bands
    .flatMap((band) => band.flows.map((flow) => ({ band, flow })))
    .filter(({ flow }) => flow.waiting > 0 || flow.inFlight > 0)
    .sort((a, b) => b.flow.waiting - a.flow.waiting || b.flow.inFlight - a.flow.inFlight);
  if (flows.length === 0) return '';
  const rows = flows
    .slice(0, MAX_FLOWS)
    .map(({ band, flow }): Row => [
      name(flow.fairnessId),
      String(band.priority),
      String(flow.waiting),
      size(flow.bytes),
      flow.waiting === 0 ? '' : duration(flow.oldestWaitMs),
      String(flow.inFlight),
      [flow.capped ? 'at its limit' : '', flow.throttled ? 'no tokens' : '', flow.parked ? 'no room' : '']
        .filter(Boolean)
        .join(', '),
    ]);
  const more = flows.length - rows.length + bands.reduce((sum, band) => sum + band.otherFlows.count, 0);
  const text = table(['FLOW', 'PRIORITY', 'WAITING', 'BYTES', 'OLDEST', 'IN FLIGHT', ''], rows);
  return more === 0 ? text : `${text}\n  and ${more} more`;
}

function endpointTable(endpoints: readonly EndpointState[]): string {
  return table(
    ['ENDPOINT', 'URL', 'STATE', 'IN FLIGHT', 'LIMIT', 'WAITING', 'RUNNING', 'KV', 'METRICS', 'PROBLEM'],
    endpoints.map((endpoint) => [
      name(endpoint.name),
      printable(endpoint.url),
      endpoint.up ? 'up' : 'DOWN',
      String(endpoint.inFlight),
      endpoint.limit === null ? '-' : String(Math.floor(endpoint.limit)),
      endpoint.waiting === null ? '?' : String(endpoint.waiting),
      endpoint.running === null ? '?' : String(endpoint.running),
      endpoint.kvUsage === null ? '?' : percent(endpoint.kvUsage),
      endpoint.scrapeAgeMs === null ? 'never' : `${duration(endpoint.scrapeAgeMs)} ago`,
      printable(endpoint.problem ?? ''),
    ]),
  );
}

/** Columns as wide as their widest cell, two spaces apart, indented; a column without any content is left out. */
function table(heads: Row, rows: readonly Row[]): string {
  const used = heads.map((head, column) => head !== 'PROBLEM' || rows.some((row) => row[column] !== ''));
  const all = [heads, ...rows].map((row) => row.filter((_, column) => used[column]));
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}

function name(text: string): string {
  const safe = printable(text);
  return safe.length > MAX_NAME_LENGTH ? `${safe.slice(0, MAX_NAME_LENGTH - 1)}…` : safe;
}

function ratio(value: number): string {
  return value.toFixed(2);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}

function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
