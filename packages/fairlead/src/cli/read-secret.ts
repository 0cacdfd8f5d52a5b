// SPDX-License-Identifier: Apache-2.0

/** Reads an API key from standard input, or at a prompt that does not show it. */

import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { UsageError } from './command.ts';
import type { CommandInput } from './command.ts';

/** Standard input: a terminal, a file or a pipe. */
export type SecretInput = NodeJS.ReadableStream & AsyncIterable<Uint8Array | string> & { readonly isTTY?: boolean };

/** No key that a request's head has room for is longer. */
const MAX_BYTES = 8_192;

export interface SecretOptions extends Pick<CommandInput, 'stderr' | 'stop'> {
  readonly prompt: string;
}

/**
 * The bytes of the key, without the end of its line.
 * @throws UsageError when there is none, or it is nothing that a header can carry as a key.
 */
export async function readSecret(stdin: SecretInput, options: SecretOptions): Promise<Buffer> {
  const bytes = stdin.isTTY === true ? Buffer.from(await ask(stdin, options)) : await readAll(stdin);
  if (bytes.length > MAX_BYTES) throw new UsageError(`standard input: a key has at most ${MAX_BYTES} bytes`);
  const key = Buffer.from(bytes.toString('latin1').replace(/\r?\n$/, ''), 'latin1');
  if (key.length === 0) throw new UsageError('standard input: there is no key; allowed is one, on one line');

  if (/[\x00-\x20\x7f]/.test(key.toString('latin1'))) {
    throw new UsageError('standard input: a key is one line without spaces and control characters');
  }
  return key;
}

/** One byte past the limit at most. */
async function readAll(stdin: SecretInput): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of stdin) {
    chunks.push(Buffer.from(chunk));
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_BYTES) break;
  }
  return Buffer.concat(chunks);
}

/** What is typed is not shown: the terminal is told nothing of it. */
async function ask(stdin: SecretInput, { prompt, stderr, stop }: SecretOptions): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: stdin, output: nowhere, terminal: true });
  stderr.write(prompt);
  try {
    return await new Promise((resolve, reject) => {
      const leave = (): void => reject(new UsageError('interrupted: no key was read'));
      reader.once('line', resolve);
      reader.once('SIGINT', leave);
      reader.once('close', leave);
      stop.addEventListener('abort', leave, { once: true });
    });
  } finally {
    reader.close();
    stderr.write('\n');
  }
}
