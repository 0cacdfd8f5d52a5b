// SPDX-License-Identifier: Apache-2.0

/**
 * The metrics of one process: told of every flow-control event and every finished request, asked for the page. Telling is
 * cheap enough for every event at full speed; all that has to do with text happens when the page is asked for.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { OUTCOMES } from '@fairlead/core';
import type { FlowEvent } from '@fairlead/core';
import type { ConfigStatus } from '../config/config-status.ts';
import type { EndpointView, PoolView } from '../director/pool-view.ts';
import { RETRY_KINDS } from '../director/request-report.ts';
import type { RequestReport } from '../director/request-report.ts';
import {
  catalogue,
  configFamilies,
  flowFamilies,
  gatewayFamilies,
  processFamilies,
  requestFamilies,
} from './catalogue.ts';
import { EventCounts } from './event-counts.ts';
import { FamilyLines, contentType, exposition } from './exposition.ts';
import type { FlowSeries } from './flow-series.ts';
import { Samples, readEjections, readEndpoints, readPools } from './pool-gauges.ts';
import type { EjectionCount } from './pool-gauges.ts';
import type { RequestSeries } from './request-series.ts';
import { SeriesBudget } from './series-budget.ts';

/**
 * Series on the page at most: a thousand tenants have their counters and gauges, the first two dozen their histograms, too.
 * Measured on one core of a busy 2-core machine: 8 ms for the whole page, in turns of 1 to 2 ms.
 */
export const DEFAULT_MAX_SERIES = 10_000;

/** How often the event loop's lag is sampled: often enough to see a stall, rarely enough to cost nothing. */
const LAG_RESOLUTION_MS = 50;

export interface MetricsSources {
  pools(): readonly PoolView[];
  /** Every endpoint, in a pool or not. */
  endpoints(): readonly EndpointView[];
  /** How often endpoints were set aside. */
  ejections(): readonly EjectionCount[];
  /** The clock that readings and snapshots are stamped with. */
  nowMs(): number;
  bypass(): boolean;
  /** Of the clock, that were not passed on. */
  clockJumps(): { readonly forward: number; readonly back: number };
  buffered(): { readonly bytes: number; readonly limitBytes: number };
  /** The configuration that runs, and what became of the last try to replace it. */
  config(): ConfigStatus;
  readonly version: string;
  /** `DEFAULT_MAX_SERIES` by default. */
  readonly maxSeries?: number | undefined;
}

export interface Metrics {
  readonly contentType: string;
  observe(pool: string, event: FlowEvent): void;
  finished(report: RequestReport): void;
  /** The page. Asked for while one is being made, it gives that one. */
  render(): Promise<string>;
  /** Stops sampling the event loop. */
  close(): void;
}

/** @throws RangeError when `maxSeries` is not a positive integer. */
export function createMetrics(sources: MetricsSources): Metrics {
  const budget = new SeriesBudget(sources.maxSeries ?? DEFAULT_MAX_SERIES);
  const counts = new EventCounts(budget);
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  let rendering: Promise<string> | undefined;

  const page = async (): Promise<string> => {
    const nowMs = sources.nowMs();
    for (const pool of counts.pools.values()) pool.sweep(nowMs);
    const samples = new Samples();
    readPools(sources.pools(), samples);
    readEndpoints(sources.endpoints(), nowMs, samples);
    readEjections(sources.ejections(), samples);
    addGatewaySamples(samples, counts, sources);
    addConfigSamples(samples, sources.config());
    addProcessSamples(samples, sources.version, budget.dropped);
    addLagSamples(samples, lag);
    lag.reset();
    budget.reserved = samples.count;
    return exposition(collect(counts, samples));
  };

  return {
    contentType,
    observe: (pool, event) => counts.observe(pool, event),
    finished: (report) => counts.finished(report),
    render: () => {
      rendering ??= page().finally(() => {
        rendering = undefined;
      });
      return rendering;
    },
    close: () => {
      lag.disable();
    },
  };
}

