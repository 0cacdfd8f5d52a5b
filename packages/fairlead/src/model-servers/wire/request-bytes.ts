// SPDX-License-Identifier: Apache-2.0

/**
 * A request as the bytes that go out: head and body in one piece when that is small, else one behind the other without
 * a copy. What no request may hold is refused, wherever it came from: nothing can be put between lines.
 */

import { UnwritableRequest, headerLine } from '../../sockets/header-block.ts';
import type { HeaderBlock } from '../../sockets/header-block.ts';
import { TOKEN } from '../../sockets/header-lines.ts';
import { KnownTexts } from '../../sockets/known-texts.ts';

/** A body up to this is copied behind its head: one write of one piece is cheaper than the copy. */
const COPIED_BYTES = 16 * 1024;

const NOT_OF_PATH = /[^\x21-\xff]/;

const isMethod = new KnownTexts((method) => TOKEN.test(method));
const isPath = new KnownTexts((path) => !NOT_OF_PATH.test(path));

export interface RequestLines {
  readonly method: string;
  readonly path: string;
  /** `host:port`. */
  readonly host: string;
  /** Takes the place of any other. */
  readonly authorization: string | undefined;
  readonly headers: HeaderBlock;
  /** Sent as `x-request-id`. */
  readonly requestId: string | undefined;
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

function headOf({ method, path, host, authorization, headers, requestId }: RequestLines, sizeBytes: number): string {
  if (!isMethod.of(method)) throw new UnwritableRequest('the method is not one');
  if (!isPath.of(path)) throw new UnwritableRequest('the path holds a character that none may hold');
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n${headers.lines}`;
  if (requestId !== undefined) head += headerLine('x-request-id', requestId);
  head += authorization === undefined ? headers.authorization : headerLine('authorization', authorization);
  if (sizeBytes > 0 || (method !== 'GET' && method !== 'HEAD')) head += `content-length: ${sizeBytes}\r\n`;
  return `${head}\r\n`;
}
