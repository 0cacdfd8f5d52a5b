// SPDX-License-Identifier: Apache-2.0

/** The `Host` that a model server is spoken to with, worked out once for each. */

import type { Endpoint } from '@fairlead/core';

const hosts = new WeakMap<Endpoint, string>();

/** `host:port` as the model server is known by. */
export function hostOf(endpoint: Endpoint): string {
  let host = hosts.get(endpoint);
  if (host === undefined) {
    host = new URL(endpoint.url).host;
    hosts.set(endpoint, host);
  }
  return host;
}
