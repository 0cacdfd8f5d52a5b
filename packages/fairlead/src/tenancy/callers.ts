// SPDX-License-Identifier: Apache-2.0

/** Who is asking, by the configuration of the moment. */

import { isDeepStrictEqual } from 'node:util';
import type { Reconfigurable, Swap } from '../config/reconfigurable.ts';
import type { JwtConfig, ResolvedConfig } from '../config/resolved.ts';
import { createIdentify } from './identify.ts';
import type { Identify } from './identify.ts';
import { createJwtVerifier } from './jwt/create-jwt-verifier.ts';
import type { JwtContext } from './jwt/create-jwt-verifier.ts';
import type { JwtVerifier } from './jwt/jwt-verifier.ts';
import { TenantMemory } from './tenant-memory.ts';

export type CallersConfig = Pick<ResolvedConfig, 'identity' | 'inferenceObjectives'>;

export class Callers implements Reconfigurable<CallersConfig> {
  readonly #context: JwtContext;
  readonly #memory: TenantMemory;
  #jwt: JwtConfig | undefined;
  #tokens: JwtVerifier | undefined;
  #identify: Identify;
  /** Identifies a caller; the same function whatever the configuration becomes. */
  readonly identify: Identify = (head, remoteAddress, atMs) => this.#identify(head, remoteAddress, atMs);

  /**
   * @throws RangeError when a trusted source is not an address range; Error when a file or a variable that holds the key
   *   of tokens cannot be used.
   */
  constructor(config: CallersConfig, context: JwtContext) {
    this.#context = context;
    this.#memory = new TenantMemory(context.nowMs);
    this.#identify = this.#use(config, this.#tokensFor(config));
  }

  prepare(config: CallersConfig): Swap {
    // A key that cannot be used is found before anything has changed.
    const tokens = this.#tokensFor(config);
    return {
      swap: () => {
        this.#identify = this.#use(config, tokens);
      },
    };
  }

  #use(config: CallersConfig, tokens: JwtVerifier | undefined): Identify {
    this.#jwt = config.identity.jwt;
    this.#tokens = tokens;
    return createIdentify(config.identity, config.inferenceObjectives, { memory: this.#memory, tokens });
  }

  /** What checks tokens: with an issuer that did not change, the one that knows its keys and tokens already. */
  #tokensFor({ identity: { jwt } }: CallersConfig): JwtVerifier | undefined {
    if (jwt === undefined) return undefined;
    // A file may hold other keys now.
    const isSame = 'jwksUrl' in jwt.keys && isDeepStrictEqual(jwt, this.#jwt);
    return isSame ? this.#tokens : createJwtVerifier(jwt, this.#context);
  }
}
