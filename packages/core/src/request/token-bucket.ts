// SPDX-License-Identifier: Apache-2.0

/** A tenant's tokens a minute, as capacity that it takes and gives back. */

import { outputTold, type TokensSpent } from './tokens-spent.ts';

/** Someone who waits for an empty bucket. */
export interface BucketWaiter {
  /** Tokens were given back: the bucket has some again, or will have sooner. */
  onRefund(): void;
}

/** What is known of a request's tokens before it goes. */
export interface Debitable {
  readonly sizeBytes: number;
  readonly sequences: number;
  readonly inputTokens?: number | undefined;
  /** Of each sequence. */
  readonly maxOutputTokens?: number | undefined;
}

export interface TokenBucketOptions {
  /** What flows in, and so what the tenant gets in the long run. */
  readonly tokensPerMinute: number;
  /** What it holds at most: so much may be taken at once after a silence. One minute's worth by default. */
  readonly burstTokens?: number | undefined;
}

const MINUTE_MS = 60_000;
/** What a client can be told to wait: beyond, it is as good as for ever. */
const LONGEST_WAIT_MS = 60 * MINUTE_MS;
/** Less than one by what sums of fractions may lose. */
const ONE_TOKEN = 1 - 1e-6;
/** Bytes of body to a token. */
const BYTES_PER_TOKEN = 4;
/** No request is debited more, whatever a client asks for. */
const MOST_TOKENS = 1_000_000_000;
/** How much one answer counts in the mean length of answers. */
const LEARNING = 0.1;

/**
 * A tenant's limit on tokens a minute (`identity.…tokensPerMinute`), shared by all of its flows in every band and pool.
 * Like the cap on requests in flight it is held *in the queue*: while the bucket is empty the tenant's flows are
 * skipped, nothing is refused and nobody else waits for them.
 *
 * A request is debited with an estimate when it is dispatched, so that many at once cannot pass on the same tokens, and
 * settled with what its model server reports when it ends. It may go while there is a token in the bucket; what it
 * takes beyond that is a debt, which the tenant waits off. So a request may be larger than the burst, a small one of the
 * tenant's never overtakes a large one that saves up for ever, and in any time `t` the tenant gets at most
 * `burst + rate × t` and one request.
 */
export class TokenBucket {
  /** Changed by `resize` only, as the next. */
  tokensPerMinute: number;
  burstTokens: number;
  #level: number;
  #atMs = -Infinity;
  /** Mean length of an answer, of each sequence: what one counts that nobody has limited. */
  #meanOutput = 0;
  readonly #waiters = new Set<BucketWaiter>();

  /** @throws RangeError unless both figures are at least 1. */
  constructor(options: TokenBucketOptions) {
    const { tokensPerMinute, burstTokens } = checked(options);
    this.tokensPerMinute = tokensPerMinute;
    this.burstTokens = burstTokens;
    this.#level = burstTokens;
  }

