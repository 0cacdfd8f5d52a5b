// SPDX-License-Identifier: Apache-2.0

/**
 * Where a request goes: the endpoints of one pool, seen through the saturation detector (who has room) and the scheduler
 * (who of those is best). An endpoint at its own limit is never a candidate, so that it is never chosen while another
 * has room, and the choice and the taking of its capacity are one synchronous step.
 */

import type { Clock } from '../clock.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import type { Pool } from '../endpoints/pool.ts';
import type { Placed, Placement, PlacementMode, Unplaced } from '../flow-control/placement.ts';
import type { SaturationDetector, Tracked } from '../flow-control/policies.ts';
import type { InferenceRequest } from '../request/inference-request.ts';

/** States of endpoints that are gone, kept so that a limit once learned survives a restart of its server. */
const REMEMBERED_ENDPOINTS = 1024;

/** The choice among candidates; the scheduler fits. */
export interface EndpointChooser {
  /** Best first; empty when filters leave none. */
  schedule(request: InferenceRequest, candidates: readonly Endpoint[]): readonly Endpoint[];
}

export interface PoolPlacementOptions {
  readonly pool: Pool;
  readonly detector: SaturationDetector;
  readonly chooser: EndpointChooser;
  readonly clock: Clock;
  /** Asks for a reading of the endpoint's metrics sooner than usual; the detector says when it is worth one. */
  readonly scrapeSoon?: ((endpoint: Endpoint) => void) | undefined;
}

export class PoolPlacement implements Placement {
  readonly #pool: Pool;
  readonly #detector: SaturationDetector;
  readonly #chooser: EndpointChooser;
  readonly #clock: Clock;
  readonly #scrapeSoon: ((endpoint: Endpoint) => void) | undefined;
  readonly #states = new Map<string, unknown>();
  #tracked: Tracked[] = [];
  #byEndpoint = new Map<Endpoint, Tracked>();
  #reserved: { readonly request: InferenceRequest; readonly endpoint: Endpoint | undefined } | undefined;
  #listener: (() => void) | undefined;

