// SPDX-License-Identifier: Apache-2.0

/**
 * The user's own servers, asked before anything is started for them: one that nobody listens at, or that serves another
 * model, is a mistake on the command line and said at once.
 */

import { request } from 'undici';
import { ChildError } from './child.ts';

/** A server that takes longer may be busy: that is the gateway's to wait for. */
const ASK_LIMIT_MS = 5_000;
/** A longer list is not read. */
const MAX_BYTES = 1024 * 1024;
/** Names in a message. */
const MAX_NAMES = 5;

/** @throws {ChildError} naming every server that cannot be used, and why. */
export async function checkServers(urls: readonly string[], model: string): Promise<void> {
  const problems = await Promise.all(urls.map((url) => problemOf(url, model)));
  const told = problems.filter((problem) => problem !== undefined);
  if (told.length > 0) throw new ChildError(told.join('; '));
}

async function problemOf(url: string, model: string): Promise<string | undefined> {
  let models: readonly string[] | undefined;
  try {
    models = await modelsOf(url);
  } catch (error) {
    if ((error as Error).name === 'TimeoutError') return undefined;
    const { message, code } = error as Error & { readonly code?: string };
    return `${url} cannot be reached: ${message === '' ? (code ?? 'no reason given') : message}`;
  }
  if (models === undefined || models.includes(model)) return undefined;
  const names = models.slice(0, MAX_NAMES).map((name) => JSON.stringify(name));
  const more = models.length > MAX_NAMES ? ` and ${models.length - MAX_NAMES} more` : '';
  return `${url} does not serve ${JSON.stringify(model)} (--model); it serves ${names.join(', ') || 'nothing'}${more}`;
}

/** Undefined when the server does not list them, or not yet. @throws when it cannot be reached, or not in time. */
async function modelsOf(url: string): Promise<readonly string[] | undefined> {
  const { statusCode, body } = await request(`${url}/v1/models`, { signal: AbortSignal.timeout(ASK_LIMIT_MS) });
  if (statusCode !== 200) {
    await body.dump();
    return undefined;
  }
  let text = '';
  for await (const chunk of body.setEncoding('utf8') as AsyncIterable<string>) {
    text += chunk;
    if (text.length > MAX_BYTES) return undefined;
  }
  try {
    const { data } = JSON.parse(text) as { readonly data?: unknown };
    if (!Array.isArray(data)) return undefined;
    return data
      .map((entry: unknown) => (entry as { readonly id?: unknown } | null)?.id)
      .filter((id) => typeof id === 'string');
  } catch {
    return undefined;
  }
}
