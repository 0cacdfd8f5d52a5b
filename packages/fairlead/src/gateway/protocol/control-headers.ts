// SPDX-License-Identifier: Apache-2.0

/** What a client, or a trusted source in front of us, may tell us about its request in headers, checked. */

import {
  FAIRNESS_ID_NAMES,
  MAX_FAIRNESS_ID_LENGTH,
  OBJECTIVE_NAMES,
  isPrintable,
  present,
} from '../../tenancy/control-names.ts';
import type { RequestHeaders } from '../../tenancy/control-names.ts';
import { clientTimeoutMs } from './client-timeout.ts';

/** What a client, or a trusted source in front of us, says about its request. */
export interface ControlHeaders {
  /** `x-fairlead-ttl-ms`: how long the request may wait. */
  readonly ttlMs?: number;
  /**
   * Milliseconds from now until its caller gives up, so that no clocks need to agree: `x-fairlead-deadline-ms`, or what
   * the client's own software says, whichever is shorter.
   */
  readonly deadlineInMs?: number;
  readonly ttftSloMs?: number;
  /** The model that the request is to be sent to instead of the one it names. */
  readonly modelRewrite?: string;
}

/** A header whose value cannot be accepted. Recognised by its `message`. */
export interface HeaderProblem {
  readonly header: string;
  /** As received, made printable and cut to a line. */
  readonly value: string;
  readonly allowed: string;
  /** One sentence with all three. */
  readonly message: string;
}

/** One hour: the longest wait, deadline and time to first token that can be asked for. */
export const MAX_DURATION_MS = 3_600_000;
const MAX_REQUEST_ID_LENGTH = 128;

const MODEL_REWRITE_NAMES = ['x-llm-d-model-name-rewrite', 'x-gateway-model-name-rewrite'] as const;
const TTL_NAMES = ['x-fairlead-ttl-ms'] as const;
const DEADLINE_NAMES = ['x-fairlead-deadline-ms'] as const;
const TTFT_SLO_NAMES = ['x-llm-d-slo-ttft-ms', 'x-slo-ttft-ms'] as const;
const REQUEST_ID_NAMES = ['x-request-id'] as const;

/** Carries a problem from the first bad header to the caller. */
class BadHeader extends Error {
  readonly problem: HeaderProblem;
  constructor(problem: HeaderProblem) {
    super(problem.message);
    this.problem = problem;
  }
}

/**
 * Reads and checks the control headers. Untrusted callers may give a TTL, and their own time-out counts; whatever else they send is not looked at. A bad value is a problem.
 */
export function readControlHeaders(headers: RequestHeaders, trusted: boolean): ControlHeaders | HeaderProblem {
  try {
    const read: Told = {};
    const ownMs = trusted ? duration(headers, DEADLINE_NAMES) : undefined;
    tell(read, 'ttlMs', duration(headers, TTL_NAMES));
    tell(read, 'deadlineInMs', shorter(ownMs, clientTimeoutMs(headers)));
    if (!trusted) return read;
    tell(read, 'ttftSloMs', duration(headers, TTFT_SLO_NAMES));
    tell(read, 'modelRewrite', printable(headers, MODEL_REWRITE_NAMES));
    // Who they are for is read where callers are identified; a bad name is refused here.
    for (const names of [FAIRNESS_ID_NAMES, OBJECTIVE_NAMES]) printable(headers, names);
    return read;
  } catch (error) {
    if (error instanceof BadHeader) return error.problem;
    throw error;
  }
}

type Told = { -readonly [K in keyof ControlHeaders]: ControlHeaders[K] };

function tell<K extends keyof Told>(told: Told, name: K, value: Told[K] | undefined): void {
  if (value !== undefined) told[name] = value;
}

function shorter(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

/** The id that the client gave its request; undefined when it gave none, or one that is not sane. */
export function givenRequestId(headers: RequestHeaders): string | undefined {
  const given = present(headers, REQUEST_ID_NAMES)?.value.trim();
  return given && isPrintable(given, MAX_REQUEST_ID_LENGTH) ? given : undefined;
}

function duration(headers: RequestHeaders, names: readonly string[]): number | undefined {
  const header = present(headers, names);
  if (header === undefined) return undefined;
  const text = header.value.trim();
  const milliseconds = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (milliseconds >= 1 && milliseconds <= MAX_DURATION_MS) return milliseconds;
  throw badHeader(header, `an integer of milliseconds from 1 to ${MAX_DURATION_MS}`);
}

/** A name; an empty one counts as none (and still hides the older spelling). */
function printable(headers: RequestHeaders, names: readonly string[]): string | undefined {
  const header = present(headers, names);
  if (header === undefined || header.value === '') return undefined;
  if (isPrintable(header.value, MAX_FAIRNESS_ID_LENGTH)) return header.value;
  throw badHeader(header, `at most ${MAX_FAIRNESS_ID_LENGTH} printable ASCII characters`);
}

function badHeader({ name, value }: { name: string; value: string }, allowed: string): BadHeader {
  const cut = value.length > 64 ? `${value.slice(0, 64)}…` : value;
  const shown = cut.replace(/[^\x20-\x7e…]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return new BadHeader({ header: name, value: shown, allowed, message: `${name}: '${shown}' is not ${allowed}` });
}
