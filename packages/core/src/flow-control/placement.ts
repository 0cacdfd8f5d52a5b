// SPDX-License-Identifier: Apache-2.0

/**
 * What flow control needs to know of the servers: how full they are, and whether a request can go now. It decides when
 * and who, the placement decides where; both in one turn, so that the next question already sees the capacity taken.
 */

import type { Endpoint } from '../endpoints/endpoint.ts';
import type { InferenceRequest, Usage } from '../request/inference-request.ts';
import type { Ending } from '../request/permit.ts';
import type { PrefixMatch } from '../request/prompt-prefix.ts';

/** Capacity taken for one request. */
export interface Placed {
  readonly endpoint: Endpoint;
  readonly alternatives: readonly Endpoint[];
  /** Sequences taken. */
  readonly sequences: number;
  /** Tokens taken, as estimated. */
  readonly tokens: number;
  /** What the endpoint should have had of the request's prompt, when somebody knows. */
  readonly prefixMatch?: PrefixMatch | undefined;
  firstToken(ttftMs: number): void;
  /** Gives the capacity back; called once. */
  release(ending: Ending, usage?: Usage): void;
}

/**
 * Why nothing was taken. `no-room`: no endpoint that serves the model has room, which is so for every request with the
 * same placement key. `unsuited`: there was room, and filters left none of it to this very request.
 */
export type Unplaced = 'no-room' | 'unsuited';

/**
 * What may be taken: `fair` leaves a reserved endpoint alone, `reserved` does not, `regardless` asks no limit at all.
 */
export type PlacementMode = 'fair' | 'reserved' | 'regardless';

export interface Placement {
  /** False while the pool has no endpoint that is up. */
  readonly hasEndpoints: boolean;
  /** Used ÷ available; 1 when there are no endpoints. */
  saturation(nowMs: number): number;
  /** How full each stage is, where endpoints have roles; undefined for a stage without endpoints. */
  stageSaturations(nowMs: number): { readonly prefill: number | undefined; readonly decode: number | undefined };
  /** Chooses an endpoint with room and takes the capacity, or says why there is none for this request. */
  tryPlace(request: InferenceRequest, nowMs: number, mode: PlacementMode): Placed | Unplaced;
  /** Takes capacity on the first of these endpoints that has room; undefined when none has. Filters are not asked. */
  tryPlaceOn(
    endpoints: readonly Endpoint[],
    request: InferenceRequest,
    options: { readonly nowMs: number; readonly mode: PlacementMode },
  ): Placed | undefined;
  /** Whether `tryPlace` would find room; filters are not asked. */
  hasRoom(request: InferenceRequest, nowMs: number, mode: PlacementMode): boolean;
  /**
   * How many ordinary requests the request displaces: the sequences it takes, never more than a whole endpoint has, or,
   * where tokens are limited, as many as hold that many tokens on average.
   */
  widthOf(request: InferenceRequest): number;
  /** Requests with equal keys find room at the same times; where tokens are limited, nearly: within a tenth of their size. */
  placementKey(request: InferenceRequest): string;
  /** Keeps the endpoint that is nearest to having room for the request from those who place `fair`ly. */
  reserve(request: InferenceRequest, nowMs: number): void;
  unreserve(): void;
  /** The listener is called when something other than a release may have made room: metrics, membership, health, limits. */
  onChange(listener: () => void): void;
}
