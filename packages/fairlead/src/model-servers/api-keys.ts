// SPDX-License-Identifier: Apache-2.0

/** API keys of model servers: read from the environment once, at the start, and shown to nobody. */

import type { EndpointConfig } from '../config/resolved.ts';

/** What a header value may hold, so that a stray newline in a variable is found at the start and not at a request. */
const HEADER_VALUE = /^[\x21-\x7e]+$/;

/**
 * A function from an endpoint to the `Authorization` it is sent, if any.
 *
 * @throws {Error} naming endpoint and variable, never the value, when one is not set or cannot be a header.
 */
export function apiKeys(
  endpoints: readonly EndpointConfig[],
  environment: Readonly<Record<string, string | undefined>>,
): (endpoint: EndpointConfig) => string | undefined {
  const keys = new Map<string, string>();
  for (const { name, apiKeyEnv } of endpoints) {
    if (apiKeyEnv === undefined) continue;
    const key = environment[apiKeyEnv]?.trim();
    if (key === undefined || key === '') {
      throw new Error(`endpoint ${name}: the environment variable ${apiKeyEnv}, named by apiKeyEnv, is not set`);
    }
    if (!HEADER_VALUE.test(key)) {
      throw new Error(
        `endpoint ${name}: the environment variable ${apiKeyEnv}, named by apiKeyEnv, holds more than printable ASCII`,
      );
    }
    keys.set(apiKeyEnv, `Bearer ${key}`);
  }
  return ({ apiKeyEnv }) => (apiKeyEnv === undefined ? undefined : keys.get(apiKeyEnv));
}
