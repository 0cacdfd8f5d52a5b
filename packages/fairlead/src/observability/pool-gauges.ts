// SPDX-License-Identifier: Apache-2.0

/**
 * The families that describe pools, bands and endpoints, computed from their state at the moment the page is made. How
 * many there are is up to the operator, except for waiting tenants: of those the hundred longest are shown.
 */

import type { BandSnapshot, FlowControlSnapshot } from '@fairlead/core';
import type { EndpointView, PoolView } from '../director/pool-view.ts';
import { endpointFamilies, poolFamilies } from './catalogue.ts';
import type { MetricFamily } from './catalogue.ts';
import { labelValue, OTHER_LABEL } from './label.ts';
import type { Labels } from './tally.ts';

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** Samples by family. */
export class Samples {
  readonly byFamily = new Map<MetricFamily, Sample[]>();
  count = 0;

  add(family: MetricFamily, labels: Labels, value: number): void {
    let samples = this.byFamily.get(family);
    if (samples === undefined) this.byFamily.set(family, (samples = []));
    samples.push({ labels, value });
    this.count += 1;
  }
}

/** Tenants of a pool whose oldest wait is shown by name. */
const MAX_OLDEST_WAITS = 100;

/** Adds what `pools` look like now. */
export function readPools(pools: readonly PoolView[], samples: Samples): void {
  const stale = new Map<string, number>();
  for (const [pool, { detector, endpoints, snapshot }] of byLabel(pools, ({ name }) => name)) {
    const saturations = { ...snapshot.stages, effective: snapshot.saturation };
    for (const [stage, saturation] of Object.entries(saturations)) {
      if (saturation !== undefined) samples.add(poolFamilies.saturation, { inference_pool: pool, stage }, saturation);
    }
    readTotals(pool, snapshot, samples);
    for (const band of snapshot.bands) readBand(pool, band, samples);
    readOldestWaits(pool, snapshot, samples);
    readEngines(pool, endpoints, samples);
    const label = labelValue(detector);
    stale.set(label, (stale.get(label) ?? 0) + endpoints.filter((view) => !isFresh(view)).length);
  }
  for (const [detector, count] of stale) samples.add(poolFamilies.staleEndpoints, { detector }, count);
}

function readTotals(pool: string, snapshot: FlowControlSnapshot, samples: Samples): void {
  const labels = { inference_pool: pool };
  const { waiting, bytes, maxRequests, maxBytes } = snapshot;
  if (Number.isFinite(maxRequests)) samples.add(poolFamilies.globalRequests, labels, waiting / maxRequests);
  if (Number.isFinite(maxBytes)) samples.add(poolFamilies.globalBytes, labels, bytes / maxBytes);
  samples.add(poolFamilies.heldWhileIdle, { pool }, snapshot.heldWhileIdleMs / 1000);
}

function readBand(pool: string, band: BandSnapshot, samples: Samples): void {
  const priority = String(band.priority);
  const reference = { priority, inference_pool: pool };
  // A limit of Infinity gives 0, as it should.
  samples.add(poolFamilies.bandRequests, reference, band.waiting / band.maxRequests);
  samples.add(poolFamilies.bandBytes, reference, band.bytes / band.maxBytes);
  samples.add(poolFamilies.bandGated, { pool, priority }, band.gated ? 1 : 0);
  samples.add(poolFamilies.bandCeiling, { pool, priority }, band.ceiling);
  if (band.promisedShare !== undefined) {
    samples.add(poolFamilies.bandPromisedShare, { pool, priority }, band.promisedShare);
    samples.add(poolFamilies.bandRecentShare, { pool, priority }, band.recentShare);
  }
  samples.add(poolFamilies.fairnessLag, { pool, priority }, band.largestLag);
  if (band.lagBound !== undefined) samples.add(poolFamilies.fairnessLagBound, { pool, priority }, band.lagBound);
}

