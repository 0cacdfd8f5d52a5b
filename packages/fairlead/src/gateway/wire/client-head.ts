// SPDX-License-Identifier: Apache-2.0

/**
 * The head of a client's request. What two parsers might read differently is refused (RFC 9112): lengths that are not one
 * number, a length beside a transfer coding, a coding that does not end in `chunked`, folded lines, bare line ends.
 */

import { BadMessage } from '../../sockets/bad-message.ts';
import { TOKEN, badLine, headerLines } from '../../sockets/header-lines.ts';
import { KnownTexts } from '../../sockets/known-texts.ts';
import type { Presented } from '../../tenancy/presented.ts';

const REQUEST_LINE = /^([!#$%&'*+.^_`|~\w-]+) ([\x21-\x7e]+) HTTP\/1\.([01])$/;
/** What a number can hold exactly. */
const LENGTH = /^\d{1,15}$/;
/** Nothing but a comma and blanks before it: others take `x chunked` for a coding of that name, and its body for none. */
const LAST_IS_CHUNKED = /(?:^|,[ \t]*)chunked$/i;

/** Headers that are given once, or the first counts; the values of others are joined. */
const SINGLE: ReadonlySet<string> = new Set(['authorization', 'content-type', 'host', 'user-agent']);

/** Headers that say where a body ends or what becomes of the connection. */
const FRAMING = ['connection', 'content-length', 'transfer-encoding', 'expect', 'host'] as const;
type Role = (typeof FRAMING)[number] | 'single' | 'other' | 'none';

interface FieldName {
  readonly name: string;
  readonly role: Role;
}

const names = new KnownTexts<FieldName>((spelled) => {
  const name = spelled.toLowerCase();
  if (!TOKEN.test(spelled)) return { name, role: 'none' };
  return { name, role: FRAMING.find((known) => known === name) ?? (SINGLE.has(name) ? 'single' : 'other') };
});

/** Header values by lower-case name, without what objects inherit: a client chooses the names. */
class Fields {
  [name: string]: string;
}
Object.setPrototypeOf(Fields.prototype, null);
Reflect.deleteProperty(Fields.prototype, 'constructor');

export class ClientHead {
  readonly method: string;
  readonly target: string;
  readonly isHttp10: boolean;
  /** Without its empty line. */
  readonly headBytes: number;
  /** Names and values in turn, as they came, each byte a character. */
  readonly rawHeaders: readonly string[];
  /** By lower-case name, but for the length of the body: heads that differ in nothing else are one. */
  readonly headers: Readonly<Record<string, string>>;
  /** How many `Host` headers there are. */
  readonly hosts: number;
  /** Bytes of the body when this head came first; undefined: it is chunked. */
  readonly lengthBytes: number | undefined;
  /** The client may send another request behind this one. */
  readonly keepAlive: boolean;
  /** The client sends its body only after a word of ours, or expects something nobody knows. */
  readonly expects: 'continue' | 'unknown' | undefined;
  /** Whoever identifies callers keeps here what it presents. */
  presented: Presented | undefined = undefined;

  /** @throws {BadMessage} */
  constructor(text: string) {
    const lineEnd = text.indexOf('\r\n');
    const line = REQUEST_LINE.exec(lineEnd < 0 ? text : text.slice(0, lineEnd));
    if (line === null) throw new BadMessage('not HTTP/1.1: no request line');
    this.method = line[1] as string;
    this.target = line[2] as string;
    this.isHttp10 = line[3] === '0';
    this.headBytes = text.length;
    const raw = headerLines(text);
    this.rawHeaders = raw;
    const headers = new Fields();
    let hosts = 0;
    let length: string | undefined;
    for (let at = 0; at < raw.length; at += 2) {
      const { name, role } = names.of(raw[at] as string);
      if (role === 'none') throw badLine(at / 2);
      const value = raw[at + 1] as string;
      if (role === 'content-length') {
        if (length !== undefined) throw new BadMessage('the length is not one number');
        length = value;
        continue;
      }
      if (role === 'host') hosts += 1;
      const earlier = headers[name];
      if (earlier === undefined) headers[name] = value;
      else if (role !== 'single' && role !== 'host') headers[name] = `${earlier}, ${value}`;
    }
    this.headers = headers;
    this.hosts = hosts;
    const { connection, expect } = headers;
    this.lengthBytes = lengthOf(length, headers['transfer-encoding'], this.isHttp10);
    this.keepAlive = isKeptAlive(connection, this.isHttp10);
    // Nobody who speaks HTTP/1.0 knows what that is (RFC 9110, 10.1.1).
    if (expect === undefined || this.isHttp10) this.expects = undefined;
    else this.expects = expect.toLowerCase() === '100-continue' ? 'continue' : 'unknown';
  }
}

function lengthOf(length: string | undefined, coding: string | undefined, isHttp10: boolean): number | undefined {
  if (coding !== undefined) {
    if (length !== undefined) throw new BadMessage('a length and a transfer coding');
    // Codings under the last are for others to refuse; the same twice is no way to end a body.
    if (isHttp10 || !LAST_IS_CHUNKED.test(coding) || /chunked.*chunked/i.test(coding)) {
      throw new BadMessage('a transfer coding that does not say where the body ends');
    }
    return undefined;
  }
  if (length === undefined) return 0;
  if (!LENGTH.test(length)) throw new BadMessage('the length is not one number');
  return Number(length);
}

function isKeptAlive(connection: string | undefined, isHttp10: boolean): boolean {
  if (connection === undefined) return !isHttp10;
  if (connection === 'keep-alive') return true;
  const words = connection.toLowerCase().split(/[\s,]+/);
  return isHttp10 ? words.includes('keep-alive') : !words.includes('close');
}
