// SPDX-License-Identifier: Apache-2.0

/** Endpoints named in the configuration or on the command line: told once, never changed. */

import type { EndpointConfig } from '../config/resolved.ts';
import type { Discovery } from './discovery.ts';

export function staticDiscovery(endpoints: readonly EndpointConfig[]): Discovery {
  return {
    async start(listener) {
      listener.onEndpoints(endpoints);
    },
    stop() {},
  };
}
