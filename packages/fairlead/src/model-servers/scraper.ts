// SPDX-License-Identifier: Apache-2.0

/**
 * Reads the metrics of every endpoint that is up, at intervals: one page at a time each, spread by chance, slower when
 * pages come late (rendering one holds up an engine's own loop) or do not come. A failed scrape leaves the last reading:
 * the endpoint is then *unknown*, neither full nor free.
 */

import type { Alarm, Clock, Endpoint, Random } from '@fairlead/core';
import type { MetricsSourceConfig } from '../config/resolved.ts';
import { enginesFor, withOwnEngines } from './engine-metrics.ts';
import type { EngineMetricNames } from './engine-metrics.ts';
import type { GetResult, Gets } from './getter.ts';
import { MetricsPage } from './metrics-page.ts';
import type { Problems } from './problems.ts';
import type { UpstreamError } from './upstream-error.ts';

/** A page that takes longer is given up. */
export const SCRAPE_TIMEOUT_MS = 1000;

/** `scrapeSoon` makes for no more than one scrape within this: 20 a second. */
export const SOON_MS = 50;

/** The label that names an endpoint's engine, and what it was called before. */
const ENGINE_LABEL = 'llm-d.ai/engine-type';
const LEGACY_ENGINE_LABEL = 'inference.networking.k8s.io/engine-type';

/** The interval grows by this factor at most. */
const MAX_SLOWNESS = 8;

export interface ScraperOptions {
  readonly getter: Gets;
  readonly clock: Clock;
  readonly random: Random;
  readonly source: MetricsSourceConfig;
  readonly problems: Problems;
  /** A page was read; `endpoint.metrics` is new. */
  readonly onRead: (endpoint: Endpoint) => void;
  /** The metrics port, being the endpoint's own, could not be connected to or spoke no HTTP. */
  readonly onFailed: (endpoint: Endpoint, error: UpstreamError) => void;
}

interface Target {
  readonly endpoint: Endpoint;
  /** What it was recognised as: its next page is looked through for those names only. */
  engine: EngineMetricNames | undefined;
  readonly url: string;
  alarm: Alarm | undefined;
  scrape: { cancel(): void } | undefined;
  dueMs: number;
  startedMs: number;
  slowness: number;
  isWantedSoon: boolean;
}

export class Scraper {
  readonly #options: ScraperOptions;
  readonly #targets = new Map<Endpoint, Target>();
  readonly #engines: readonly EngineMetricNames[];

  constructor(options: ScraperOptions) {
    this.#options = options;
    this.#engines = withOwnEngines(options.source.engines ?? []);
  }