function readOldestWaits(pool: string, snapshot: FlowControlSnapshot, samples: Samples): void {
  const oldest = new Map<string, number>();
  for (const band of snapshot.bands) {
    for (const flow of band.flows) {
      if (flow.waiting === 0) continue;
      const tenant = labelValue(flow.fairnessId);
      oldest.set(tenant, Math.max(oldest.get(tenant) ?? 0, flow.oldestWaitMs));
    }
  }
  const byAge = [...oldest].sort(([, a], [, b]) => b - a);
  const shown = new Map(byAge.slice(0, MAX_OLDEST_WAITS));
  for (const [, waitMs] of byAge.slice(MAX_OLDEST_WAITS)) {
    shown.set(OTHER_LABEL, Math.max(shown.get(OTHER_LABEL) ?? 0, waitMs));
  }
  for (const [tenant, waitMs] of shown) samples.add(poolFamilies.oldestWait, { pool, tenant }, waitMs / 1000);
}

function readEngines(pool: string, endpoints: readonly EndpointView[], samples: Samples): void {
  const name = { name: pool };
  const readings = endpoints.filter(isFresh).map(({ endpoint }) => endpoint.metrics);
  const spread = (average: MetricFamily, deviation: MetricFamily, values: readonly (number | undefined)[]): void => {
    const known = values.filter((value) => value !== undefined);
    const mean = known.length === 0 ? 0 : known.reduce((sum, value) => sum + value, 0) / known.length;
    const variance = known.length === 0 ? 0 : known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length;
    samples.add(average, name, rounded(mean));
    samples.add(deviation, name, rounded(Math.sqrt(variance)));
  };
  spread(
    poolFamilies.averageKv,
    poolFamilies.spreadKv,
    readings.map((reading) => reading?.kvUsage),
  );
  spread(
    poolFamilies.averageQueue,
    poolFamilies.spreadQueue,
    readings.map((reading) => reading?.waiting),
  );
  spread(
    poolFamilies.averageRunning,
    poolFamilies.spreadRunning,
    readings.map((reading) => reading?.running),
  );
  samples.add(poolFamilies.ready, name, endpoints.filter(({ endpoint }) => endpoint.up).length);
  for (const [label, { endpoint }] of byLabel(endpoints, (view) => view.endpoint.name)) {
    if (endpoint.metrics === undefined) continue;
    const labels = { name: pool, model_server_endpoint: label };
    samples.add(poolFamilies.endpointQueue, labels, endpoint.metrics.waiting);
  }
}

/** Adds what `endpoints` look like at `nowMs`. */
export function readEndpoints(endpoints: readonly EndpointView[], nowMs: number, samples: Samples): void {
  for (const [label, { endpoint, limit }] of byLabel(endpoints, (view) => view.endpoint.name)) {
    const labels = { endpoint: label };
    samples.add(endpointFamilies.up, labels, endpoint.up ? 1 : 0);
    if (Number.isFinite(limit)) samples.add(endpointFamilies.limit, labels, limit);
    samples.add(endpointFamilies.inFlight, labels, endpoint.inFlight);
    samples.add(endpointFamilies.tokensInFlight, labels, endpoint.tokensInFlight);
    const { metrics } = endpoint;
    if (metrics !== undefined)
      samples.add(endpointFamilies.scrapeAge, labels, Math.max(0, nowMs - metrics.atMs) / 1000);
  }
}

/** How often an endpoint was set aside, for one reason. */
export interface EjectionCount {
  readonly endpoint: string;
  readonly reason: string;
  readonly count: number;
}

/** Adds how often endpoints were set aside; of those whose names become the same label, the sum. */
export function readEjections(ejections: readonly EjectionCount[], samples: Samples): void {
  for (const [reason, counts] of Map.groupBy(ejections, (each) => each.reason)) {
    for (const [endpoint, same] of Map.groupBy(counts, (each) => labelValue(each.endpoint))) {
      const sum = same.reduce((total, { count }) => total + count, 0);
      samples.add(endpointFamilies.ejections, { endpoint, reason }, sum);
    }
  }
}

/** Of those whose names become the same label, one: a page with a series twice is refused as a whole. */
function byLabel<T>(items: readonly T[], nameOf: (item: T) => string): Map<string, T> {
  return new Map(items.map((item) => [labelValue(nameOf(item)), item]));
}

function isFresh({ endpoint }: EndpointView): boolean {
  return endpoint.metrics !== undefined && endpoint.scrapeFailures === 0;
}

/** To two decimals, as the reference does. */
function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
