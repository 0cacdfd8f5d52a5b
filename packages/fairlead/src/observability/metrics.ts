// SPDX-License-Identifier: Apache-2.0

/**
 * The metrics of one process: told of every flow-control event and every finished request, asked for the page. Telling is
 * cheap enough for every event at full speed; all that has to do with text happens when the page is asked for.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { FlowEvent } from '@fairlead/core';
import type { EndpointView, PoolView } from '../director/pool-view.ts';
import type { RequestReport } from '../director/request-report.ts';
import { catalogue, flowFamilies, gatewayFamilies, processFamilies, requestFamilies } from './catalogue.ts';
import type { MetricFamily } from './catalogue.ts';
import { EventCounts } from './event-counts.ts';
import { FamilyLines, contentType, exposition } from './exposition.ts';
import { outcomes } from './flow-series.ts';
import { Samples, readEndpoints, readPools } from './pool-gauges.ts';
import { SeriesBudget } from './series-budget.ts';

/**
 * Series on the page at most. At some 0.4 µs a line the page is made in 4 to 5 ms, in turns of at most half a
 * millisecond, and a thousand tenants have their counters and gauges, the first two dozen their histograms, too.
 */
export const defaultMaxSeries = 10_000;

/** How often the event loop's lag is sampled: often enough to see a stall, rarely enough to cost nothing. */
const lagResolutionMs = 50;

export interface MetricsSources {
  pools(): readonly PoolView[];
  /** Every endpoint, in a pool or not. */
  endpoints(): readonly EndpointView[];
  /** The clock that readings and snapshots are stamped with. */
  nowMs(): number;
  bypass(): boolean;
  buffered(): { readonly bytes: number; readonly limitBytes: number };
  readonly version: string;
  /** `defaultMaxSeries` by default. */
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
  const budget = new SeriesBudget(sources.maxSeries ?? defaultMaxSeries);
  const counts = new EventCounts(budget);
  const lag = monitorEventLoopDelay({ resolution: lagResolutionMs });
  lag.enable();
  let rendering: Promise<string> | undefined;

  const page = async (): Promise<string> => {
    const nowMs = sources.nowMs();
    for (const pool of counts.pools.values()) pool.sweep(nowMs);
    const samples = new Samples();
    readPools(sources.pools(), samples);
    readEndpoints(sources.endpoints(), nowMs, samples);
    addGatewaySamples(samples, counts, sources);
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
  for (const [kind, value] of counts.retries) samples.add(gatewayFamilies.retries, { kind }, value);
  for (const pool of counts.pools.values()) {
    samples.add(gatewayFamilies.requeued, { pool: pool.name }, pool.requeuedTotal);
    samples.add(gatewayFamilies.priorityUnknown, { pool: pool.name }, pool.priorityUnknown);
    for (const [priority, endings] of pool.endings) {
      for (const [index, outcome] of outcomes.entries()) {
        const value = endings[index] ?? 0;
        if (value > 0) samples.add(flowFamilies.requests, { outcome, priority, inference_pool: pool.name }, value);
      }
    }
  }
  const { bytes, limitBytes } = sources.buffered();
  samples.add(gatewayFamilies.withoutIdentity, {}, counts.withoutIdentity);
  samples.add(gatewayFamilies.bypass, {}, sources.bypass() ? 1 : 0);
  samples.add(gatewayFamilies.bufferedBytes, {}, bytes);
  samples.add(gatewayFamilies.bufferedBytesLimit, {}, limitBytes);
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
    samples.add(processFamilies.eventLoopLag, { quantile }, Math.max(0, nanoseconds / 1e9 - lagResolutionMs / 1000));
  }
}

/** Every family with the lines it has now. */
function collect(counts: EventCounts, samples: Samples): FamilyLines[] {
  const byFamily = new Map<MetricFamily, FamilyLines>(catalogue.map((family) => [family, new FamilyLines(family)]));
  const linesOf = (family: MetricFamily): FamilyLines => byFamily.get(family) as FamilyLines;
  for (const [family, some] of samples.byFamily) {
    const lines = linesOf(family);
    for (const { labels, value } of some) lines.add(labels, value);
  }
  for (const { labels, total, running, errors, histograms } of counts.requests.series.values()) {
    linesOf(requestFamilies.total).add(labels, total);
    linesOf(requestFamilies.running).add(labels, running);
    for (const [code, value] of errors) linesOf(requestFamilies.errors).add(labels, value, { error_code: code });
    for (const { family, tally } of histograms) linesOf(family).addHistogram(tally);
  }
  for (const pool of counts.pools.values()) {
    for (const { labels, waiting, bytes, histograms } of pool.flows.values()) {
      linesOf(flowFamilies.queueSize).add(labels, waiting);
      linesOf(flowFamilies.queueBytes).add(labels, bytes);
      for (const tally of histograms) linesOf(flowFamilies.queueDuration).addHistogram(tally);
    }
  }
  return [...byFamily.values()];
}

function splitOnce(key: string): [string, string] {
  const space = key.indexOf(' ');
  return [key.slice(0, space), key.slice(space + 1)];
}