  /** Scrapes the endpoint at once, and from then on until it is removed. */
  add(endpoint: Endpoint): void {
    if (this.#targets.has(endpoint)) return;
    const target: Target = {
      endpoint,
      engine: undefined,
      url: metricsUrl(endpoint.url, this.#options.source),
      alarm: undefined,
      scrape: undefined,
      dueMs: 0,
      startedMs: -Infinity,
      slowness: 1,
      isWantedSoon: false,
    };
    this.#targets.set(endpoint, target);
    this.#scheduleAt(target, this.#options.clock.now());
  }

  remove(endpoint: Endpoint): void {
    const target = this.#targets.get(endpoint);
    target?.alarm?.cancel();
    target?.scrape?.cancel();
    this.#targets.delete(endpoint);
  }

  /** Asks for a scrape within 50 ms: whoever learns an endpoint's limit wants to see what a change did. */
  scrapeSoon(endpoint: Endpoint): void {
    const target = this.#targets.get(endpoint);
    if (target === undefined) return;
    if (target.scrape !== undefined) {
      target.isWantedSoon = true;
      return;
    }
    const soonMs = this.#soonMs(target);
    if (soonMs < target.dueMs) this.#scheduleAt(target, soonMs);
  }

  stop(): void {
    for (const endpoint of [...this.#targets.keys()]) this.remove(endpoint);
  }

  #soonMs(target: Target): number {
    return Math.max(this.#options.clock.now(), target.startedMs + SOON_MS);
  }

  #scheduleAt(target: Target, timeMs: number): void {
    target.alarm?.cancel();
    target.dueMs = timeMs;
    target.alarm = this.#options.clock.at(timeMs, () => this.#due(target));
  }

  #due(target: Target): void {
    const { clock, getter, source } = this.#options;
    const { endpoint } = target;
    target.alarm = undefined;
    // Health looks after it, and asks for a scrape when it is back.
    if (!endpoint.up) {
      this.#scheduleAt(target, clock.now() + source.intervalMs);
      return;
    }
    target.startedMs = clock.now();
    target.isWantedSoon = false;
    const page = new MetricsPage(target.engine === undefined ? this.#enginesOf(endpoint) : [target.engine]);
    const dispatchedBefore = endpoint.dispatched;
    const onData = (chunk: Uint8Array): boolean => page.write(chunk);
    const request = { url: target.url, path: source.path, timeoutMs: SCRAPE_TIMEOUT_MS, onData };
    target.scrape = getter.get(request, (result) => {
      target.scrape = undefined;
      const isRead = this.#note(target, { result, page, dispatchedBefore });
      this.#scheduleNext(target, isRead);
      if (isRead) this.#options.onRead(endpoint);
    });
  }

  /** Whether the page could be read. */
  #note(target: Target, got: { result: GetResult; page: MetricsPage; dispatchedBefore: number }): boolean {
    const { endpoint } = target;
    const { problems, clock, onFailed } = this.#options;
    if ('error' in got.result) {
      endpoint.scrapeFailures += 1;
      if (target.url === endpoint.url) onFailed(endpoint, got.result.error);
      return false;
    }
    // No metrics page at all only means that nothing is known.
    const reading = got.result.status === 200 ? got.page.end() : undefined;
    problems.set(endpoint, 'metrics', reading !== undefined && 'problem' in reading ? reading.problem : undefined);
    if (reading === undefined || 'problem' in reading) {
      // It may be another engine by now.
      target.engine = undefined;
      endpoint.scrapeFailures += 1;
      return false;
    }
    target.engine = reading.engine;
    const { waiting, running = Math.max(0, endpoint.inFlight - waiting) } = reading.metrics;
    endpoint.noteMetrics({ ...reading.metrics, running }, got.dispatchedBefore, clock.now());
    return true;
  }

  #enginesOf({ labels }: Endpoint): readonly EngineMetricNames[] {
    const { engineLabelKey, defaultEngine } = this.#options.source;
    const legacy = engineLabelKey === ENGINE_LABEL ? labels[LEGACY_ENGINE_LABEL] : undefined;
    return enginesFor([labels[engineLabelKey], legacy, defaultEngine], this.#engines);
  }

  #scheduleNext(target: Target, isRead: boolean): void {
    const { clock, random, source } = this.#options;
    // How long after its time the page was there: our own lateness counts as well, it means that we are too busy.
    const lateMs = clock.now() - Math.min(target.startedMs, target.dueMs);
    const isSlow = !isRead || lateMs > source.intervalMs / 2;
    target.slowness = isSlow ? Math.min(MAX_SLOWNESS, target.slowness * 2) : Math.max(1, target.slowness / 2);
    const intervalMs = source.intervalMs * target.slowness * (0.9 + 0.2 * random());
    // A server that is slow is left alone for the whole interval after it was done.
    const nextMs = (isSlow ? clock.now() : target.startedMs) + intervalMs;
    this.#scheduleAt(target, target.isWantedSoon ? Math.min(nextMs, this.#soonMs(target)) : nextMs);
  }
}

/** Base URL of the metrics page: the endpoint's own, unless scheme or port are configured otherwise. */
export function metricsUrl(endpointUrl: string, source: Pick<MetricsSourceConfig, 'scheme' | 'port'>): string {
  const url = new URL(endpointUrl);
  if (source.port === undefined && (source.scheme === 'http' || url.protocol === 'https:')) return endpointUrl;
  const port = source.port ?? url.port;
  return `${source.scheme}://${url.hostname}${port === '' ? '' : `:${port}`}`;
}
