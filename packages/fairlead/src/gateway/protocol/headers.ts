// SPDX-License-Identifier: Apache-2.0

/**
 * Headers on their way through the gateway: what of a client's goes upstream, what of an answer's goes back, and what
 * the client may tell us about its request. Raw headers are flat lists, a name and its value in turn, as `node:http`
 * reads and the upstream client writes them; spelling and order are kept.
 */

import { randomUUID } from 'node:crypto';
import {
  FAIRNESS_ID_NAMES,
  MAX_FAIRNESS_ID_LENGTH,
  OBJECTIVE_NAMES,
  isPrintable,
  present,
} from '../../tenancy/control-names.ts';
import type { RequestHead } from '../../tenancy/control-names.ts';
import { KnownTexts } from '../../sockets/known-texts.ts';
import { clientTimeoutMs } from './client-timeout.ts';
import {
  CREDENTIALS,
  DROPPED_FROM_ANSWERS,
  HOP_BY_HOP,
  REWRITTEN_UPSTREAM,
  isControl,
  isForwarding,
} from './header-tables.ts';

export interface UpstreamHeaderOptions {
  /** Pass the client's credentials on. */
  readonly forwardAuthorization: boolean;
  /** Pass on what a proxy says of the client (`Forwarded`, `X-Forwarded-…`): it is a trusted one. */
  readonly viaProxy?: boolean | undefined;
  /** The endpoint's own key; takes the place of whatever the client sent. */
  readonly apiKey?: string | undefined;
  /** `host:port` of the endpoint. */
  readonly host: string;
  /** Bytes of the body; undefined when there is none. */
  readonly contentLength: number | undefined;
  /** Sent as `x-request-id` in place of the client's, so that both logs name the same request. */
  readonly requestId?: string | undefined;
}

/** What becomes of a client's header on its way upstream. */
type Fate = 'kept' | 'dropped' | 'connection' | 'credential' | 'cookie' | 'request-id' | 'forwarding';

const fates = new KnownTexts<Fate>((spelled) => {
  const name = spelled.toLowerCase();
  if (name === 'connection') return 'connection';
  if (HOP_BY_HOP.has(name) || REWRITTEN_UPSTREAM.has(name)) return 'dropped';
  if (name === 'cookie') return 'cookie';
  if (CREDENTIALS.has(name)) return 'credential';
  if (name === 'x-request-id') return 'request-id';
  if (isForwarding(name)) return 'forwarding';
  return isControl(name) ? 'dropped' : 'kept';
});

/** The headers to send upstream for a client's. */
export function requestHeaders(raw: readonly string[], options: UpstreamHeaderOptions): string[] {
  const { forwardAuthorization, viaProxy = false, apiKey, host, contentLength, requestId } = options;
  const sent = ['host', host];
  const hasKey = apiKey !== undefined && apiKey !== '';
  const listed = listedByConnection(raw, fates, 'connection');
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] as string;
    const fate = fates.of(name);
    if (fate === 'dropped' || fate === 'connection') continue;
    if (fate === 'credential' && (!forwardAuthorization || hasKey)) continue;
    if (fate === 'cookie' && !forwardAuthorization) continue;
    if (fate === 'request-id' && requestId !== undefined) continue;
    if (fate === 'forwarding' && !viaProxy) continue;
    if (listed !== undefined && listed.has(name.toLowerCase())) continue;
    sent.push(name, raw[at + 1] as string);
  }
  if (contentLength !== undefined) sent.push('content-length', String(contentLength));
  if (hasKey) sent.push('authorization', `Bearer ${apiKey}`);
  if (requestId !== undefined) sent.push('x-request-id', requestId);
  return sent;
}

/** What an answer's header is to us. */
interface AnswerName {
  readonly name: string;
  readonly isDropped: boolean;
}

const answerNames = new KnownTexts<AnswerName>((spelled) => {
  const name = spelled.toLowerCase();
  return { name, isDropped: HOP_BY_HOP.has(name) || DROPPED_FROM_ANSWERS.has(name) || isControl(name) };
});
const isConnection = new KnownTexts((spelled) => spelled.toLowerCase() === 'connection');

