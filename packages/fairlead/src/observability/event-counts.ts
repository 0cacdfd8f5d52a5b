// SPDX-License-Identifier: Apache-2.0

/**
 * Flow-control events and finished requests in, additions out. This runs for every event of every request, so it finds a
 * series, adds, and returns: no text, no closures, nothing kept of the request.
 */

import { DROPS, OUTCOMES } from '@fairlead/core';
import type { DropCause, FlowEvent } from '@fairlead/core';
import { CLIENT_LEFT } from '../director/request-report.ts';
import type { RequestReport, RetryKind } from '../director/request-report.ts';
import type { FlowSeries } from './flow-series.ts';
import { labelValue, OTHER_LABEL } from './label.ts';
import { measure } from './request-series.ts';
import type { SeriesBudget } from './series-budget.ts';
import { PoolSeries, RequestTable } from './series-table.ts';

type EventOf<K extends FlowEvent['kind']> = Extract<FlowEvent, { kind: K }>;

/** Codes by which the reference counts errors. */
const errorCodes = { 429: 'ResourceExhausted', 500: 'Internal', 503: 'ServiceUnavailable' } as const;
const dispatched = OUTCOMES.indexOf('Dispatched');
const dropOutcome = new Map<DropCause, number>();
for (const [cause, drop] of Object.entries(DROPS)) dropOutcome.set(cause as DropCause, OUTCOMES.indexOf(drop.outcome));

/** Refusals told apart by status and reason at most, and pools at most: both come from short lists of ours. */
const MAX_REFUSALS = 100;

/** Rules for every model see names that clients make up; more than these count as other. */
const MAX_REWRITES = 1000;

export class EventCounts {
  readonly requests: RequestTable;
  /** By label, shared by pools that have the same. */
  readonly pools = new Map<string, PoolSeries>();
  /** By status and reason, separated by a space. */
  readonly refused = new Map<string, number>();
  readonly retries = new Map<RetryKind, number>();
  /** By rule, model and target, separated by line ends. */
  readonly rewrites = new Map<string, number>();
  withoutIdentity = 0;
  objectiveUnknown = 0;
  /** The pool of the last event: events come in bursts of one pool. */
  #lastName: string | undefined;
  #last: PoolSeries | undefined;

  constructor(budget: SeriesBudget) {
    this.requests = new RequestTable(budget);
  }

  observe(poolName: string, event: FlowEvent): void {
    const pool = poolName === this.#lastName && this.#last !== undefined ? this.#last : this.#pool(poolName);
    switch (event.kind) {
      case 'enqueued':
        return enqueued(pool, event);
      case 'dispatched':
        return left(pool, event, dispatched);
      case 'ended':
        return ended(pool, event);
      case 'rejected':
        return dropped(pool, event, 0);
      case 'evicted':
        leaveQueue(pool.find(event.request, event.band, event.atMs), event.request.sizeBytes);
        return dropped(pool, event, event.waitMs);
      case 'requeued':
        return requeued(pool, event);
      case 'priority-unknown':
        pool.priorityUnknown += 1;
        return;
      case 'usage-clamped':
        pool.usageClamped += 1;
        return;
      case 'flow-forgotten':
        return pool.forget(event.fairnessId, event.band);
      default:
      // What else happens shows in the gauges, or in the log.
    }
  }

  /** Counts what only the front door knows of a request. */
  finished(report: RequestReport): void {
    if (report.verified === false) this.withoutIdentity += 1;
    if (report.unknownObjective === true) this.objectiveUnknown += 1;
    for (const kind of report.retries ?? []) this.retries.set(kind, (this.retries.get(kind) ?? 0) + 1);
    if (report.modelRewrite !== undefined) this.#rewrite(report.modelRewrite, report);
    if (report.ending === undefined && report.status >= 400 && report.status !== CLIENT_LEFT) this.#refuse(report);
    const series = this.#seriesOf(report);
    if (series === undefined || report.ending !== 'succeeded') return;
    const { request } = series;
    if (report.responseBytes !== undefined) request.observe(measure.responseSizeBytes, report.responseBytes);
    const { ttftMs, durationMs, streamed } = report;
    if (streamed !== true) request.observe(measure.firstTokenWholeS, durationMs / 1000);
    else if (ttftMs !== undefined) {
      request.observe(measure.firstTokenStreamedS, ttftMs / 1000);
      const tokens = report.usage?.completionTokens ?? 0;
      if (tokens > 1) request.observe(measure.streamedTokenS, (durationMs - ttftMs) / 1000 / (tokens - 1));
    }
  }

