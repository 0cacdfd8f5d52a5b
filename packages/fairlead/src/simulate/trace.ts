// SPDX-License-Identifier: Apache-2.0

/**
 * Requests that were really asked, from a file. Only their sizes, times and tenants count. What is wrong is told with its
 * line; what an answer's size would have been that was never given, is taken from the others of its tenant.
 */

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { configProblem } from '../config/config-problem.ts';
import type { ConfigProblem } from '../config/config-problem.ts';
import { fileProblem } from '../config/load.ts';
import { formatOf } from './trace-formats.ts';
import type { TraceFormat, TraceLine } from './trace-formats.ts';

/** One request of a trace. */
export interface TraceRequest extends TraceLine {
  readonly outputTokens: number;
}

export type LoadedTrace =
  | { readonly requests: readonly TraceRequest[]; readonly problems?: undefined }
  | { readonly requests?: undefined; readonly problems: readonly ConfigProblem[] };

/** Requests at most: what fits into memory. */
const MOST_REQUESTS = 5_000_000;
const MOST_PROBLEMS = 20;
const MOST_LINE_LENGTH = 1024 * 1024;
/** Of an answer that was never given, by a tenant that was never given one. */
const UNKNOWN_TOKENS = 100;

/** The requests in the order of their times, the first at 0. Never rejects. */
export async function loadTrace(file: string): Promise<LoadedTrace> {
  const lines: TraceLine[] = [];
  const problems: ConfigProblem[] = [];
  try {
    let format: TraceFormat | undefined;
    let line = 0;
    for await (const text of createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Infinity })) {
      line += 1;
      if (text.trim() === '') continue;
      try {
        if (text.length > MOST_LINE_LENGTH) throw new RangeError(`is longer than ${MOST_LINE_LENGTH} characters`);
        format ??= formatOf(text);
        const read = format(text);
        if (read !== undefined && lines.push(read) > MOST_REQUESTS)
          throw new RangeError(`is request ${lines.length}; allowed are ${MOST_REQUESTS}`);
      } catch (error) {
        problems.push(configProblem({ path: [], message: (error as Error).message }, file, { line, column: 1 }));
        if (format === undefined || problems.length >= MOST_PROBLEMS || lines.length > MOST_REQUESTS) break;
      }
    }
  } catch (error) {
    return { problems: [fileProblem(file, error)] };
  }
  if (lines.length === 0 && problems.length === 0) {
    problems.push(configProblem({ path: [], message: 'has no request in it' }, file, { line: 1, column: 1 }));
  }
  return problems.length > 0 ? { problems } : { requests: completed(lines) };
}

function completed(lines: readonly TraceLine[]): TraceRequest[] {
  const sorted = lines.toSorted((a, b) => a.atMs - b.atMs);
  const startMs = sorted[0]!.atMs;
  const means = meanOutputs(lines);
  return sorted.map((line) => ({
    ...line,
    atMs: line.atMs - startMs,
    outputTokens: line.outputTokens ?? means.get(line.tenant) ?? UNKNOWN_TOKENS,
  }));
}

/** By tenant, of the answers that were given. */
function meanOutputs(lines: readonly TraceLine[]): Map<string, number> {
  const totals = new Map<string, { tokens: number; count: number }>();
  for (const { tenant, outputTokens } of lines) {
    if (outputTokens === undefined) continue;
    const total = totals.get(tenant) ?? { tokens: 0, count: 0 };
    totals.set(tenant, { tokens: total.tokens + outputTokens, count: total.count + 1 });
  }
  return new Map([...totals].map(([tenant, { tokens, count }]) => [tenant, Math.round(tokens / count)]));
}