  constructor(options: PoolPlacementOptions) {
    this.#scrapeSoon = options.scrapeSoon;
    this.#pool = options.pool;
    this.#detector = options.detector;
    this.#chooser = options.chooser;
    this.#clock = options.clock;
    this.#track();
    this.#pool.onChange(() => {
      this.#track();
      this.#listener?.();
    });
  }

  get hasEndpoints(): boolean {
    return this.#tracked.length > 0;
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  /** To be called after a fresh reading was stored in `endpoint.metrics`. */
  metricsRead(endpoint: Endpoint): void {
    const tracked = this.#byEndpoint.get(endpoint);
    if (tracked === undefined) return;
    this.#detector.metricsRead?.(tracked, this.#clock.now());
    this.#askForReading(tracked);
    this.#listener?.();
  }

  /** The endpoint's limit in sequences as the detector sees it; Infinity for none, undefined when it is not up. */
  limitOf(endpoint: Endpoint): number | undefined {
    const tracked = this.#byEndpoint.get(endpoint);
    return tracked === undefined ? undefined : this.#detector.limit(tracked);
  }

  saturation(nowMs: number): number {
    return this.#tracked.length === 0 ? 1 : this.#detector.saturation(this.#tracked, nowMs);
  }

  hasRoom(request: InferenceRequest, nowMs: number, mode: PlacementMode): boolean {
    return this.#tracked.some((tracked) => this.#fits(tracked, { request, nowMs, mode }));
  }

  tryPlace(request: InferenceRequest, nowMs: number, mode: PlacementMode): Placed | Unplaced {
    const candidates: Endpoint[] = [];
    const question = { request, nowMs, mode };
    for (const tracked of this.#tracked) {
      if (this.#fits(tracked, question)) candidates.push(tracked.endpoint);
    }
    if (candidates.length === 0) return 'no-room';
    const [endpoint, ...alternatives] = this.#chooser.schedule(request, candidates);
    const tracked = endpoint === undefined ? undefined : this.#byEndpoint.get(endpoint);
    if (tracked === undefined) return 'unsuited';
    tracked.endpoint.take(request.sequences);
    this.#detector.dispatched?.(tracked, nowMs);
    this.#askForReading(tracked);
    return new PlacedOn({ detector: this.#detector, clock: this.#clock, tracked, alternatives, request });
  }

  widthOf(request: InferenceRequest): number {
    let width = 1;
    for (const tracked of this.#tracked) {
      if (tracked.endpoint.serves(request.targetModel)) width = Math.max(width, this.#roomNeeded(tracked, request));
    }
    return width;
  }

  placementKey(request: InferenceRequest): string {
    return `${request.sequences} ${request.targetModel}`;
  }

  reserve(request: InferenceRequest, nowMs: number): void {
    let best: Tracked | undefined;
    for (const tracked of this.#tracked) {
      if (!tracked.endpoint.serves(request.targetModel)) continue;
      if (best === undefined || this.#detector.room(tracked, nowMs) > this.#detector.room(best, nowMs)) best = tracked;
    }
    this.#reserved = { request, endpoint: best?.endpoint };
  }

  unreserve(): void {
    this.#reserved = undefined;
  }

  #fits(tracked: Tracked, { request, nowMs, mode }: Question): boolean {
    const { endpoint } = tracked;
    if (!endpoint.serves(request.targetModel)) return false;
    if (mode === 'regardless') return true;
    if (mode === 'fair' && this.#reserved?.endpoint === endpoint) return false;
    return this.#detector.room(tracked, nowMs) >= this.#roomNeeded(tracked, request);
  }

  /**
   * The room a request has to find: one larger than the whole endpoint waits until that is empty, not forever. What it
   * then takes is all that it makes the engine run, so that the limit learned from the engine's metrics sees it as ours.
   */
  #roomNeeded(tracked: Tracked, request: InferenceRequest): number {
    return Math.min(request.sequences, Math.max(1, Math.floor(this.#detector.limit(tracked))));
  }

  #askForReading(tracked: Tracked): void {
    if (this.#scrapeSoon !== undefined && this.#detector.wantsReading?.(tracked) === true)
      this.#scrapeSoon(tracked.endpoint);
  }

  #track(): void {
    const before = this.#byEndpoint;
    this.#byEndpoint = new Map();
    this.#tracked = this.#pool.available.map((endpoint) => {
      const tracked = before.get(endpoint) ?? { endpoint, state: this.#recall(endpoint) };
      this.#byEndpoint.set(endpoint, tracked);
      return tracked;
    });
    if (this.#reserved !== undefined) this.reserve(this.#reserved.request, this.#clock.now());
  }

  #recall(endpoint: Endpoint): unknown {
    const known = this.#states.get(endpoint.url);
    if (known !== undefined) return known;
    const state = this.#detector.newEndpointState();
    this.#states.set(endpoint.url, state);
    if (this.#states.size > REMEMBERED_ENDPOINTS) this.#forgetOne();
    return state;
  }

  #forgetOne(): void {
    const present = new Set(this.#pool.endpoints.map((endpoint) => endpoint.url));
    for (const url of this.#states.keys()) {
      if (present.has(url)) continue;
      this.#states.delete(url);
      return;
    }
  }
}

/** Whether an endpoint has room: for what, when, and against which limits. */
interface Question {
  readonly request: InferenceRequest;
  readonly nowMs: number;
  readonly mode: PlacementMode;
}

class PlacedOn implements Placed {
  readonly alternatives: readonly Endpoint[];
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
  }) {
    this.#detector = input.detector;
    this.#clock = input.clock;
    this.#tracked = input.tracked;
    this.#request = input.request;
    this.#inFlightAtDispatch = input.tracked.endpoint.inFlight;
    this.alternatives = input.alternatives;
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
    this.#tracked.endpoint.release(this.sequences);
  }
}
