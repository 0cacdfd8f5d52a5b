// SPDX-License-Identifier: Apache-2.0

/**
 * How full is the pool? By counting what was sent and has not ended, against a limit per endpoint that somebody knows.
 * Choose it when every request comes through here and `max_num_seqs` of the servers is known, or how many tokens their KV
 * caches hold; it needs no metrics and reacts in the very turn in which something is sent or ends.
 *
 * Bound: no endpoint ever holds more than `maxConcurrency` sequences from here where `requests` are counted, more than
 * `maxTokenConcurrency` tokens as estimated where `tokens` are, nor more than either where it is `hybrid`; one request that is
 * larger than that has an endpoint to itself. An endpoint's use is its share of the limit, the larger of both shares in
 * `hybrid`. As a filter it keeps the endpoints below those limits, raised by `headroom`.
 */

import type { Endpoint } from '../../endpoints/endpoint.ts';
import type { SaturationDetector, Tracked } from '../../flow-control/policies.ts';
import type { ParametersOf } from '../../plugin-registry/parameters.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';
import type { Filter } from '../../scheduling/contracts.ts';
import { checkLoadProducer, inFlightLoadProducerName } from '../producers/load-producer-name.ts';
import { PoolUse } from './pool-use.ts';

const parameters = {
  maxConcurrency: { type: 'integer', default: 100, min: 1, doc: 'Sequences in flight at one endpoint at most.' },
  headroom: {
    type: 'number',
    default: 0,
    min: 0,
    doc: 'Share by which the limits are raised when it is used as a filter; the saturation does not change.',
  },
  concurrencyMode: {
    type: 'string',
    default: 'requests',
    choices: ['requests', 'tokens', 'hybrid'],
    doc: 'What is counted: `requests` (their sequences), `tokens` (as estimated at dispatch), or both, whichever is nearer to its limit.',
  },
  maxTokenConcurrency: {
    type: 'integer',
    default: 1_000_000,
    min: 1,
    doc: 'Tokens in flight at one endpoint at most; without effect while only `requests` are counted.',
  },
  inFlightLoadProducerName,
} as const;

class ConcurrencyDetector implements SaturationDetector<undefined>, Filter {
  readonly type: string;
  readonly name: string;
  readonly #mode: string;
  readonly #headroom: number;
  /** Infinity where it is not counted. */
  readonly #sequenceLimit: number;
  readonly #tokenLimit: number;

  constructor(context: { type: string; name: string; parameters: ParametersOf<typeof parameters> }) {
    const { maxConcurrency, maxTokenConcurrency, headroom, concurrencyMode } = context.parameters;
    this.type = context.type;
    this.name = context.name;
    this.#mode = concurrencyMode;
    this.#headroom = headroom;
    this.#sequenceLimit = concurrencyMode === 'tokens' ? Infinity : maxConcurrency;
    this.#tokenLimit = concurrencyMode === 'requests' ? Infinity : maxTokenConcurrency;
    // Who asks whether tokens are limited at all is told by whether there is such a method.
    if (concurrencyMode !== 'requests') this.tokenLimit = () => maxTokenConcurrency;
  }

  readonly tokenLimit?: () => number;

  newEndpointState(): undefined {
    return undefined;
  }

  saturation(endpoints: readonly Tracked<undefined>[]): number {
    const use = new PoolUse();
    for (const { endpoint } of endpoints) {
      if (this.#mode === 'requests') use.add(endpoint.inFlight, this.#sequenceLimit);
      else if (this.#mode === 'tokens') use.add(endpoint.tokensInFlight, this.#tokenLimit);
      else use.add(this.#use(endpoint), 1);
    }
    return use.saturation;
  }

  limit(): number {
    return this.#sequenceLimit;
  }

  room({ endpoint }: Tracked<undefined>): number {
    return this.#sequenceLimit - endpoint.inFlight;
  }

  filter(_request: unknown, endpoints: readonly Endpoint[]): readonly Endpoint[] {
    const sequences = Math.trunc(this.#sequenceLimit * (1 + this.#headroom));
    const tokens = Math.trunc(this.#tokenLimit * (1 + this.#headroom));
    return endpoints.filter(({ inFlight, tokensInFlight }) => inFlight < sequences && tokensInFlight < tokens);
  }

  #use(endpoint: Endpoint): number {
    return Math.max(endpoint.inFlight / this.#sequenceLimit, endpoint.tokensInFlight / this.#tokenLimit);
  }
}

export const concurrencyDetector = definePlugin({
  type: 'concurrency-detector',
  kinds: ['saturation', 'filter'],
  stability: 'beta',
  summary: 'Measures saturation as sequences or tokens in flight over a configured limit per endpoint.',
  parameters,
  create: (context) => {
    checkLoadProducer(context.parameters.inFlightLoadProducerName, context.handle);
    return new ConcurrencyDetector(context);
  },
});
