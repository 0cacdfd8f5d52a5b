// SPDX-License-Identifier: Apache-2.0

/** The header lines of an HTTP/1.1 message. Strict where leniency is how messages get smuggled. */

import { BadMessage } from './bad-message.ts';

const CR = 0x0d;

/** What the name of a header, and a method, is made of (RFC 9110, 5.6.2). */
export const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;

/** Control characters, and the first half of a line end alone; for the second half alone the lines are looked at. */
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)/;
/** As above, of a piece at either end of which a line end may be cut. */
const FORBIDDEN_IN_PIECE = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n|$)|[^\r]\n/;

/** Whether a piece of a head holds what no head may hold. */
export function isForbidden(piece: string): boolean {
  return FORBIDDEN_IN_PIECE.test(piece);
}

/**
 * Names and values in turn, of a head without its empty line. Names are not checked: each is looked up anyway, in a table
 * of those that are. A folded line begins with a blank, which no name does.
 *
 * @throws {BadMessage} for a line without a colon and for bytes that no head may hold.
 */
export function headerLines(head: string): string[] {
  if (FORBIDDEN.test(head)) throw forbidden();
  const headers: string[] = [];
  for (let lineEnd = endOfLine(head, 0); lineEnd < head.length;) {
    const from = lineEnd + 2;
    lineEnd = endOfLine(head, from);
    const colon = head.indexOf(':', from);
    if (colon < 0 || colon >= lineEnd) throw badLine(headers.length / 2);
    headers.push(head.slice(from, colon), trimmed(head, colon + 1, lineEnd));
  }
  return headers;
}

/** Where the line that begins at `from` ends: at its CRLF, or with the text. */
function endOfLine(text: string, from: number): number {
  const lf = text.indexOf('\n', from);
  if (lf < 0) return text.length;
  if (lf === from || text.charCodeAt(lf - 1) !== CR) throw forbidden();
  return lf - 1;
}

function forbidden(): BadMessage {
  return new BadMessage('the head holds a byte that none may hold');
}

/** What to throw for the header at this place among all. */
export function badLine(index: number): BadMessage {
  return new BadMessage(`line ${index + 2} of the head is no header`);
}

/** A part of a text without blanks around it; only the ends are looked at, however many there are. */
function trimmed(text: string, from: number, to: number): string {
  while (from < to && isBlank(text.charCodeAt(from))) from += 1;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
