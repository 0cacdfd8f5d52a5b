// SPDX-License-Identifier: Apache-2.0

/** What of the head of a model server's answer goes back to the client, worked out once for each head that it repeats. */

import { KnownTexts } from '../../sockets/known-texts.ts';
import { DROPPED_FROM_ANSWERS, HOP_BY_HOP, isControl } from './header-tables.ts';
import { listedByConnection } from './headers.ts';
import { madeOnce } from './made-once.ts';

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

/** What a `content-type` says of an answer. */
const kinds = new KnownTexts((type) => ({
  isStream: /^\s*text\/event-stream\b/i.test(type),
  isJson: /^\s*application\/json\b/i.test(type),
}));

/** Headers as they are written, without what says where the body ends. */
export interface AnswerLines {
  readonly text: string;
  readonly hasDate: boolean;
}

export class AnswerHeaders {
  /** `raw`: names and values in turn, as received. The same list has the same reading. */
  static readonly of = madeOnce((raw: readonly string[]) => new AnswerHeaders(raw));

  readonly contentType: string | undefined;
  readonly isStream: boolean;
  readonly isJson: boolean;
  /** It would have to be unpacked to be read. */
  readonly isPacked: boolean;
  /** It says when to come back. */
  readonly saysRetry: boolean;
  readonly hasDate: boolean;
  /** What goes to the client: lower-case name, and the line. */
  readonly #kept: readonly (readonly [name: string, line: string])[];
  readonly #names: ReadonlySet<string>;
  readonly #text: string;

  private constructor(raw: readonly string[]) {
    const kept: [name: string, line: string][] = [];
    const first = new Map<string, string>();
    const listed = listedByConnection(raw, isConnection, true);
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const { name, isDropped } = answerNames.of(raw[at] as string);
      const value = raw[at + 1] as string;
      if (!first.has(name)) first.set(name, value);
      if (!isDropped && name !== 'content-length' && listed?.has(name) !== true)
        kept.push([name, `${raw[at]}: ${value}\r\n`]);
    }
    this.#kept = kept;
    this.#names = new Set(kept.map(([name]) => name));
    this.hasDate = this.#names.has('date');
    this.#text = kept.map(([, line]) => line).join('');
    this.contentType = first.get('content-type');
    const { isStream, isJson } = kinds.of(this.contentType ?? '');
    this.isStream = isStream;
    this.isJson = isJson;
    this.isPacked = first.has('content-encoding');
    this.saysRetry = first.has('retry-after');
  }

  /** What goes to the client: with those of `extra` (lower-case names), which take the place of the server's own, and `ours`. */
  linesWith(extra: Readonly<Record<string, string>> | undefined, ours: string): AnswerLines {
    let text = this.#text;
    let added = '';
    let { hasDate } = this;
    for (const name in extra) {
      // Where the body ends, and which request it was, is not for others to say.
      if (name === 'content-length' || HOP_BY_HOP.has(name) || DROPPED_FROM_ANSWERS.has(name)) continue;
      if (this.#names.has(name)) text = this.#without(extra);
      if (name === 'date') hasDate = true;
      added += `${name}: ${extra[name]}\r\n`;
    }
    return { text: text + added + ours, hasDate };
  }

  #without(extra: Readonly<Record<string, string>>): string {
    let text = '';
    for (const [name, line] of this.#kept) if (!Object.hasOwn(extra, name)) text += line;
    return text;
  }
}
