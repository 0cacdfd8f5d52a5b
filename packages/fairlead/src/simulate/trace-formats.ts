// SPDX-License-Identifier: Apache-2.0

/**
 * The lines of the traces that can be played: those of `fairlead serve --record`, the Azure LLM inference traces
 * (https://github.com/Azure/AzurePublicDataset, CSV: `TIMESTAMP,ContextTokens,GeneratedTokens`), and the Mooncake ones
 * (https://github.com/kvcache-ai/Mooncake, JSON lines: `timestamp`, `input_length`, `output_length`, `hash_ids`).
 */

/** A request as a line tells it. */
export interface TraceLine {
  /** From whenever the trace counts. */
  readonly atMs: number;
  readonly tenant: string;
  readonly priority: number | undefined;
  readonly promptTokens: number;
  /** Undefined when there was no answer. */
  readonly outputTokens: number | undefined;
  /** Ids of the prompt's blocks of 512 tokens: equal in prompts that are equal up to there. */
  readonly traceBlocks?: readonly number[] | undefined;
}

/** Reads a line; undefined for one that is no request. @throws {RangeError} that says what is wrong with it. */
export type TraceFormat = (line: string) => TraceLine | undefined;

/** Whose requests they are, where a trace names nobody. */
export const TRACE_TENANT = 'trace';

const MOST_TOKENS = 10_000_000;
const MOST_NAME_LENGTH = 256;
const BYTES_PER_TOKEN = 4;

/** By the first line. @throws {RangeError} when nobody knows it. */
export function formatOf(line: string): TraceFormat {
  if (/^\uFEFF?\s*TIMESTAMP\s*,/i.test(line)) return azureFormat(line);
  const fields = fieldsOf(line);
  if (fields['fairleadTrace'] === 1) return recorded;
  if ('input_length' in fields && 'output_length' in fields) return mooncake;
  throw new RangeError(
    'is the beginning of no known trace; allowed are those of `fairlead serve --record`, Azure CSV and Mooncake JSON lines',
  );
}

function recorded(line: string): TraceLine | undefined {
  const fields = fieldsOf(line);
  if ('fairleadTrace' in fields) return undefined;
  const { tenant, priority, promptTokens, outputTokens, bytes = 0 } = fields;
  if (typeof tenant !== 'string' || tenant === '' || tenant.length > MOST_NAME_LENGTH)
    throw wrong('tenant', tenant, 'a name');
  if (priority !== undefined && !Number.isSafeInteger(priority)) throw wrong('priority', priority, 'an integer');
  return {
    tenant,
    priority: priority as number | undefined,
    atMs: amount('atMs', fields['atMs'], Number.MAX_SAFE_INTEGER),
    promptTokens: tokens(
      'promptTokens',
      promptTokens ?? Math.ceil(amount('bytes', bytes, Number.MAX_SAFE_INTEGER) / BYTES_PER_TOKEN),
    ),
    outputTokens: outputTokens === undefined ? undefined : tokens('outputTokens', outputTokens),
  };
}

function mooncake(line: string): TraceLine {
  const fields = fieldsOf(line);
  return {
    tenant: TRACE_TENANT,
    priority: undefined,
    atMs: amount('timestamp', fields['timestamp'], Number.MAX_SAFE_INTEGER),
    promptTokens: tokens('input_length', fields['input_length']),
    outputTokens: tokens('output_length', fields['output_length']),
    traceBlocks: blockIds(fields['hash_ids']),
  };
}

/** Told in the newer of the traces only. */
function blockIds(value: unknown): readonly number[] | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((id) => Number.isSafeInteger(id))) return value as number[];
  throw wrong('hash_ids', value, 'a list of integers');
}

function azureFormat(head: string): TraceFormat {
  const names = head
    .replace('\uFEFF', '')
    .split(',')
    .map((name) => name.trim());
  const column = (name: string): number => {
    const index = names.indexOf(name);
    if (index < 0) throw new RangeError(`has no column ${name}`);
    return index;
  };
  const [time, context, generated] = [column('TIMESTAMP'), column('ContextTokens'), column('GeneratedTokens')];
  let isHead = true;
  return (line) => {
    if (isHead) {
      isHead = false;
      return undefined;
    }
    const cells = line.split(',').map((cell) => cell.trim());
    const atMs = timeOf(cells[time] ?? '');
    if (Number.isNaN(atMs)) throw wrong('TIMESTAMP', cells[time], 'a time such as 2023-11-16 18:15:46.6805900');
    return {
      tenant: TRACE_TENANT,
      priority: undefined,
      atMs,
      promptTokens: tokens('ContextTokens', numberOf(cells[context])),
      outputTokens: tokens('GeneratedTokens', numberOf(cells[generated])),
    };
  };
}

/** In UTC, to the millisecond. */
function timeOf(text: string): number {
  const [, day, time, zone = 'Z'] =
    /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d{1,3})?)\d*(Z|[+-]\d\d:\d\d)?$/.exec(text) ?? [];
  return Date.parse(`${day}T${time}${zone}`);
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined || text === '' ? undefined : Number(text);
}

function fieldsOf(line: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new RangeError('is not JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new RangeError('is no JSON object');
}

function tokens(name: string, value: unknown): number {
  return Math.max(1, Math.round(amount(name, value, MOST_TOKENS)));
}

function amount(name: string, value: unknown, max: number): number {
  if (typeof value === 'number' && value >= 0 && value <= max) return value;
  throw wrong(name, value, `a number from 0 to ${max}`);
}

function wrong(name: string, value: unknown, allowed: string): RangeError {
  const shown = (JSON.stringify(value) ?? 'nothing').slice(0, 80);
  return new RangeError(`${name}: must be ${allowed}, got ${shown}`);
}
