// SPDX-License-Identifier: Apache-2.0

/** Capacity taken on one endpoint: exactly what was taken is given back, wherever the endpoint and its limits are by then. */

import type { Clock } from '../clock.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import type { Placed } from '../flow-control/placement.ts';
import type { SaturationDetector, Tracked } from '../flow-control/policies.ts';
import type { InferenceRequest } from '../request/inference-request.ts';
import type { PrefixMatch } from '../request/prompt-prefix.ts';

export class PlacedOn implements Placed {
  readonly alternatives: readonly Endpoint[];
  readonly tokens: number;
  readonly prefixMatch: PrefixMatch | undefined;
  readonly #detector: SaturationDetector;
  readonly #clock: Clock;
  readonly #tracked: Tracked;
  readonly #request: InferenceRequest;
  readonly #inFlightAtDispatch: number;

  constructor(input: {
    detector: SaturationDetector;
    clock: Clock;
    tracked: Tracked;
    alternatives: readonly Endpoint[];
    request: InferenceRequest;
    tokens: number;
    prefixMatch: PrefixMatch | undefined;
  }) {
    this.#detector = input.detector;
    this.#clock = input.clock;
    this.#tracked = input.tracked;
    this.#request = input.request;
    this.#inFlightAtDispatch = input.tracked.endpoint.inFlight;
    this.alternatives = input.alternatives;
    this.tokens = input.tokens;
    this.prefixMatch = input.prefixMatch;
  }

  get endpoint(): Endpoint {
    return this.#tracked.endpoint;
  }

  get sequences(): number {
    return this.#request.sequences;
  }

  firstToken(ttftMs: number): void {
    const sample = { ttftMs, inFlightAtDispatch: this.#inFlightAtDispatch, sizeBytes: this.#request.sizeBytes };
    this.#detector.firstToken?.(this.#tracked, sample, this.#clock.now());
  }

  release(): void {
    this.#tracked.endpoint.release(this.sequences, this.tokens);
  }
}
