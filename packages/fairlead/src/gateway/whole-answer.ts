// SPDX-License-Identifier: Apache-2.0

/**
 * Answers that are made here and sent in one piece: errors and the model list. The hard part is a client that is still
 * sending its body: closing the socket under it makes its system throw our answer away, and reading on for as long as
 * it sends is a gift to whoever sends without end.
 */

import type { ClientRequest } from './wire/client-request.ts';
import type { ClientResponse } from './wire/client-response.ts';

/** A body that is refused and no longer than this is read to its end, and the connection kept. */
const KEEP_BODY_BYTES = 65_536;
/** From a longer one so much is read and thrown away, so long at most, for the client to find our answer. */
const LINGER_BYTES = 16 * 1024 * 1024;
const LINGER_MS = 2000;

export interface WholeAnswer {
  readonly status: number;
  /** Header lines, each with its end. */
  readonly lines: string;
  readonly body: Uint8Array;
  /** The connection must not serve another request. */
  readonly isLast: boolean;
}

/** Sends the answer, whatever the state of the request's body is. */
export function sendWhole(request: ClientRequest, response: ClientResponse, answer: WholeAnswer): void {
  const isUnread = !request.isComplete;
  const isLast = answer.isLast || !request.keepAlive || (isUnread && !endsSoon(request));
  const { status, lines, body } = answer;
  response.begin({ status, text: lines, hasDate: false, lengthBytes: body.length }, isLast);
  response.write(body);
  if (isUnread && isLast) linger(request, response);
  else {
    request.discard();
    response.end();
  }
}

function endsSoon({ expects, lengthBytes }: ClientRequest): boolean {
  return lengthBytes !== undefined && expects === undefined && lengthBytes <= KEEP_BODY_BYTES;
}

/** The answer is out in full; the end of the connection waits until the client has stopped sending, within limits. */
function linger(request: ClientRequest, response: ClientResponse): void {
  let readBytes = 0;
  const finish = (): void => {
    clearTimeout(timer);
    request.discard();
    response.end();
  };
  const timer = setTimeout(finish, LINGER_MS);
  timer.unref();
  request.read({
    onData: (chunk) => {
      readBytes += chunk.length;
      if (readBytes > LINGER_BYTES) finish();
      return false;
    },
    onEnd: finish,
  });
}
