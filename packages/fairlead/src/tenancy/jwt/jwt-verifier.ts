// SPDX-License-Identifier: Apache-2.0

/**
 * Tokens of an issuer (`identity.jwt`): signature, issuer, audience and times are checked by `jose`, with the algorithms
 * of the configuration and no others. What a token proved is remembered by its digest until it expires, so that the same
 * token costs a look-up the next time; the digest cannot be made for a token that was not checked. Checks are bounded in
 * how many run and how many wait, because anybody can send something that looks like a token.
 */

import { jwtVerify } from 'jose';
import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import type { JwtConfig } from '../../config/resolved.ts';
import { NoKeysError } from './remote-keys.ts';

/** What a token proves. */
export interface TokenClaims {
  readonly tenant: string;
  readonly priority?: number;
  readonly weight?: number;
}

/** `unknown`: whether the token is good cannot be said now, for want of keys or because too much is being checked. */
export type Verified = TokenClaims | 'refused' | 'unknown';

export interface JwtVerifierOptions {
  readonly config: Omit<JwtConfig, 'keys'>;
  readonly key: JWTVerifyGetKey;
  /** Seconds since 1970, as tokens count; the system's by default. */
  readonly nowS?: () => number;
}

/** Longer ones are not looked at; tokens with dozens of groups have some thousand characters. */
const MAX_LENGTH = 16_384;
/** A JWS in compact form: three parts, none empty. */
const SHAPE = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const MAX_REMEMBERED = 10_000;
const MAX_RUNNING = 64;
const MAX_WAITING = 1_000;
const PRINTABLE = /^[!-~]{1,128}$/;
const MAX_PRIORITY = 2_147_483_647;
const MAX_WEIGHT = 1_000_000;

interface Remembered {
  readonly claims: TokenClaims;
  /** When it stops to count, in seconds since 1970. */
  readonly untilS: number;
}

export class JwtVerifier {
  readonly #options: JwtVerifierOptions;
  readonly #nowS: () => number;
  /** By digest, the longest unused first. */
  readonly #remembered = new Map<string, Remembered>();
  /** Checks that have not ended, by digest: the same token is checked once, however often it comes meanwhile. */
  readonly #pending = new Map<string, Promise<Verified>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: JwtVerifierOptions) {
    this.#options = options;
    this.#nowS = options.nowS ?? (() => Date.now() / 1000);
  }

  /** Checks that run or wait. */
  get pending(): number {
    return this.#pending.size;
  }

  /**
   * What the token proves; at once when it is known, or is no token at all. `digest` is the token's, as keys have
   * theirs. Never rejects.
   */
  verify(token: string, digest: string): Verified | Promise<Verified> {
    if (token.length > MAX_LENGTH || !SHAPE.test(token)) return 'refused';
    const known = this.#recall(digest);
    if (known !== undefined) return known;
    const pending = this.#pending.get(digest);
    if (pending !== undefined) return pending;
    if (this.#running >= MAX_RUNNING && this.#waiting.length >= MAX_WAITING) return 'unknown';
    const checked = this.#inTurn(token, digest).finally(() => this.#pending.delete(digest));
    this.#pending.set(digest, checked);
    return checked;
  }

  #recall(digest: string): TokenClaims | undefined {
    const known = this.#remembered.get(digest);
    if (known === undefined) return undefined;
    this.#remembered.delete(digest);
    if (known.untilS <= this.#nowS()) return undefined;
    this.#remembered.set(digest, known);
    return known.claims;
  }

  async #inTurn(token: string, digest: string): Promise<Verified> {
    if (this.#running >= MAX_RUNNING) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      return await this.#check(token, digest);
    } finally {
      const next = this.#waiting.shift();
      // The place of who is done goes to who waits longest.
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  async #check(token: string, digest: string): Promise<Verified> {
    const { config, key } = this.#options;
    try {
      const { payload } = await jwtVerify(token, key, {
        issuer: config.issuer,
        audience: [...config.audience],
        algorithms: [...config.algorithms],
        clockTolerance: config.clockToleranceMs / 1000,
        currentDate: new Date(this.#nowS() * 1000),
        requiredClaims: ['exp', config.tenantClaim],
      });
      const claims = claimsOf(payload, config);
      if (claims === undefined) return 'refused';
      this.#remember(digest, { claims, untilS: (payload.exp ?? 0) + config.clockToleranceMs / 1000 });
      return claims;
    } catch (error) {
      return error instanceof NoKeysError ? 'unknown' : 'refused';
    }
  }

  #remember(digest: string, remembered: Remembered): void {
    if (this.#remembered.size >= MAX_REMEMBERED) {
      const [oldest] = this.#remembered.keys();
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    this.#remembered.set(digest, remembered);
  }
}

/** A token whose tenant is no name is of no use; a priority or weight that is none is as good as not said. */
function claimsOf(payload: JWTPayload, config: JwtVerifierOptions['config']): TokenClaims | undefined {
  const tenant = payload[config.tenantClaim];
  if (typeof tenant !== 'string' || !PRINTABLE.test(tenant)) return undefined;
  const priority = config.priorityClaim === undefined ? undefined : payload[config.priorityClaim];
  const weight = config.weightClaim === undefined ? undefined : payload[config.weightClaim];
  const isPriority = Number.isInteger(priority) && Math.abs(priority as number) <= MAX_PRIORITY;
  const isWeight = typeof weight === 'number' && weight > 0 && weight <= MAX_WEIGHT;
  return { tenant, ...(isPriority && { priority: priority as number }), ...(isWeight && { weight }) };
}
