// SPDX-License-Identifier: Apache-2.0

/**
 * An issuer's public keys, from the one URL that the configuration names. They are asked for when the first token
 * comes, again in the background when they are old, and at once when a token names a key that is not among them,
 * which is how an issuer changes keys. Anybody can name a key that does not exist, so that is done once in half a
 * minute at most, whoever asks; while the issuer does not answer, the keys known so far stay.
 */

import { createLocalJWKSet, errors } from 'jose';
import type { JSONWebKeySet, JWTVerifyGetKey, LocalJWKSet } from 'jose';

/** From then on keys are asked for again, while the old ones still count. */
const OLD_AFTER_MS = 10 * 60_000;
/** Between two requests to the issuer: when there are keys, and when there are none yet. */
const COOLDOWN_MS = 30_000;
const FIRST_COOLDOWN_MS = 1_000;
/** From the connection to the last byte. */
const TIMEOUT_MS = 5_000;
/** Some hundred keys; an issuer has a handful. */
const MAX_BYTES = 256 * 1024;

/** There are no keys to check a token with: nobody's fault but the issuer's. */
export class NoKeysError extends Error {
  override readonly name = 'NoKeysError';
}

export interface RemoteKeysOptions {
  readonly url: string;
  /** Any monotonic clock. */
  readonly nowMs: () => number;
  /** Told of every failed request. */
  readonly onProblem?: ((message: string) => void) | undefined;
}

export class RemoteKeys {
  readonly #options: RemoteKeysOptions;
  #keys: LocalJWKSet | undefined;
  #readMs = -Infinity;
  #askedMs = -Infinity;
  #asking: Promise<void> | undefined;

  constructor(options: RemoteKeysOptions) {
    this.#options = options;
  }

  /**
   * The key that a token is signed with, for `jwtVerify`.
   * @throws NoKeysError while the issuer never answered; the errors of jose when no key fits.
   */
  readonly key: JWTVerifyGetKey = async (header, token) => {
    if (this.#keys === undefined) await this.#ask(FIRST_COOLDOWN_MS);
    else if (this.#options.nowMs() - this.#readMs >= OLD_AFTER_MS) void this.#ask(COOLDOWN_MS);
    const known = this.#keys;
    if (known === undefined) throw new NoKeysError('the keys of the issuer are not known');
    try {
      return await known(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await this.#ask(COOLDOWN_MS);
      const fresh = this.#keys;
      if (fresh === known || fresh === undefined) throw error;
      return fresh(header, token);
    }
  };

  /** Asks the issuer, unless it was asked a moment ago; whoever comes meanwhile waits for the same answer. Never rejects. */
  #ask(cooldownMs: number): Promise<void> {
    const nowMs = this.#options.nowMs();
    if (this.#asking === undefined && nowMs - this.#askedMs >= cooldownMs) {
      this.#askedMs = nowMs;
      this.#asking = this.#read(nowMs).finally(() => (this.#asking = undefined));
    }
    return this.#asking ?? Promise.resolve();
  }

  async #read(nowMs: number): Promise<void> {
    const { url, onProblem } = this.#options;
    try {
      this.#keys = createLocalJWKSet((await fetchJson(url)) as JSONWebKeySet);
      this.#readMs = nowMs;
    } catch (error) {
      onProblem?.(`${url}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** A bounded GET on a connection of its own; redirects are not followed, because they would choose a destination. */
async function fetchJson(url: string): Promise<unknown> {
  // Some megabytes, for those only who have an issuer.
  const { Client } = await import('undici');
  const { origin, pathname, search } = new URL(url);
  const client = new Client(origin, { connect: { timeout: TIMEOUT_MS } });
  try {
    const { statusCode, body } = await client.request({
      method: 'GET',
      path: pathname + search,
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (statusCode !== 200) throw new Error(`answered ${statusCode}, not 200`);
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > MAX_BYTES) throw new Error(`answered more than ${MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } finally {
    // Nothing of it is awaited or kept: the next request is minutes away.
    void client.destroy();
  }
}
