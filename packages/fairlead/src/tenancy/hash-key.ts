// SPDX-License-Identifier: Apache-2.0

/**
 * How an API key becomes what the configuration holds of it (`identity.keys[].sha256`): the one place that says so, for
 * the gateway, for tools that write configurations, and for tests.
 */

import { hash } from 'node:crypto';

/** Lower-case hex SHA-256 of the key's bytes; a string counts as UTF-8. */
export function hashKey(key: string | Uint8Array): string {
  return hash('sha256', key, 'hex');
}
