// SPDX-License-Identifier: Apache-2.0

/**
 * The two notations for amounts that the reference's configuration uses, so that existing files load unchanged: Go
 * durations (`1m30s`, as `time.ParseDuration` reads them) and Kubernetes quantities (`1Gi`, `500M`, `1e3`, rounded up to
 * a whole number as `Quantity.Value()` does).
 */

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
const unitsPerMs: Readonly<Record<string, number>> = { us: 1_000, µs: 1_000, μs: 1_000, ns: 1_000_000 };

/** 2^63 nanoseconds, about 292 years: the longest Go duration. */
const maxDurationMs = 2 ** 63 / 1e6;
const MAX_TEXT_LENGTH = 64;
const nsPerMs = 1e6;

/** Milliseconds, negative ones included; undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  if (text.length > MAX_TEXT_LENGTH) return undefined;
  const negative = text.startsWith('-');
  const rest = /^[-+]/.test(text) ? text.slice(1) : text;
  if (rest === '0') return 0;
  if (!/^((\d+(\.\d*)?|\.\d+)(h|ms|m|s|us|µs|μs|ns))+$/.test(rest)) return undefined;
  let sumMs = 0;
  for (const [, digits, unit] of rest.matchAll(/([\d.]+)(h|ms|m|s|us|µs|μs|ns)/g)) {
    const scale = unitMs[unit!];
    sumMs += scale === undefined ? Number(digits) / unitsPerMs[unit!]! : Number(digits) * scale;
  }
  if (sumMs > maxDurationMs) return undefined;
  const wholeNs = sumMs < Number.MAX_SAFE_INTEGER / nsPerMs ? Math.round(sumMs * nsPerMs) / nsPerMs : sumMs;
  return negative && wholeNs !== 0 ? -wholeNs : wholeNs;
}

/** The shortest text that `parseDuration` reads as the same finite number of milliseconds: `1m30s`, `500ms`, `0s`. */
export function formatDuration(timeMs: number): string {
  if (timeMs < 0) return `-${formatDuration(-timeMs)}`;
  if (timeMs === 0) return '0s';
  if (!Number.isInteger(timeMs)) return `${BigInt(Math.round(timeMs * nsPerMs))}ns`;
  let rest = BigInt(timeMs);
  let text = '';
  for (const [unit, scale] of [
    ['h', 3_600_000n],
    ['m', 60_000n],
    ['s', 1_000n],
    ['ms', 1n],
  ] as const) {
    if (rest >= scale) text += `${rest / scale}${unit}`;
    rest %= scale;
  }
  return text;
}

const binaryExponents = 'KMGTPE';
const decimalScales: Readonly<Record<string, number>> = { k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 };
const fractionScales: Readonly<Record<string, number>> = { m: 1e3, u: 1e6, n: 1e9 };

/** Kubernetes stores no larger value: 2^63 − 1. */
const maxQuantity = 2 ** 63;

/** A whole number, rounded up away from zero, negative ones included; undefined when it is no quantity. */
export function parseQuantity(given: string | number): number | undefined {
  const value = typeof given === 'number' ? given : parseQuantityText(given);
  if (value === undefined || !Number.isFinite(value)) return undefined;
  const whole = value < 0 ? -Math.ceil(-value) : Math.ceil(value);
  return Math.abs(whole) > maxQuantity ? undefined : whole + 0;
}

function parseQuantityText(text: string): number | undefined {
  if (text.length > MAX_TEXT_LENGTH) return undefined;
  const match = /^([-+]?(?:\d+(?:\.\d*)?|\.\d+))([KMGTPE]i|[numkMGTPE]|[eE][-+]?\d+)?$/.exec(text);
  if (match === null) return undefined;
  const number = Number(match[1]);
  const suffix = match[2] ?? '';
  if (suffix === '') return number;
  if (suffix.endsWith('i')) return number * 1024 ** (binaryExponents.indexOf(suffix[0]!) + 1);
  if (suffix.length > 1) return Number(text);
  const fraction = fractionScales[suffix];
  return fraction === undefined ? number * decimalScales[suffix]! : number / fraction;
}
