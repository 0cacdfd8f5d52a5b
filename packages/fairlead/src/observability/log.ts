// SPDX-License-Identifier: Apache-2.0

/**
 * The log: one JSON object per line. Callers name every field they want written, and only plain values; nothing is
 * serialised wholesale, so a credential, a header or a prompt cannot slip in with an object that happens to carry it.
 */

import { isoTime } from './iso-time.ts';
import { JsonLine } from './json-line.ts';

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
   * For information that comes so often that no object is made of its fields: what is returned writes a line of each
   * subject. `addFields` adds their JSON, each with a comma before it.
   */
  infoOf<Subject>(message: string, addFields: (line: JsonLine, subject: Subject) => void): (subject: Subject) => void;
}

export interface LogDestination {
  /** Takes a whole line; it is another one when this returned. */
  write(line: JsonLine): unknown;
}

/** Makes a log that writes to `destination`. */
export function createLog({ level, destination }: { level: LogLevel; destination: LogDestination }): Log {
  const least = LOG_LEVELS.indexOf(level);
  const line = new JsonLine();
  const kind = <Subject>(
    name: LogLevel,
    message: string,
    addFields: (line: JsonLine, subject: Subject) => void,
  ): ((subject: Subject) => void) => {
    if (LOG_LEVELS.indexOf(name) < least) return () => undefined;
    const begin = Buffer.from(`{"level":"${name}","time":`);
    const middle = Buffer.from(`,"msg":${JSON.stringify(message)}`);
    return (subject) => {
      line.clear().piece(begin).piece(isoTime()).piece(middle);
      addFields(line, subject);
      destination.write(line.piece(END));
    };
  };
  const logger =
    (name: LogLevel): Log['info'] =>
    (message, fields) =>
      kind(name, message, addAll)(fields);
  return {
    debug: logger('debug'),
    info: logger('info'),
    warn: logger('warn'),
    error: logger('error'),
    infoOf: (message, addFields) => kind('info', message, addFields),
  };
}

const END = Buffer.from('}\n');

function addAll(line: JsonLine, fields: LogFields = {}): void {
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    // Names are ours, and need no escapes.
    line.json(`,"${name}":`);
    if (typeof value === 'string') line.text(value);
    else if (typeof value === 'number') line.number(value);
    else line.json(String(value));
  }
}
