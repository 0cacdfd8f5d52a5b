// SPDX-License-Identifier: Apache-2.0

/**
 * What a model server has been asked, kept for tests to look at: the last so many requests, within a bound on bytes.
 */

import type { IncomingHttpHeaders } from 'node:http';

const MAX_BODY_BYTES = 16 * 1024 * 1024;

export interface LoggedRequest {
  /** `x-request-id` as sent, or one made here. */
  readonly id: string;
  readonly method: string;
  /** With the query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Empty until the body has arrived, and when it was refused unread. */
  body: string;
}

export class RequestLog {
  readonly #limit: number;
  readonly #entries: LoggedRequest[] = [];
  #bodyBytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Oldest first. */
  get entries(): readonly LoggedRequest[] {
    return this.#entries;
  }

  add(entry: LoggedRequest): void {
    if (this.#limit === 0) return;
    this.#entries.push(entry);
    if (this.#entries.length > this.#limit) this.#dropOldest();
  }

  /** Notes the body of an entry added before. */
  setBody(entry: LoggedRequest, body: Buffer): void {
    if (this.#limit === 0 || body.length > MAX_BODY_BYTES || !this.#entries.includes(entry)) return;
    entry.body = body.toString('utf8');
    this.#bodyBytes += entry.body.length;
    while (this.#bodyBytes > MAX_BODY_BYTES) this.#dropOldest();
  }

  #dropOldest(): void {
    const dropped = this.#entries.shift();
    this.#bodyBytes -= dropped?.body.length ?? 0;
  }
}
