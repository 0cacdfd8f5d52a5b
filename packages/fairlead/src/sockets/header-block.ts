// SPDX-License-Identifier: Apache-2.0

/**
 * Headers on their way out, as they are written: checked, and put into lines once, however often they are sent. What no
 * request may hold is refused here, wherever it came from: nothing can be put between lines.
 */

import { TOKEN } from './header-lines.ts';
import { KnownTexts } from './known-texts.ts';

/** Made by the client from the body and the connection, or meaningless on the next hop. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'expect',
]);

const NOT_OF_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** What a name of a header is; `own` ones are made by who sends the request. */
const names = new KnownTexts<'own' | 'authorization' | 'other' | 'none'>((name) => {
  const lower = name.toLowerCase();
  if (OWN_HEADERS.has(lower)) return 'own';
  if (lower === 'authorization') return 'authorization';
  return TOKEN.test(name) ? 'other' : 'none';
});

/** The request cannot be written down. */
export class UnwritableRequest extends Error {
  override readonly name = 'UnwritableRequest';
}

export class HeaderBlock {
  /** Lines, each with its end; host, length and what speaks of a connection are left out. */
  readonly lines: string;
  /** Those of `authorization`, which a server's own takes the place of. */
  readonly authorization: string;

  /**
   * `headers`: names and values in turn.
   * @throws {UnwritableRequest}
   */
  constructor(headers: readonly string[]) {
    const lines: string[] = [];
    let authorization = '';
    for (let at = 0; at + 1 < headers.length; at += 2) {
      const name = headers[at] as string;
      const role = names.of(name);
      if (role === 'own') continue;
      if (role === 'none') throw new UnwritableRequest('the name of a header is not one');
      const line = headerLine(name, headers[at + 1] as string);
      if (role === 'authorization') authorization += line;
      else lines.push(line);
    }
    // In one piece: it is copied each time it is sent.
    this.lines = lines.join('');
    this.authorization = authorization;
  }
}

export const NO_HEADERS = new HeaderBlock([]);

/** @throws {UnwritableRequest} */
export function headerLine(name: string, value: string): string {
  if (NOT_OF_VALUE.test(value)) throw new UnwritableRequest(`the header ${name} holds a character that none may hold`);
  return `${name}: ${value}\r\n`;
}
