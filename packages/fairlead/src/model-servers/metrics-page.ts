// SPDX-License-Identifier: Apache-2.0

/**
 * Reads the few figures that matter off a model server's metrics page (Prometheus text format) while it arrives: one
 * pass over the bytes, no string of the page, nothing kept but the line that a chunk cuts in two. The page is not
 * trusted: its size and its lines are bounded, and a figure that is no sane number refuses the page and says why.
 */

import type { EngineCache, EngineMetrics } from '@fairlead/core';
import type { CacheGaugeNames, EngineMetricNames } from './engine-metrics.ts';
import { cacheOf, InfoSample, loraOf, readLabels } from './info-sample.ts';
import { readMetricSpec } from './metric-spec.ts';
import type { MetricSpec } from './metric-spec.ts';

/** A page larger than this is refused. vLLM's has about 50 KB. */
export const MAX_PAGE_BYTES = 16 * 1024 * 1024;

/** A wanted sample longer than this, labels included, is refused; other lines may have any length. */
export const MAX_LINE_BYTES = 8192;

/** What a page said; `running` is undefined when the engine does not tell. */
export type PageMetrics = Omit<EngineMetrics, 'running'> & { readonly running: number | undefined };

/** What a page said, or why it is not believed. */
export type PageReading =
  { readonly engine: EngineMetricNames; readonly metrics: PageMetrics } | { readonly problem: string };

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const HASH = 0x23;
const TAB = 0x09;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;

const DECIMAL = /^[+]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** A metric that is looked for, and what was found of it. */
interface Wanted {
  /** As the engine's table has it. */
  readonly text: string;
  readonly spec: MetricSpec;
  /** A ratio that cannot be read is as good as none; a count that cannot be read refuses the page. */
  readonly isRatio: boolean;
  sum: number;
  series: number;
  isUnreadable: boolean;
}

export class MetricsPage {
  readonly #engines: readonly EngineMetricNames[];
  readonly #wanted: readonly Wanted[];
  readonly #infos: readonly InfoSample[];
  /** The beginning of a line whose end has not come. */
  #cut: Uint8Array | undefined;
  #cutBytes = 0;
  #isSkippingLine = false;
  #bytes = 0;
  #problem: string | undefined;

