// SPDX-License-Identifier: Apache-2.0

/**
 * Writes down what was asked, for `fairlead simulate --trace`: one JSON object a line for each request that came as far as
 * a queue, with its sizes, times and outcome, and never a byte of what it said. A disk that is too slow costs lines, which
 * are counted, and nothing else.
 */

import type { RequestReport } from '../director/request-report.ts';

/** Where lines go: a file's stream. */
export interface RecordStream {
  write(text: string): unknown;
  /** Bytes that are not on their way to the disk yet. */
  readonly writableLength: number;
}

/** The first line of a recording: what the others are. */
export interface RecordHead {
  readonly fairleadTrace: 1;
  readonly startedAt: string;
}

/** One of the others. Times are milliseconds; `atMs` since the recording began. */
export interface RecordLine {
  readonly atMs: number;
  readonly tenant: string;
  readonly priority: number;
  readonly model?: string | undefined;
  readonly bytes?: number | undefined;
  readonly promptTokens?: number | undefined;
  /** Of the prompt, what the server had in its cache. */
  readonly cachedTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  readonly status: number;
  readonly outcome: string;
  readonly reason?: string | undefined;
  readonly waitMs?: number | undefined;
  readonly ttftMs?: number | undefined;
  readonly durationMs: number;
  readonly endpoint?: string | undefined;
}

/** More than this waits for no disk. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024;

export class Recorder {
  readonly #stream: RecordStream;
  readonly #nowMs: () => number;
  readonly #startMs: number;
  /** Lines that were left out because the disk did not follow. */
  leftOut = 0;

  /** `startedAt` is what the clock on the wall says. */
  constructor(stream: RecordStream, nowMs: () => number, startedAt: Date) {
    this.#stream = stream;
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
    this.#write({ fairleadTrace: 1, startedAt: startedAt.toISOString() } satisfies RecordHead);
  }

  /** A request is over. */
  finished(report: RequestReport): void {
    const { outcome, tenant, priority = 0, usage } = report;
    if (outcome === undefined || tenant === undefined) return;
    this.#write({
      atMs: rounded(this.#nowMs() - report.durationMs - this.#startMs),
      tenant,
      priority,
      model: report.model,
      bytes: report.requestBytes,
      promptTokens: usage?.promptTokens,
      cachedTokens: usage?.cachedTokens,
      outputTokens: usage?.completionTokens,
      status: report.status,
      outcome,
      reason: report.reason,
      waitMs: rounded(report.waitMs),
      ttftMs: rounded(report.ttftMs),
      durationMs: rounded(report.durationMs),
      endpoint: report.endpoint,
    } satisfies RecordLine);
  }

  #write(line: RecordHead | RecordLine): void {
    if (this.#stream.writableLength > MOST_WAITING_BYTES) this.leftOut += 1;
    else this.#stream.write(`${JSON.stringify(line)}\n`);
  }
}

function rounded<T extends number | undefined>(ms: T): T {
  return (ms === undefined ? ms : Math.round(ms * 1000) / 1000) as T;
}
