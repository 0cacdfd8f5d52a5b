// SPDX-License-Identifier: Apache-2.0

/** From the section `identity.jwt` to what checks tokens. */

import type { JwtConfig } from '../../config/resolved.ts';
import { JwtVerifier } from './jwt-verifier.ts';
import { localKeys } from './local-keys.ts';
import { RemoteKeys } from './remote-keys.ts';

export interface JwtContext {
  /** Any monotonic clock. */
  readonly nowMs: () => number;
  /** Where `secretEnv` is looked up. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The issuer's keys could not be read. */
  readonly onProblem?: ((message: string) => void) | undefined;
}

/** @throws Error when a file or a variable that holds a key cannot be used. */
export function createJwtVerifier(config: JwtConfig, { nowMs, environment, onProblem }: JwtContext): JwtVerifier {
  const { keys } = config;
  const key =
    'jwksUrl' in keys ? new RemoteKeys({ url: keys.jwksUrl, nowMs, onProblem }).key : localKeys(keys, environment);
  return new JwtVerifier({ config, key });
}
