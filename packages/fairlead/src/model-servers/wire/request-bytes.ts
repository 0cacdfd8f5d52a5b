// SPDX-License-Identifier: Apache-2.0

/**
 * A request as the bytes that go out: head and body in one piece when that is small, else one behind the other without
 * a copy. What no request may hold is refused here, wherever it came from: nothing can be put between lines.
 */

import { TOKEN } from '../../sockets/header-lines.ts';
import { KnownTexts } from '../../sockets/known-texts.ts';

/** A body up to this is copied behind its head: one write of one piece is cheaper than the copy. */
const COPIED_BYTES = 16 * 1024;

/** Made by the client from the body and the connection, or meaningless on this hop. */
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

const NOT_OF_PATH = /[^\x21-\xff]/;
const NOT_OF_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** What a name of a header is; `own` ones are made here. */
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

export interface RequestLines {
  readonly method: string;
  readonly path: string;
  /** `host:port`. */
  readonly host: string;
  /** Takes the place of any other. */
  readonly authorization: string | undefined;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly body: readonly Uint8Array[];
}

/** A request that can be written once. */
export interface WireRequest {
  readonly method: string;
  readonly pieces: readonly Uint8Array[];
}

/** @throws {UnwritableRequest} */
export function wireRequest(lines: RequestLines): WireRequest {
  const { method, body } = lines;
  let sizeBytes = 0;
  for (const chunk of body) sizeBytes += chunk.byteLength;
  const head = headOf(lines, sizeBytes);
  if (sizeBytes > COPIED_BYTES) return { method, pieces: [Buffer.from(head, 'latin1'), ...body] };
  const whole = Buffer.allocUnsafe(head.length + sizeBytes);
  let at = whole.write(head, 'latin1');
  for (const chunk of body) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return { method, pieces: [whole] };
}

function headOf({ method, path, host, authorization, headers }: RequestLines, sizeBytes: number): string {
  if (!TOKEN.test(method)) throw new UnwritableRequest('the method is not one');
  if (NOT_OF_PATH.test(path)) throw new UnwritableRequest('the path holds a character that none may hold');
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] as string;
    const known = names.of(name);
    if (known === 'own' || (known === 'authorization' && authorization !== undefined)) continue;
    if (known === 'none') throw new UnwritableRequest('the name of a header is not one');
    head += headerLine(name, headers[index + 1] as string);
  }
  if (authorization !== undefined) head += headerLine('authorization', authorization);
  if (sizeBytes > 0 || (method !== 'GET' && method !== 'HEAD')) head += `content-length: ${sizeBytes}\r\n`;
  return `${head}\r\n`;
}

function headerLine(name: string, value: string): string {
  if (NOT_OF_VALUE.test(value)) throw new UnwritableRequest(`the header ${name} holds a character that none may hold`);
  return `${name}: ${value}\r\n`;
}
