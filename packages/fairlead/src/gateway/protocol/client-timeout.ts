// SPDX-License-Identifier: Apache-2.0

/**
 * How long a caller will wait, as its own software says without having been asked: the OpenAI and Anthropic libraries,
 * Envoy in front of us, gRPC clients. Believed from anyone, because it only shortens the caller's own wait. What cannot
 * be read is as good as not sent: whoever wrote the request did not write these, and could do nothing about an error.
 */

import type { RequestHeaders } from '../../tenancy/control-names.ts';

const GRPC_UNITS_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** Reads a value as milliseconds; NaN when it cannot. */
type Read = (text: string) => number;

const seconds: Read = (text) => (/^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) * 1000 : NaN);
const milliseconds: Read = (text) => (/^\d{1,12}$/.test(text) ? Number(text) : NaN);
const grpc: Read = (text) => {
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
  return digits === undefined || unit === undefined ? NaN : Number(digits) * (GRPC_UNITS_MS[unit] as number);
};

const READERS: Readonly<Record<string, Read>> = {
  'x-stainless-timeout': seconds,
  // Python's: the longest silence it bears, so at least the wait for the head of the answer.
  'x-stainless-read-timeout': seconds,
  'x-envoy-expected-rq-timeout-ms': milliseconds,
  'grpc-timeout': grpc,
};

const KNOWN = Object.entries(READERS);

/** The shortest time, in milliseconds, that any of them gives; undefined when none says anything. */
export function clientTimeoutMs(headers: RequestHeaders): number | undefined {
  let shortestMs = Infinity;
  for (const [name, read] of KNOWN) {
    const value = headers[name];
    if (value === undefined) continue;
    const ms = read(value.trim());
    // Libraries cut to whole seconds, so that 0 may be half a second, or none at all.
    if (ms > 0 && ms < shortestMs) shortestMs = ms;
  }
  return shortestMs === Infinity ? undefined : shortestMs;
}
