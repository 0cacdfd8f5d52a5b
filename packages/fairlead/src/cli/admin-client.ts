// SPDX-License-Identifier: Apache-2.0

/** Asks a running `fairlead serve` on its admin port; the mistakes one makes with that are told in one line. */

import { request } from 'node:http';
import { UsageError } from './command.ts';
import type { Flag } from './command.ts';

/** The answer of the admin port was not the expected one, or there was none. Has a `code`, so that it prints as one line. */
export class AdminError extends Error {
  override readonly name = 'AdminError';
  readonly code = 'ADMIN';
}

export const adminFlag: Flag<URL> = {
  name: 'admin',
  value: 'URL',
  default: new URL('http://127.0.0.1:9090'),
  summary: 'admin port of the running fairlead (default: http://127.0.0.1:9090)',
  parse: (text) => {
    const url = URL.parse(text);
    if (url === null || url.protocol !== 'http:')
      throw new UsageError('allowed is an http:// URL such as http://127.0.0.1:9090');
    return url;
  },
};

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export interface AdminRequest {
  readonly admin: URL;
  readonly path: string;
  /** Sent as JSON with POST; absent: GET. */
  readonly body?: unknown;
  readonly stop: AbortSignal;
}

/**
 * The JSON that `path` answers with.
 * @throws AdminError when nothing answers, or something else than a fairlead does.
 */
export async function askAdmin(input: AdminRequest): Promise<unknown> {
  const { status, text } = await exchange(input);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new AdminError(`${input.admin.origin} does not answer like a fairlead admin port`);
  }
  if (status === 200) return value;
  // The gateway's own port and model servers answer so.
  if (status === 404)
    throw new AdminError(
      `${input.admin.origin} has no ${input.path}; is --admin the admin port of a \`fairlead serve\`?`,
    );
  const message = (value as { error?: { message?: unknown } } | null)?.error?.message;
  throw new AdminError(
    `${input.admin.origin} refused: ${typeof message === 'string' ? printable(message) : `status ${status}`}`,
  );
}

function exchange(input: AdminRequest): Promise<{ status: number; text: string }> {
  const { admin, path, body, stop } = input;
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => reject(explained(error, input));
    const call = request(
      new URL(path, admin),
      {
        method: body === undefined ? 'GET' : 'POST',
        agent: false,
        signal: AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT_MS)]),
        headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      },
      (response) => {
        const chunks: Buffer[] = [];
        let sizeBytes = 0;
        response.on('error', fail);
        response.on('data', (chunk: Buffer) => {
          sizeBytes += chunk.length;
          if (sizeBytes > MAX_ANSWER_BYTES)
            response.destroy(new AdminError(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`));
          chunks.push(chunk);
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
      },
    );
    call.on('error', fail);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function explained(error: NodeJS.ErrnoException, input: AdminRequest): Error {
  if (input.stop.aborted) return new AdminError('stopped');
  const what = error.code === 'ECONNREFUSED' ? 'nothing listens there' : error.message;
  return new AdminError(
    `cannot ask ${input.admin.origin}: ${what}; is \`fairlead serve\` running, and --admin its admin port?`,
  );
}

/** Text from elsewhere, safe for a terminal: without control characters, whatever a name contains. */
export function printable(text: string): string {
  return text.toWellFormed().replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '?');
}