  /** Looks for the metrics of any of `engines`. */
  constructor(engines: readonly EngineMetricNames[]) {
    this.#engines = engines;
    this.#wanted = engines.flatMap(({ waiting, running, kvUsage, cacheGauges }) => [
      wanted(waiting, false),
      ...(running === undefined ? [] : [wanted(running, false)]),
      ...kvUsage.map((name) => wanted(name, true)),
      ...(cacheGauges === undefined ? [] : [wanted(cacheGauges.blockTokens, true), wanted(cacheGauges.blocks, true)]),
    ]);
    this.#infos = engines.flatMap(({ cacheInfo, loraInfo }) =>
      [cacheInfo, loraInfo].flatMap((info) => (info === undefined ? [] : [new InfoSample(info.name)])),
    );
  }

  /** Takes the next bytes, cut anywhere. False when the page is refused already, and reading on is no use. */
  write(chunk: Uint8Array): boolean {
    const room = MAX_PAGE_BYTES - this.#bytes;
    this.#bytes += chunk.byteLength;
    this.#lines(chunk.byteLength > room ? chunk.subarray(0, Math.max(0, room)) : chunk);
    if (chunk.byteLength > room) this.#refuse(`its metrics page is larger than ${MAX_PAGE_BYTES} bytes`);
    return this.#problem === undefined;
  }

  /** The page is complete. */
  end(): PageReading {
    if (this.#cutBytes > 0) this.#line(this.#cut!, { start: 0, end: this.#cutBytes });
    if (this.#problem !== undefined) return { problem: this.#problem };
    for (const names of this.#engines) {
      const waiting = this.#find(names.waiting);
      const running = names.running === undefined ? undefined : this.#find(names.running);
      if (waiting.series === 0 || running?.series === 0) continue;
      return this.#reading(names, { waiting: waiting.sum, running: running?.sum });
    }
    const looked = this.#engines.map(({ waiting, running }) => (running ? `${waiting} and ${running}` : waiting));
    return { problem: `its metrics page lacks ${looked.join(', or ')}` };
  }

  #reading(names: EngineMetricNames, counts: { waiting: number; running: number | undefined }): PageReading {
    if (counts.waiting > Number.MAX_SAFE_INTEGER || (counts.running ?? 0) > Number.MAX_SAFE_INTEGER) {
      return { problem: `its metrics page counts more requests than there can be` };
    }
    const usage = names.kvUsage.map((name) => this.#find(name)).find((each) => each.series > 0 && !each.isUnreadable);
    const kvUsage = usage === undefined ? undefined : Math.min(1, usage.sum / usage.series);
    const { cacheInfo, cacheGauges, loraInfo } = names;
    const cache =
      (cacheInfo && cacheOf(this.#labelsOf(cacheInfo.name), cacheInfo)) ?? (cacheGauges && this.#cacheIn(cacheGauges));
    const lora = loraInfo && loraOf(this.#labelsOf(loraInfo.name), loraInfo);
    return { engine: names, metrics: { ...counts, kvUsage, ...(cache && { cache }), ...(lora && { lora }) } };
  }

  #cacheIn(names: CacheGaugeNames): EngineCache | undefined {
    const [size, count] = [this.#find(names.blockTokens), this.#find(names.blocks)];
    const blockTokens = size.sum / size.series;
    const isSane = [blockTokens, count.sum].every((value) => Number.isSafeInteger(value) && value > 0);
    return isSane && !size.isUnreadable && !count.isUnreadable ? { blockTokens, blocks: count.sum } : undefined;
  }

  #labelsOf(name: string): ReadonlyMap<string, string> | undefined {
    return this.#infos.find((info) => info.name === name)?.labels;
  }

  #find(text: string): Wanted {
    return this.#wanted.find((each) => each.text === text)!;
  }

  #refuse(problem: string): void {
    this.#problem ??= problem;
  }

  #lines(chunk: Uint8Array): void {
    let start = 0;
    while (this.#problem === undefined && start < chunk.byteLength) {
      const newline = chunk.indexOf(NEWLINE, start);
      const end = newline < 0 ? chunk.byteLength : newline;
      if (newline < 0 || this.#cutBytes > 0 || this.#isSkippingLine) this.#keep(chunk, { start, end });
      else this.#line(chunk, { start, end });
      if (newline >= 0) this.#endCutLine();
      start = end + 1;
    }
  }

  /** Keeps a part of a line, unless it is too long to be of interest or too long to be allowed. */
  #keep(chunk: Uint8Array, part: { start: number; end: number }): void {
    if (this.#isSkippingLine) return;
    // One byte more than a line may have shows that it is too long.
    this.#cut ??= new Uint8Array(MAX_LINE_BYTES + 1);
    const kept = chunk.subarray(part.start, Math.min(part.end, part.start + this.#cut.byteLength - this.#cutBytes));
    this.#cut.set(kept, this.#cutBytes);
    this.#cutBytes += kept.byteLength;
    if (this.#cutBytes <= MAX_LINE_BYTES) return;
    this.#line(this.#cut, { start: 0, end: this.#cutBytes });
    this.#cutBytes = 0;
    this.#isSkippingLine = true;
  }

  #endCutLine(): void {
    if (this.#cutBytes > 0) this.#line(this.#cut!, { start: 0, end: this.#cutBytes });
    this.#cutBytes = 0;
    this.#isSkippingLine = false;
  }

  #line(bytes: Uint8Array, line: { start: number; end: number }): void {
    if (bytes[line.start] === HASH) return;
    for (const metric of this.#wanted) {
      if (begins(bytes, line, metric.spec.bytes)) this.#sample(metric, bytes, line);
    }
    for (const info of this.#infos) {
      if (begins(bytes, line, info.bytes)) takeInfo(info, bytes, line);
    }
  }

  #sample(metric: Wanted, bytes: Uint8Array, line: { start: number; end: number }): void {
    const { name } = metric.spec;
    if (line.end - line.start > MAX_LINE_BYTES) {
      this.#refuse(`${name} on its metrics page is in a line longer than ${MAX_LINE_BYTES} bytes`);
      return;
    }
    const rest = { start: line.start + metric.spec.bytes.byteLength, end: line.end };
    if (!hasLabels(metric.spec, bytes, rest)) return;
    const text = valueText(bytes, rest);
    const value = text !== undefined && DECIMAL.test(text) ? Number(text) : NaN;
    if (Number.isFinite(value)) {
      metric.sum += value;
      metric.series += 1;
    } else if (metric.isRatio) {
      metric.isUnreadable = true;
    } else {
      const got = text === undefined ? 'an unfinished line' : JSON.stringify(text.slice(0, 32));
      this.#refuse(`${name} on its metrics page is ${got}, not a number from 0`);
    }
  }
}

/** Tables are few and pages are many: each specification is read once. */
const SPECS = new Map<string, MetricSpec>();

function wanted(text: string, isRatio: boolean): Wanted {
  let spec = SPECS.get(text);
  if (spec === undefined) SPECS.set(text, (spec = readMetricSpec(text)));
  return { text, spec, isRatio, sum: 0, series: 0, isUnreadable: false };
}

/** Whether a series has the labels that are asked for. */
function hasLabels({ labels }: MetricSpec, bytes: Uint8Array, rest: { start: number; end: number }): boolean {
  if (labels.length === 0) return true;
  const end = bytes[rest.start] === BRACE_OPEN ? labelsEnd(bytes, rest) : -1;
  if (end < 0) return false;
  const found = readLabels(Buffer.from(bytes.subarray(rest.start, end)).toString('utf8'));
  return labels.every(([name, value]) => found.get(name) === value);
}

/** Whether a line is a sample of a metric: its whole name, then labels or a value. */
function begins(bytes: Uint8Array, line: { start: number; end: number }, name: Uint8Array): boolean {
  const { start, end } = line;
  // The last byte differs more often than the first: most names of a page share the engine's prefix.
  if (end - start <= name.byteLength || bytes[start + name.byteLength - 1] !== name[name.byteLength - 1]) return false;
  const next = bytes[start + name.byteLength];
  if (next !== BRACE_OPEN && next !== SPACE && next !== TAB) return false;
  for (let index = 0; index < name.byteLength; index++) {
    if (bytes[start + index] !== name[index]) return false;
  }
  return true;
}

/** Info that cannot be read is as good as none. */
function takeInfo(info: InfoSample, bytes: Uint8Array, line: { start: number; end: number }): void {
  const rest = { start: line.start + info.bytes.byteLength, end: line.end };
  const end = bytes[rest.start] === BRACE_OPEN && line.end - line.start <= MAX_LINE_BYTES ? labelsEnd(bytes, rest) : -1;
  if (end < 0) return;
  const value = valueText(bytes, rest);
  if (value === undefined || !DECIMAL.test(value)) return;
  info.take(Buffer.from(bytes.subarray(rest.start, end)).toString('utf8'), Number(value));
}

/** The value behind labels and blanks; a time stamp or exemplar behind it is left. Undefined when the line breaks off. */
function valueText(bytes: Uint8Array, rest: { start: number; end: number }): string | undefined {
  let at = rest.start;
  if (bytes[at] === BRACE_OPEN) {
    at = labelsEnd(bytes, rest);
    if (at < 0) return undefined;
  }
  while (at < rest.end && isBlank(bytes[at]!)) at++;
  let end = at;
  while (end < rest.end && !isBlank(bytes[end]!)) end++;
  return end === at ? undefined : Buffer.from(bytes.subarray(at, end)).toString('latin1');
}

/** The place behind the closing brace; braces within quoted label values do not count. */
function labelsEnd(bytes: Uint8Array, rest: { start: number; end: number }): number {
  let isQuoted = false;
  for (let at = rest.start; at < rest.end; at++) {
    const byte = bytes[at]!;
    if (isQuoted && byte === BACKSLASH) at++;
    else if (byte === QUOTE) isQuoted = !isQuoted;
    else if (!isQuoted && byte === BRACE_CLOSE) return at + 1;
  }
  return -1;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === CARRIAGE_RETURN;
}
