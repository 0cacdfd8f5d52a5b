// SPDX-License-Identifier: Apache-2.0

/**
 * The time on the wall as a line of log has it. What makes such text knows of calendars and is slow: it is asked once a
 * second, and the milliseconds are written here.
 */

const ZERO = 0x30;

let lastMs = NaN;
let lastS = NaN;
const text = Buffer.from('"1970-01-01T00:00:00.000Z"');
const decimalsAt = text.indexOf('.') + 1;

/** ISO 8601 in UTC with milliseconds, in quotes, of `nowMs` since 1970. The bytes are those of the last call. */
export function isoTime(nowMs = Date.now()): Uint8Array {
  if (nowMs === lastMs) return text;
  const second = Math.floor(nowMs / 1000);
  if (second !== lastS) text.write(new Date(nowMs).toISOString(), 1);
  else {
    const milliseconds = nowMs - second * 1000;
    text[decimalsAt] = ZERO + milliseconds / 100;
    text[decimalsAt + 1] = ZERO + ((milliseconds / 10) % 10);
    text[decimalsAt + 2] = ZERO + (milliseconds % 10);
  }
  lastS = second;
  lastMs = nowMs;
  return text;
}
