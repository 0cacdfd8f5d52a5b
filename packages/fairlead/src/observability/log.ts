// SPDX-License-Identifier: Apache-2.0

/**
 * The log: one JSON object per line, written by pino. Callers name every field they want written; nothing is serialised
 * wholesale, so a credential, a header or a prompt cannot slip in with an object that happens to carry it.
 */

import { pino } from 'pino';

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
const maxTextLength = 512;

/** Makes a log that writes whole lines to `destination`. */
export function createLog(options: { level: LogLevel; destination: { write(line: string): unknown } }): Log {
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => void options.destination.write(line) },
  );
  return {
    debug: (message, fields) => logger.isLevelEnabled('debug') && logger.debug(bounded(fields), message),
    info: (message, fields) => logger.isLevelEnabled('info') && logger.info(bounded(fields), message),
    warn: (message, fields) => logger.isLevelEnabled('warn') && logger.warn(bounded(fields), message),
    error: (message, fields) => logger.isLevelEnabled('error') && logger.error(bounded(fields), message),
  };
}

let lastMs = 0;
let lastTime = '';

/** As pino writes it; lines of one millisecond share the text. */
function isoTime(): string {
  const nowMs = Date.now();
  if (nowMs !== lastMs) {
    lastMs = nowMs;
    lastTime = `,"time":"${new Date(nowMs).toISOString()}"`;
  }
  return lastTime;
}

function bounded(fields: LogFields = {}): Record<string, string | number | boolean> {
  const result: Record<string, string | number | boolean> = {};
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    if (typeof value === 'string')
      result[name] = value.length > maxTextLength ? `${value.slice(0, maxTextLength)}…` : value;
    else if (typeof value === 'number') result[name] = Math.round(value * 1000) / 1000;
    else result[name] = value;
  }
  return result;
}