  /**
   * Another limit from now on, `Infinity` for none. What is in the bucket, or owed to it, stays as far as it holds that.
   * @throws RangeError unless both figures are at least 1.
   */
  resize(options: TokenBucketOptions, nowMs: number): void {
    this.#refill(nowMs);
    const isUnlimited = options.tokensPerMinute === Infinity;
    const { tokensPerMinute, burstTokens } = isUnlimited ? UNLIMITED : checked(options);
    if (tokensPerMinute === this.tokensPerMinute && burstTokens === this.burstTokens) return;
    this.tokensPerMinute = tokensPerMinute;
    this.burstTokens = burstTokens;
    this.#level = isUnlimited ? Infinity : Math.min(this.#level, burstTokens);
    for (const waiter of [...this.#waiters]) waiter.onRefund();
  }

  /** Tokens in it; negative while a debt is waited off. */
  level(nowMs: number): number {
    this.#refill(nowMs);
    return this.#level;
  }

  /** Not one whole token is in it: nobody may go. */
  isEmpty(nowMs: number): boolean {
    return this.level(nowMs) < ONE_TOKEN;
  }

  /** When a request may go: now when there are tokens, else when the first whole one is there. */
  readyMs(nowMs: number): number {
    if (!this.isEmpty(nowMs)) return nowMs;
    // A millisecond on at least: rounding must not ask for the moment that it is.
    return Math.max(Math.floor(nowMs) + 1, Math.ceil(nowMs + this.#msFor(1 - this.#level)));
  }

  /**
   * Milliseconds, 100 to an hour, until a request behind others of the tenant (bytes of body, and how many) should be
   * able to go.
   */
  waitMs(ahead: { readonly bytes: number; readonly requests: number }, nowMs: number): number {
    const tokens = ahead.bytes / BYTES_PER_TOKEN + ahead.requests * this.#meanOutput;
    return Math.min(LONGEST_WAIT_MS, Math.max(100, Math.ceil(this.#msFor(tokens + 1 - this.level(nowMs)))));
  }

  /** Debits a request that is dispatched; the tokens debited have to be given to `settle` or `giveBack`. */
  take(request: Debitable, nowMs: number): number {
    this.#refill(nowMs);
    const { sequences, maxOutputTokens = this.#meanOutput } = request;
    const tokens = Math.min(MOST_TOKENS, Math.ceil(inputTokensOf(request) + maxOutputTokens * sequences));
    this.#level -= tokens;
    return tokens;
  }

  /** The request never went. */
  giveBack(debited: number, nowMs: number): void {
    this.#refund(debited, nowMs);
  }

  /**
   * The request ended: what it used takes the place of what was debited. Where nothing is known the estimate stands (or
   * nobody would pay who leaves before the figures come), except that a failure costs nothing.
   */
  settle(debited: number, spent: TokensSpent & { readonly request: Debitable }, nowMs: number): void {
    const { request, ending, usage } = spent;
    const { promptTokens, completionTokens } = usage ?? {};
    const isWhole = ending === 'succeeded';
    const output = Math.min(MOST_TOKENS, outputTold(spent) ?? 0);
    const isKnown = completionTokens !== undefined || output > 0 || (promptTokens !== undefined && isWhole);
    const input = promptTokens ?? Math.min(debited, inputTokensOf(request));
    const unknown = ending === 'failed' ? 0 : debited;
    if (isWhole && output > 0) this.#meanOutput += LEARNING * (output / request.sequences - this.#meanOutput);
    this.#refund(debited - (isKnown ? input + output : unknown), nowMs);
  }

  /** Tells the waiter of every refund until `unawait`. */
  await(waiter: BucketWaiter): void {
    this.#waiters.add(waiter);
  }

  unawait(waiter: BucketWaiter): void {
    this.#waiters.delete(waiter);
  }

  /**
   * A refund counts in full while somebody waits: it was withheld from them, and cutting it at the burst is how a
   * tenant with cautious estimates ends up with a quarter of its limit. Otherwise the bucket never holds more than the burst.
   */
  #refund(tokens: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#level += tokens;
    if (this.#waiters.size === 0) this.#level = Math.min(this.#level, this.burstTokens);
    else if (tokens > 0) for (const waiter of [...this.#waiters]) waiter.onRefund();
  }

  #refill(nowMs: number): void {
    if (nowMs <= this.#atMs) return;
    const gained = this.#atMs === -Infinity ? 0 : ((nowMs - this.#atMs) * this.tokensPerMinute) / MINUTE_MS;
    this.#atMs = nowMs;
    if (this.#level < this.burstTokens) this.#level = Math.min(this.burstTokens, this.#level + gained);
  }

  #msFor(tokens: number): number {
    return (tokens * MINUTE_MS) / this.tokensPerMinute;
  }
}

function inputTokensOf({ sizeBytes, inputTokens = sizeBytes / BYTES_PER_TOKEN }: Debitable): number {
  return inputTokens;
}

const UNLIMITED = { tokensPerMinute: Infinity, burstTokens: Infinity } as const;

function checked({
  tokensPerMinute,
  burstTokens = tokensPerMinute,
}: TokenBucketOptions): Required<Pick<TokenBucket, 'tokensPerMinute' | 'burstTokens'>> {
  for (const [name, value] of Object.entries({ tokensPerMinute, burstTokens })) {
    if (!(value >= 1 && value < Infinity)) throw new RangeError(`${name} must be a number of at least 1, got ${value}`);
  }
  return { tokensPerMinute, burstTokens };
}
