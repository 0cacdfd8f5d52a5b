// SPDX-License-Identifier: Apache-2.0

/**
 * Model servers that are worse than they are: some tries fail as they are told to. What is sent is judged here: nothing
 * that a server may have run is ever sent a second time.
 */

import assert from 'node:assert/strict';
import type { Clock, Endpoint } from '@fairlead/core';
import type {
  UpstreamCall,
  UpstreamErrorKind,
  UpstreamHandler,
  UpstreamPort,
  UpstreamRequest,
} from '../../../packages/fairlead/src/director/ports.ts';
import type { Curse } from './plan.ts';

/** How the last try of a request went. */
interface Tries {
  last: UpstreamErrorKind | 'under way' | 'answered' | 'left';
  readonly endpoint: Endpoint;
  /** Its connection had been reset, and it was sent anew. */
  readonly wasReset: boolean;
}

export class CursedUpstream implements UpstreamPort {
  readonly #fleet: UpstreamPort;
  readonly #clock: Clock;
  readonly #attempt: (act: () => void) => void;
  readonly #tries = new Map<UpstreamRequest['body'], Tries>();
  readonly #curses: Curse[] = [];

  /** `attempt`: hears what is wrong with what is sent, which whoever sends would take for a bug of the port. */
  constructor(fleet: UpstreamPort, clock: Clock, attempt: (act: () => void) => void) {
    this.#fleet = fleet;
    this.#clock = clock;
    this.#attempt = attempt;
  }

  /** So many of the next tries end like this. */
  curse(curse: Curse, count: number): void {
    for (let index = 0; index < count; index += 1) this.#curses.push(curse);
  }

  lift(): void {
    this.#curses.length = 0;
  }

  /** Tries that are under way, by endpoint. */
  underWay(endpoint?: Endpoint): number {
    let count = 0;
    for (const { last, endpoint: at } of this.#tries.values()) {
      if (last === 'under way' && (endpoint === undefined || at === endpoint)) count += 1;
    }
    return count;
  }

  wasSent(body: UpstreamRequest['body']): boolean {
    return this.#tries.has(body);
  }

  isUnderWay(body: UpstreamRequest['body']): boolean {
    return this.#tries.get(body)?.last === 'under way';
  }

  send(request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall {
    const { body, endpoint, freshConnection } = request;
    const before = this.#tries.get(body);
    this.#attempt(() => {
      if (before !== undefined) assertMayGoAgain(before, request);
      assert.ok(endpoint.up || freshConnection, 'a request is sent to an endpoint that is down');
    });
    const tries: Tries = { last: 'under way', endpoint, wasReset: freshConnection };
    this.#tries.set(body, tries);
    const curse = this.#curses.shift();
    if (curse === 'throws') {
      tries.last = 'aborted';
      throw new Error('a bug of whoever sends');
    }
    const watched = new Watched(handler, tries);
    const call = this.#cursed(curse, request, watched);
    return {
      abort: (reason) => {
        if (tries.last === 'under way') tries.last = 'left';
        call.abort(reason);
      },
      resume: () => call.resume(),
    };
  }

  #cursed(curse: Exclude<Curse, 'throws'> | undefined, request: UpstreamRequest, handler: Watched): UpstreamCall {
    if (curse === undefined) return this.#fleet.send(request, handler);
    if (curse === 'died' || curse === 'timeout-idle') {
      const call = this.#fleet.send(request, handler);
      handler.breakBy(curse, call);
      return call;
    }
    this.#clock.soon(() => {
      if (curse === 'error-500') {
        handler.onHeaders(500);
        handler.onData(new Uint8Array(3));
        handler.onEnd();
      } else handler.onError({ kind: curse, message: 'cursed' });
    });
    return { abort: () => undefined, resume: () => undefined };
  }
}

/** Hands on what a try comes to, until it is over. */
class Watched implements UpstreamHandler {
  readonly #handler: UpstreamHandler;
  readonly #tries: Tries;
  #break: { readonly kind: 'died' | 'timeout-idle'; readonly call: UpstreamCall } | undefined;

  constructor(handler: UpstreamHandler, tries: Tries) {
    this.#handler = handler;
    this.#tries = tries;
  }

  /** Its answer will break off at its first byte. */
  breakBy(kind: 'died' | 'timeout-idle', call: UpstreamCall): void {
    this.#break = { kind, call };
  }

  get #isOver(): boolean {
    return this.#tries.last !== 'under way';
  }

  onHeaders(status: number): void {
    if (!this.#isOver) this.#handler.onHeaders(status, []);
  }

  onData(chunk: Uint8Array): boolean {
    if (this.#isOver) return true;
    if (this.#break === undefined) return this.#handler.onData(chunk);
    const { kind, call } = this.#break;
    call.abort('cursed');
    this.onError({ kind, message: 'cursed' });
    return true;
  }

  onEnd(): void {
    if (this.#isOver) return;
    this.#tries.last = 'answered';
    this.#handler.onEnd();
  }

  onError(failure: Parameters<UpstreamHandler['onError']>[0]): void {
    if (this.#isOver) return;
    this.#tries.last = failure.kind;
    this.#handler.onError(failure);
  }
}

function assertMayGoAgain({ last, endpoint, wasReset }: Tries, again: UpstreamRequest): void {
  if (last === 'refused') return;
  assert.equal(last, 'reset-idle', `a request is sent again whose last try: ${last}`);
  assert.ok(again.freshConnection && again.endpoint === endpoint && !wasReset, 'sent again on no fresh connection');
}
