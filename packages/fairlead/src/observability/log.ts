// SPDX-License-Identifier: Apache-2.0

/**
 * The log: one JSON object per line. Callers name every field they want written, and only plain values; nothing is
 * serialised wholesale, so a credential, a header or a prompt cannot slip in with an object that happens to carry it.
 */

import { jsonNumber, jsonText } from './json-text.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a line may carry beside its message; undefined fields are left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /**
   * For information that comes so often that its fields are made without an object for them: writes a line of each
   * subject. `fieldsOf` gives their JSON, each with a comma before it.
   */
  infoOf<Subject>(message: string, fieldsOf: (subject: Subject) => string): (subject: Subject) => void;
}

export interface LogDestination {
  write(line: string): unknown;
}

/** Makes a log that writes whole lines to `destination`. */
export function createLog({ level, destination }: { level: LogLevel; destination: LogDestination }): Log {
  const least = LOG_LEVELS.indexOf(level);
  const isTold = (name: LogLevel): boolean => LOG_LEVELS.indexOf(name) >= least;
  const logger = (name: LogLevel): Log['info'] =>
    isTold(name)
      ? (message, fields) => void destination.write(`${headOf(name, message)}${textOf(fields)}}\n`)
      : () => undefined;
  return {
    debug: logger('debug'),
    info: logger('info'),
    warn: logger('warn'),
    error: logger('error'),
    infoOf(message, fieldsOf) {
      if (!isTold('info')) return () => undefined;
      let head = '';
      let time = '';
      return (subject) => {
        const now = isoTime();
        if (now !== time) head = headOf('info', message);
        time = now;
        destination.write(`${head}${fieldsOf(subject)}}\n`);
      };
    },
  };
}

function headOf(level: LogLevel, message: string): string {
  return `{"level":"${level}","time":"${isoTime()}","msg":${JSON.stringify(message)}`;
}

function textOf(fields: LogFields = {}): string {
  let text = '';
  for (const name in fields) {
    const value = fields[name];
    // Names are ours, and need no escapes.
    if (value !== undefined) text += `,"${name}":${valueOf(value)}`;
  }
  return text;
}

function valueOf(value: string | number | boolean): string {
  if (typeof value === 'number') return jsonNumber(value);
  return typeof value === 'string' ? jsonText(value) : String(value);
}

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