/** The headers to answer with for a model server's; those of `extra` (lower-case names) take the place of its own. */
export function responseHeaders(raw: readonly string[], extra: Readonly<Record<string, string>>): string[] {
  const sent: string[] = [];
  const listed = listedByConnection(raw, isConnection, true);
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const { name, isDropped } = answerNames.of(raw[at] as string);
    if (isDropped || listed?.has(name) === true || Object.hasOwn(extra, name)) continue;
    sent.push(raw[at] as string, raw[at + 1] as string);
  }
  for (const name in extra) sent.push(name, extra[name] as string);
  return sent;
}

/** The value of the first header of this lower-case name in a flat list. */
export function answerHeader(headers: readonly string[], name: string): string | undefined {
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (answerNames.of(headers[at] as string).name === name) return headers[at + 1];
  }
  return undefined;
}

/** More of a header is not handed to plugins; they compare short ids. */
const MAX_WANTED_LENGTH = 1024;

/** Those of a client's headers that `names` (lower-case) lists and that say something; undefined for none. */
export function wantedHeaders(
  headers: RequestHead,
  names: readonly string[],
): Readonly<Record<string, string>> | undefined {
  let wanted: Record<string, string> | undefined;
  for (const name of names) {
    const value = headers[name];
    if (typeof value !== 'string' || value === '' || value.length > MAX_WANTED_LENGTH) continue;
    (wanted ??= {})[name] = value;
  }
  return wanted;
}

/** Headers that a `Connection` header declares hop-by-hop; undefined when it declares none that are not anyway. */
function listedByConnection<Meaning>(
  raw: readonly string[],
  names: KnownTexts<Meaning>,
  connection: Meaning,
): ReadonlySet<string> | undefined {
  let listed: Set<string> | undefined;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    if (names.of(raw[at] as string) !== connection) continue;
    const value = raw[at + 1] as string;
    if (value === 'keep-alive') continue;
    for (const word of value.toLowerCase().split(',')) (listed ??= new Set()).add(word.trim());
  }
  return listed;
}

/** What a client, or a trusted source in front of us, says about its request. */
export interface ControlHeaders {
  /** Given by the client, or made here. */
  readonly requestId: string;
  /** `x-fairlead-ttl-ms`: how long the request may wait. */
  readonly ttlMs?: number;
  /**
   * Milliseconds from now until its caller gives up, so that no clocks need to agree: `x-fairlead-deadline-ms`, or what
   * the client's own software says, whichever is shorter.
   */
  readonly deadlineInMs?: number;
  readonly ttftSloMs?: number;
  readonly fairnessId?: string;
  readonly objective?: string;
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
 * Reads and checks the control headers. Untrusted callers may give a request id and a TTL, and their own time-out
 * counts; whatever else they send is not looked at. A request id that is not sane is replaced, every other bad value is a problem.
 */
export function readControlHeaders(headers: RequestHead, trusted: boolean): ControlHeaders | HeaderProblem {
  try {
    const read: Told = { requestId: requestId(headers) };
    const ownMs = trusted ? duration(headers, DEADLINE_NAMES) : undefined;
    tell(read, 'ttlMs', duration(headers, TTL_NAMES));
    tell(read, 'deadlineInMs', shorter(ownMs, clientTimeoutMs(headers)));
    if (!trusted) return read;
    tell(read, 'ttftSloMs', duration(headers, TTFT_SLO_NAMES));
    tell(read, 'fairnessId', printable(headers, FAIRNESS_ID_NAMES));
    tell(read, 'objective', printable(headers, OBJECTIVE_NAMES));
    tell(read, 'modelRewrite', printable(headers, MODEL_REWRITE_NAMES));
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

function requestId(headers: RequestHead): string {
  const given = present(headers, REQUEST_ID_NAMES)?.value.trim();
  return given && isPrintable(given, MAX_REQUEST_ID_LENGTH) ? given : randomUUID();
}

function duration(headers: RequestHead, names: readonly string[]): number | undefined {
  const header = present(headers, names);
  if (header === undefined) return undefined;
  const text = header.value.trim();
  const milliseconds = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (milliseconds >= 1 && milliseconds <= MAX_DURATION_MS) return milliseconds;
  throw badHeader(header, `an integer of milliseconds from 1 to ${MAX_DURATION_MS}`);
}

/** A name; an empty one counts as none (and still hides the older spelling). */
function printable(headers: RequestHead, names: readonly string[]): string | undefined {
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