  #rewrite(rule: string, { model = '', targetModel = '' }: RequestReport): void {
    let key = [rule, model, targetModel].map(labelValue).join('\n');
    if (!this.rewrites.has(key) && this.rewrites.size >= MAX_REWRITES)
      key = [rule, OTHER_LABEL, targetModel].map(labelValue).join('\n');
    this.rewrites.set(key, (this.rewrites.get(key) ?? 0) + 1);
  }

  #refuse({ status, reason }: RequestReport): void {
    let key = `${status} ${labelValue(reason ?? '')}`;
    if (!this.refused.has(key) && this.refused.size >= MAX_REFUSALS) key = `${status} ${OTHER_LABEL}`;
    this.refused.set(key, (this.refused.get(key) ?? 0) + 1);
  }

  #seriesOf({ pool, tenant, priority, model, targetModel }: RequestReport): FlowSeries | undefined {
    if (pool === undefined || tenant === undefined || priority === undefined || model === undefined) return undefined;
    const series = pool === this.#lastName ? this.#last : this.pools.get(labelValue(pool));
    return series?.known({ tenant, priority, model, targetModel: targetModel ?? model });
  }

  #pool(name: string): PoolSeries {
    const label = labelValue(name);
    let pool = this.pools.get(label);
    if (pool === undefined) this.pools.set(label, (pool = new PoolSeries(label, this.requests)));
    this.#lastName = name;
    this.#last = pool;
    return pool;
  }
}

function enqueued(pool: PoolSeries, { request, band, atMs }: EventOf<'enqueued'>): void {
  const series = pool.find(request, band, atMs);
  series.waiting += 1;
  series.bytes += request.sizeBytes;
  series.request.total += 1;
  series.request.observe(measure.sizeBytes, request.sizeBytes);
}

function left(pool: PoolSeries, { request, band, waitMs, atMs }: EventOf<'dispatched'>, outcome: number): void {
  const series = pool.find(request, band, atMs);
  leaveQueue(series, request.sizeBytes);
  series.request.running += 1;
  if (pool.requeuedTotal > 0 && pool.requeued.delete(request)) return;
  series.waited(outcome, waitMs);
  series.endings[outcome] = (series.endings[outcome] ?? 0) + 1;
}

function dropped(pool: PoolSeries, event: EventOf<'rejected' | 'evicted'>, waitMs: number): void {
  const { request, band, cause, atMs } = event;
  const series = pool.find(request, band, atMs);
  const outcome = dropOutcome.get(cause) ?? dispatched;
  series.waited(outcome, waitMs);
  series.endings[outcome] = (series.endings[outcome] ?? 0) + 1;
  series.request.failed(errorCodes[DROPS[cause].status]);
  // One that waited was counted when it was enqueued.
  if (event.kind === 'rejected') series.request.total += 1;
  else pool.requeued.delete(request);
}

function requeued(pool: PoolSeries, { request, band, atMs }: EventOf<'requeued'>): void {
  const series = pool.find(request, band, atMs);
  pool.requeuedTotal += 1;
  pool.requeued.add(request);
  series.waiting += 1;
  series.bytes += request.sizeBytes;
  leaveServer(series);
}

function ended(pool: PoolSeries, event: EventOf<'ended'>): void {
  const series = pool.find(event.request, event.band, event.atMs);
  const { request } = series;
  leaveServer(series);
  if (event.ending === 'failed') request.failed('ModelServerError');
  if (event.ending !== 'succeeded') return;
  const durationS = event.sinceReceivedMs / 1000;
  request.observe(measure.durationS, durationS);
  const { usage } = event;
  if (usage === undefined) return;
  // None are told of a request that its model server found wrong.
  if (usage.promptTokens) request.observe(measure.inputTokens, usage.promptTokens);
  if (usage.cachedTokens !== undefined) request.observe(measure.cachedTokens, usage.cachedTokens);
  const tokens = usage.completionTokens;
  if (tokens === undefined) return;
  request.observe(measure.outputTokens, tokens);
  if (tokens > 0) request.observe(measure.perOutputTokenS, durationS / tokens);
}

/** Never below zero: a series that was dropped and made anew has not seen what it is told the end of. */
function leaveQueue(series: FlowSeries, sizeBytes: number): void {
  if (series.waiting === 0) return;
  series.waiting -= 1;
  series.bytes -= sizeBytes;
}

function leaveServer({ request }: FlowSeries): void {
  if (request.running > 0) request.running -= 1;
}