function addGatewaySamples(samples: Samples, counts: EventCounts, sources: MetricsSources): void {
  for (const [key, value] of counts.refused) {
    const [status = '', reason = ''] = splitOnce(key);
    samples.add(gatewayFamilies.refused, { status, reason }, value);
  }
  for (const [key, value] of counts.rewrites) {
    const [model_rewrite_name = '', model_name = '', target_model = ''] = key.split('\n');
    samples.add(gatewayFamilies.modelRewrites, { model_rewrite_name, model_name, target_model }, value);
  }
  for (const kind of RETRY_KINDS) samples.add(gatewayFamilies.retries, { kind }, counts.retries.get(kind) ?? 0);
  for (const pool of counts.pools.values()) {
    samples.add(gatewayFamilies.requeued, { pool: pool.name }, pool.requeuedTotal);
    samples.add(gatewayFamilies.priorityUnknown, { pool: pool.name }, pool.priorityUnknown);
    samples.add(gatewayFamilies.usageClamped, { pool: pool.name }, pool.usageClamped);
    for (const [priority, endings] of pool.endings) {
      for (const [index, outcome] of OUTCOMES.entries()) {
        const value = endings[index] ?? 0;
        if (value > 0) samples.add(flowFamilies.requests, { outcome, priority, inference_pool: pool.name }, value);
      }
    }
  }
  const { bytes, limitBytes } = sources.buffered();
  samples.add(gatewayFamilies.withoutIdentity, {}, counts.withoutIdentity);
  samples.add(gatewayFamilies.objectiveUnknown, {}, counts.objectiveUnknown);
  samples.add(gatewayFamilies.bypass, {}, sources.bypass() ? 1 : 0);
  const jumps = sources.clockJumps();
  for (const direction of ['forward', 'back'] as const)
    samples.add(gatewayFamilies.clockJumps, { direction }, jumps[direction]);
  samples.add(gatewayFamilies.bufferedBytes, {}, bytes);
  samples.add(gatewayFamilies.bufferedBytesLimit, {}, limitBytes);
}

function addConfigSamples(samples: Samples, { reloads, lastReload, since, sha256 }: ConfigStatus): void {
  for (const result of ['success', 'failure'] as const)
    samples.add(configFamilies.reloads, { result }, reloads[result]);
  samples.add(configFamilies.lastReloadSuccess, {}, lastReload?.result === 'failure' ? 0 : 1);
  samples.add(configFamilies.since, {}, Date.parse(since) / 1000);
  if (sha256 !== null) samples.add(configFamilies.info, { hash: sha256 }, 1);
}

function addProcessSamples(samples: Samples, version: string, seriesDropped: number): void {
  const { user, system } = process.cpuUsage();
  samples.add(processFamilies.buildInfo, { version, node: process.version }, 1);
  samples.add(processFamilies.seriesDropped, {}, seriesDropped);
  samples.add(processFamilies.cpu, {}, (user + system) / 1e6);
  samples.add(processFamilies.resident, {}, process.memoryUsage.rss());
  samples.add(processFamilies.started, {}, Math.round(performance.timeOrigin) / 1000);
}

/** The monitor measures from tick to tick; what is beyond its own interval is lateness. */
function addLagSamples(samples: Samples, lag: ReturnType<typeof monitorEventLoopDelay>): void {
  for (const [quantile, nanoseconds] of [
    ['0.5', lag.percentile(50)],
    ['0.99', lag.percentile(99)],
    ['1', lag.max],
  ] as const) {
    samples.add(processFamilies.eventLoopLag, { quantile }, Math.max(0, nanoseconds / 1e9 - LAG_RESOLUTION_MS / 1000));
  }
}

/** Every family with the lines it has when its turn comes. */
function* collect(counts: EventCounts, samples: Samples): Generator<FamilyLines> {
  for (const family of catalogue) {
    const lines = new FamilyLines(family);
    for (const { labels, value } of samples.byFamily.get(family) ?? []) lines.add(labels, value);
    for (const series of counts.requests.series.values()) addRequestLines(lines, series);
    for (const pool of counts.pools.values()) {
      for (const series of pool.flows.values()) addFlowLines(lines, series);
    }
    yield lines;
  }
}

function addRequestLines(lines: FamilyLines, { labels, total, running, errors, histograms }: RequestSeries): void {
  const { family } = lines;
  if (family === requestFamilies.total) lines.add(labels, total);
  else if (family === requestFamilies.running) lines.add(labels, running);
  else if (family === requestFamilies.errors) {
    for (const [code, value] of errors) lines.add(labels, value, { error_code: code });
  } else if (family.type === 'histogram') {
    for (const histogram of histograms) if (histogram.family === family) lines.addHistogram(histogram.tally);
  }
}

function addFlowLines(lines: FamilyLines, { labels, waiting, bytes, histograms }: FlowSeries): void {
  const { family } = lines;
  if (family === flowFamilies.queueSize) lines.add(labels, waiting);
  else if (family === flowFamilies.queueBytes) lines.add(labels, bytes);
  else if (family === flowFamilies.queueDuration) for (const tally of histograms) lines.addHistogram(tally);
}

function splitOnce(key: string): [string, string] {
  const space = key.indexOf(' ');
  return [key.slice(0, space), key.slice(space + 1)];
}
