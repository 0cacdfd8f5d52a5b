// SPDX-License-Identifier: Apache-2.0

/**
 * How full is the pool? By counting what was sent and has not ended, against a limit per endpoint that somebody knows.
 * Choose it when every request comes through here and `max_num_seqs` of the servers is known; it needs no metrics and
 * reacts in the very turn in which something is sent or ends.
 *
 * Bound: no endpoint ever holds more than `maxConcurrency` sequences from here (one request of more sequences than that
 * has an endpoint to itself). As a filter it keeps the endpoints below that limit, raised by `headroom`.
 */

import type { Endpoint } from '../../endpoints/endpoint.ts';
import type { SaturationDetector, Tracked } from '../../flow-control/policies.ts';
import type { ParametersOf } from '../../plugin-registry/parameters.ts';
import { definePlugin, PluginError } from '../../plugin-registry/plugin.ts';
import type { Filter } from '../../scheduling/contracts.ts';
import { PoolUse } from './pool-use.ts';

const parameters = {
  maxConcurrency: { type: 'integer', default: 100, min: 1, doc: 'Sequences in flight at one endpoint at most.' },
  headroom: {
    type: 'number',
    default: 0,
    min: 0,
    doc: 'Share by which the limit is raised when it is used as a filter; the saturation does not change.',
  },
  concurrencyMode: {
    type: 'string',
    default: 'requests',
    choices: ['requests', 'tokens', 'hybrid'],
    doc: 'What is counted; this version counts `requests` (their sequences) and refuses the others.',
  },
  maxTokenConcurrency: {
    type: 'integer',
    default: 1_000_000,
    min: 1,
    doc: 'Tokens in flight at one endpoint at most; without effect while `requests` are counted.',
  },
  inFlightLoadProducerName: {
    type: 'plugin-ref',
    kind: 'producer',
    doc: 'Accepted for configurations of the reference; what is in flight is always known here.',
  },
} as const;

class ConcurrencyDetector implements SaturationDetector<undefined>, Filter {
  readonly type: string;
  readonly name: string;
  readonly #limit: number;
  readonly #filterLimit: number;

  constructor(context: { type: string; name: string; parameters: ParametersOf<typeof parameters> }) {
    const { maxConcurrency, headroom, concurrencyMode } = context.parameters;
    if (concurrencyMode !== 'requests') {
      throw new PluginError(`concurrencyMode "${concurrencyMode}" is not in this version; allowed: "requests"`);
    }
    this.type = context.type;
    this.name = context.name;
    this.#limit = maxConcurrency;
    this.#filterLimit = Math.trunc(maxConcurrency * (1 + headroom));
  }

  newEndpointState(): undefined {
    return undefined;
  }

  saturation(endpoints: readonly Tracked<undefined>[]): number {
    const use = new PoolUse();
    for (const { endpoint } of endpoints) use.add(endpoint.inFlight, this.#limit);
    return use.saturation;
  }

  limit(): number {
    return this.#limit;
  }

  room({ endpoint }: Tracked<undefined>): number {
    return this.#limit - endpoint.inFlight;
  }

  filter(_request: unknown, endpoints: readonly Endpoint[]): readonly Endpoint[] {
    return endpoints.filter((endpoint) => endpoint.inFlight < this.#filterLimit);
  }
}

export const concurrencyDetector = definePlugin({
  type: 'concurrency-detector',
  kinds: ['saturation', 'filter'],
  stability: 'beta',
  summary: 'Measures saturation as sequences in flight over a configured limit per endpoint.',
  parameters,
  create: (context) => new ConcurrencyDetector(context),
});
