// SPDX-License-Identifier: Apache-2.0

/**
 * Small GETs to model servers (metrics, health, models) over the same kept-alive connections as requests: bounded in
 * time as a whole, and sent once more when a connection turns out to be stale, as nothing is lost by asking twice.
 */

import type { Alarm, Clock } from '@fairlead/core';
import type { UpstreamCall, UpstreamHandler } from '../director/ports.ts';
import { NO_HEADERS } from '../sockets/header-block.ts';
import { UpstreamError } from './upstream-error.ts';
import type { Upstream } from './upstream.ts';

export interface GetOptions {
  /** Base URL. */
  readonly url: string;
  readonly path: string;
  /** From now to the last byte. */
  readonly timeoutMs: number;
  /** Takes the body of a 200, chunk by chunk, each lent; false: enough, the rest is not read. */
  readonly onData?: (chunk: Uint8Array) => boolean;
}

/** The status that came, or why none did. */
export type GetResult = { readonly status: number } | { readonly error: UpstreamError };

/** Called once, and never after `cancel`. */
export type OnGot = (result: GetResult) => void;

/** Of an answer that is not a 200, or whose body nobody takes, so much is read to keep the connection. */
const MAX_IGNORED_BYTES = 64 * 1024;

/** What asks. */
export interface Gets {
  get(options: GetOptions, onGot: OnGot): { cancel(): void };
}

export class Getter implements Gets {
  readonly #upstream: Upstream;
  readonly #clock: Clock;

  constructor(upstream: Upstream, clock: Clock) {
    this.#upstream = upstream;
    this.#clock = clock;
  }

  get(options: GetOptions, onGot: OnGot): { cancel(): void } {
    return new Get({ upstream: this.#upstream, clock: this.#clock, options, onGot });
  }
}

class Get implements UpstreamHandler {
  readonly #upstream: Upstream;
  readonly #options: GetOptions;
  readonly #onGot: OnGot;
  readonly #deadline: Alarm;
  #call: UpstreamCall;
  #status = 0;
  #ignoredBytes = 0;
  #isRetried = false;
  #isOver = false;

  constructor(parts: { upstream: Upstream; clock: Clock; options: GetOptions; onGot: OnGot }) {
    this.#upstream = parts.upstream;
    this.#options = parts.options;
    this.#onGot = parts.onGot;
    const { timeoutMs } = parts.options;
    this.#deadline = parts.clock.at(parts.clock.now() + timeoutMs, () => {
      this.#cut({ error: new UpstreamError('timeout-first-byte', `no whole answer within ${timeoutMs} ms`) });
    });
    this.#call = this.#send(false);
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadline.cancel();
    this.#call.abort('no longer wanted');
  }

  onHeaders(status: number): void {
    this.#status = status;
  }

  onData(chunk: Uint8Array): boolean {
    const { onData } = this.#options;
    if (this.#status === 200 && onData !== undefined) {
      if (!onData(chunk)) this.#cut({ status: this.#status });
      return true;
    }
    this.#ignoredBytes += chunk.byteLength;
    if (this.#ignoredBytes > MAX_IGNORED_BYTES) this.#cut({ status: this.#status });
    return true;
  }

  onEnd(): void {
    this.#over({ status: this.#status });
  }

  onError(error: UpstreamError): void {
    if (this.#isOver) return;
    if (error.kind === 'reset-idle' && !this.#isRetried) {
      this.#isRetried = true;
      this.#call = this.#send(true);
    } else this.#over({ error });
  }

  #send(freshConnection: boolean): UpstreamCall {
    const request = {
      endpoint: this.#options,
      method: 'GET',
      path: this.#options.path,
      headers: NO_HEADERS,
      body: [],
      firstByteTimeoutMs: 0,
      idleTimeoutMs: 0,
      freshConnection,
    };
    return this.#upstream.send(request, this);
  }

  #cut(result: GetResult): void {
    if (this.#isOver) return;
    this.#over(result);
    this.#call.abort('enough of the answer was read');
  }

  #over(result: GetResult): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadline.cancel();
    this.#onGot(result);
  }
}
