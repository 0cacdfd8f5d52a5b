// SPDX-License-Identifier: Apache-2.0

/** The controller's side of a permit: what has to be given back, and the guard that it is given back once. */

import type { Endpoint } from '../endpoints/endpoint.ts';
import type { InFlightCap } from '../request/in-flight-cap.ts';
import type { InferenceRequest, Usage } from '../request/inference-request.ts';
import type { TokenBucket } from '../request/token-bucket.ts';
import type { Ending, Permit } from '../request/permit.ts';
import type { Placed } from './placement.ts';
import type { Charge } from './cost-accounts.ts';
import type { Queued } from './waitlist.ts';

/** Who gave the permit out. */
export interface PermitOwner {
  permitEnded(permit: DispatchPermit, ending: Ending, usage: Usage | undefined): void;
  permitFirstToken(permit: DispatchPermit): void;
}

export class DispatchPermit implements Permit {
  readonly owner: PermitOwner;
  readonly waiting: Queued;
  readonly placed: Placed;
  readonly waitMs: number;
  readonly cap: InFlightCap | undefined;
  readonly bucket: TokenBucket | undefined;
  /** Tokens taken from the bucket. */
  readonly debited: number;
  readonly charge: Charge;
  #ended = false;
  #firstToken = false;

  /** `movedFrom`: the permit that this one takes the place of. */
  constructor(
    input: Pick<DispatchPermit, 'owner' | 'waiting' | 'placed' | 'waitMs' | 'debited' | 'charge'> & {
      movedFrom?: DispatchPermit;
    },
  ) {
    this.owner = input.owner;
    this.waiting = input.waiting;
    this.placed = input.placed;
    this.waitMs = input.waitMs;
    // As they are now: a flow that was empty takes those of its next request.
    const { cap, bucket } = input.movedFrom ?? input.waiting.flow;
    this.cap = cap;
    this.bucket = bucket;
    this.debited = input.debited;
    this.charge = input.charge;
  }

  get request(): InferenceRequest {
    return this.waiting.request;
  }

  get flow(): Queued['flow'] {
    return this.waiting.flow;
  }

  get endpoint(): Endpoint {
    return this.placed.endpoint;
  }

  get alternatives(): readonly Endpoint[] {
    return this.placed.alternatives;
  }

  get dispatchedMs(): number {
    return this.waiting.enqueuedMs + this.waitMs;
  }

  /** Its first token has come. */
  get hasBegun(): boolean {
    return this.#firstToken;
  }

  get sequences(): number {
    return this.placed.sequences;
  }

  get tokens(): number {
    return this.placed.tokens;
  }

  firstToken(): void {
    if (this.#ended || this.#firstToken) return;
    this.#firstToken = true;
    this.owner.permitFirstToken(this);
  }

  streamed(tokens: number): void {
    if (!this.#ended) this.charge.streamed(tokens);
  }

  end(ending: Ending, usage?: Usage): void {
    this.take();
    this.owner.permitEnded(this, ending, usage);
  }

  /** Gives back what it took, and settles what its request used. */
  release({ ending, usage }: { readonly ending: Ending; readonly usage: Usage | undefined }, nowMs: number): void {
    this.placed.release(ending, usage);
    const { request, charge } = this;
    this.bucket?.settle(this.debited, { request, ending, usage, streamedTokens: charge.streamedTokens }, nowMs);
    this.charge.end(ending, usage);
  }

  /** Gives back all that it took: its request was never sent. */
  giveBack(nowMs: number): void {
    this.placed.release('failed');
    this.bucket?.giveBack(this.debited, nowMs);
    this.charge.giveBack();
  }

  /** Marks the permit as ended. @throws Error when it was already. */
  take(): void {
    this.assertHeld();
    this.#ended = true;
  }

  /** @throws Error when it has ended. */
  assertHeld(): void {
    if (this.#ended) throw new Error(`the permit of request ${this.request.id} ended twice`);
  }
}

/** @throws Error unless the permit is one that `owner` gave out. */
export function assertOwn(permit: Permit, owner: PermitOwner): asserts permit is DispatchPermit {
  if (permit instanceof DispatchPermit && permit.owner === owner) return;
  throw new Error('the permit is not one of this controller');
}
