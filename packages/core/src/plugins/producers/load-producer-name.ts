// SPDX-License-Identifier: Apache-2.0

/** The parameter that all plugins share which go by what is in flight. */

import { PluginError } from '../../plugin-registry/plugin.ts';
import type { PluginLookup } from '../../plugin-registry/plugin.ts';

const LOAD_PRODUCER = 'inflight-load-producer';

export const inFlightLoadProducerName = {
  type: 'plugin-ref',
  kind: 'producer',
  doc: 'The `inflight-load-producer` that says how many tokens a request counts for; there is one account for all who go by it.',
  defaultDoc: 'the one that is configured',
} as const;

/** @throws PluginError when the name is that of a producer of something else. */
export function checkLoadProducer(name: string | undefined, handle: PluginLookup): void {
  if (name === undefined) return;
  const { type } = handle.get(name, 'producer');
  if (type === LOAD_PRODUCER) return;
  throw new PluginError(
    `inFlightLoadProducerName "${name}" is a plugin of type ${type}; allowed: one of type ${LOAD_PRODUCER}`,
  );
}
