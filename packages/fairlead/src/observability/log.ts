// SPDX-License-Identifier: Apache-2.0

/**
 * The log: one JSON object per line. Callers name every field they want written, and only plain values; nothing is
 * serialised wholesale, so a credential, a header or a prompt cannot slip in with an object that happens to carry it.
 */

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a line may carry beside its message; undefined fields are left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Text values are cut to so many UTF-16 units. */
const MAX_TEXT_LENGTH = 512;

export interface LogDestination {
  write(line: string): unknown;
}

/** Makes a log that writes whole lines to `destination`. */
export function createLog({ level, destination }: { level: LogLevel; destination: LogDestination }): Log {
  const least = LOG_LEVELS.indexOf(level);
  const logger = (name: LogLevel): Log['info'] =>
    LOG_LEVELS.indexOf(name) < least
      ? () => undefined
      : (message, fields) => void destination.write(lineOf(name, message, fields));
  return { debug: logger('debug'), info: logger('info'), warn: logger('warn'), error: logger('error') };
}

function lineOf(level: LogLevel, msg: string, fields: LogFields = {}): string {
  let line = `{"level":"${level}","time":"${isoTime()}","msg":${JSON.stringify(msg)}`;
  // Names are ours, and need no escapes.
  for (const name in fields) {
    const value = fields[name];
    if (value !== undefined) line += `,"${name}":${valueOf(value)}`;
  }
  return `${line}}\n`;
}

function valueOf(value: string | number | boolean): string {
  if (typeof value === 'number') return Number.isFinite(value) ? String(Math.round(value * 1000) / 1000) : 'null';
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (value.length > MAX_TEXT_LENGTH) return JSON.stringify(`${value.slice(0, MAX_TEXT_LENGTH)}…`);
  return PLAIN.test(value) ? `"${value}"` : JSON.stringify(value);
}

/** Text that needs no escapes. */
const PLAIN = /^[ !#-[\]-~]*$/;

let lastMs = 0;
let lastTime = '';

/** Lines of one millisecond share the text. */
function isoTime(): string {
  const nowMs = Date.now();
  if (nowMs !== lastMs) {
    lastMs = nowMs;
    lastTime = new Date(nowMs).toISOString();
  }
  return lastTime;
}
