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
import { INPUT_ALONE } from '../request/token-estimate.ts';
import type { PrefixMatch } from '../request/prompt-prefix.ts';
import type { TokenEstimator } from '../request/token-estimate.ts';
import { PlacedOn } from './placed-on.ts';
import { Stages } from './stages.ts';
import type { StageSaturations } from './stages.ts';
import { SlowStart } from './slow-start.ts';

/** States of endpoints that are gone, kept so that a limit once learned survives a restart of its server. */
const REMEMBERED_ENDPOINTS = 1024;

/** Sizes that a doubling of tokens is cut into: requests of one size wait for room together. */
const SIZES_PER_DOUBLING = 8;

const NO_ENDPOINTS: readonly Endpoint[] = [];

/** The choice among candidates; the scheduler fits. */
export interface EndpointChooser {
  /** Best first; empty when filters leave none. */
  schedule(request: InferenceRequest, candidates: readonly Endpoint[]): readonly Endpoint[];
  /** Told of every dispatch in its turn; what was known of the request at that endpoint. */
  dispatched?(request: InferenceRequest, endpoint: Endpoint, nowMs: number): PrefixMatch | undefined;
}

export interface PoolPlacementOptions {
  readonly pool: Pool;
  readonly detector: SaturationDetector;
  readonly chooser: EndpointChooser;
  readonly clock: Clock;
  /** How many tokens a request counts for while it is in flight; its input alone by default. */
  readonly tokens?: TokenEstimator | undefined;
  /** Asks for a reading of the endpoint's metrics sooner than usual; the detector says when it is worth one. */
  readonly scrapeSoon?: ((endpoint: Endpoint) => void) | undefined;
  /** Over so long the limit of an endpoint that comes back grows to what it was; 0, the default: at once. */
  readonly slowStartMs?: number | undefined;
}

export class PoolPlacement implements Placement {
  readonly #pool: Pool;
  #detector: SaturationDetector;
  #chooser: EndpointChooser;
  readonly #clock: Clock;
  #tokens: TokenEstimator;
  readonly #scrapeSoon: ((endpoint: Endpoint) => void) | undefined;
  readonly #states = new Map<string, unknown>();
  readonly #slowStart: SlowStart;
  #tracked: Tracked[] = [];
  #stages = new Stages([]);
  #byEndpoint = new Map<Endpoint, Tracked>();
  #reserved: { readonly request: InferenceRequest; readonly endpoint: Endpoint | undefined } | undefined;
  #listener: (() => void) | undefined;

  constructor(options: PoolPlacementOptions) {
    this.#scrapeSoon = options.scrapeSoon;
    this.#pool = options.pool;
    this.#detector = options.detector;
    this.#chooser = options.chooser;
    this.#clock = options.clock;
    this.#tokens = options.tokens ?? INPUT_ALONE;
    this.#slowStart = new SlowStart({
      durationMs: options.slowStartMs ?? 0,
      clock: options.clock,
      onStep: () => this.#listener?.(),
    });
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

  /**
   * Judges by another detector, counts and chooses otherwise from now on. The same detector keeps what it has learned;
   * permits that are out end as they were given.
   */
  reconfigure(options: Pick<PoolPlacementOptions, 'detector' | 'tokens' | 'chooser' | 'slowStartMs'>): void {
    const { detector, tokens, chooser, slowStartMs } = options;
    this.#chooser = chooser;
    this.#slowStart.setDuration(slowStartMs ?? 0);
    this.#tokens = tokens ?? INPUT_ALONE;
    if (detector !== this.#detector) {
      this.#detector = detector;
      this.#states.clear();
      this.#byEndpoint.clear();
      this.#track();
    }
    this.#listener?.();
  }

  /** To be called after a fresh reading was stored in `endpoint.metrics`. */
  metricsRead(endpoint: Endpoint): void {
    const tracked = this.#byEndpoint.get(endpoint);
    if (tracked === undefined) return;
    this.#detector.metricsRead?.(tracked, this.#clock.now());
    this.#askForReading(tracked);
    this.#listener?.();
  }

  /** The endpoint's limit in sequences, as low as a slow start keeps it; Infinity for none, undefined when it is not up. */
  limitOf(endpoint: Endpoint): number | undefined {
    const tracked = this.#byEndpoint.get(endpoint);
    if (tracked === undefined) return undefined;
    return this.#slowStart.limit(endpoint, this.#detector.limit(tracked), this.#clock.now());
  }

  saturation(nowMs: number): number {
    if (this.#tracked.length === 0) return 1;
    return this.#stages.effective(this.#detector, nowMs);
  }

  stageSaturations(nowMs: number): StageSaturations {
    return this.#stages.each((endpoints) => this.#detector.saturation(endpoints, nowMs));
  }

  hasRoom(request: InferenceRequest, nowMs: number, mode: PlacementMode): boolean {
    const question = this.#question(request, nowMs, mode);
    return this.#tracked.some((tracked) => this.#fits(tracked, question));
  }

  tryPlace(request: InferenceRequest, nowMs: number, mode: PlacementMode): Placed | Unplaced {
    let candidates: Endpoint[] | undefined;
    let last: Tracked | undefined;
    const question = this.#question(request, nowMs, mode);
    for (const tracked of this.#tracked) {
      if (!this.#fits(tracked, question)) continue;
      last = tracked;
      // Where all are busy there is one, and an array that is made for one is small.
      if (candidates === undefined) candidates = [tracked.endpoint];
      else candidates.push(tracked.endpoint);
    }
    if (candidates === undefined) return 'no-room';
    const picked = this.#chooser.schedule(request, candidates);
    const tracked = picked[0] === last?.endpoint ? last : this.#byEndpoint.get(picked[0] as Endpoint);
    if (tracked === undefined) return 'unsuited';
    return this.#take(tracked, question, picked.length === 1 ? NO_ENDPOINTS : picked.slice(1));
  }

  tryPlaceOn(
    endpoints: readonly Endpoint[],
    request: InferenceRequest,
    { nowMs, mode }: { readonly nowMs: number; readonly mode: PlacementMode },
  ): Placed | undefined {
    const question = this.#question(request, nowMs, mode);
    for (let index = 0; index < endpoints.length; index += 1) {
      const tracked = this.#byEndpoint.get(endpoints[index] as Endpoint);
      if (tracked !== undefined && this.#fits(tracked, question)) {
        return this.#take(tracked, question, endpoints.slice(index + 1));
      }
    }
    return undefined;
  }

  widthOf(request: InferenceRequest): number {
    const countsTokens = this.#detector.tokenLimit !== undefined;
    if (request.sequences === 1 && !countsTokens) return 1;
    const tokens = countsTokens ? this.#tokens.tokensOf(request) : 0;
    let sequences = 1;
    let share = 0;
    for (const tracked of this.#tracked) {
      if (!tracked.endpoint.serves(request.targetModel)) continue;
      sequences = Math.max(sequences, this.#sequencesNeeded(tracked, request));
      share = Math.max(share, this.#tokensNeeded(tracked, tokens));
    }
    return Math.max(sequences, Math.ceil(share / this.#tokensPerRequest()));
  }

  placementKey(request: InferenceRequest): string {
    const key = `${request.sequences} ${request.targetModel}`;
    if (this.#detector.tokenLimit === undefined) return key;
    return `${Math.ceil(SIZES_PER_DOUBLING * Math.log2(this.#tokens.tokensOf(request)))} ${key}`;
  }

  reserve(request: InferenceRequest, nowMs: number): void {
    const question = this.#question(request, nowMs, 'reserved');
    let best: Endpoint | undefined;
    let most = -Infinity;
    for (const tracked of this.#tracked) {
      if (!tracked.endpoint.serves(request.targetModel)) continue;
      const fit = this.#fit(tracked, question);
      if (best !== undefined && fit <= most) continue;
      best = tracked.endpoint;
      most = fit;
    }
    this.#reserved = { request, endpoint: best };
  }

  unreserve(): void {
    this.#reserved = undefined;
  }

  #question(request: InferenceRequest, nowMs: number, mode: PlacementMode): Question {
    return { request, tokens: this.#tokens.tokensOf(request), nowMs, mode };
  }

  #fits(tracked: Tracked, question: Question): boolean {
    const { request, mode } = question;
    const { endpoint } = tracked;
    if (!endpoint.serves(request.targetModel)) return false;
    if (mode === 'regardless') return true;
    if (mode === 'fair' && this.#reserved?.endpoint === endpoint) return false;
    if (this.#fit(tracked, question) < 1) return false;
    const asked = { sequences: this.#sequencesNeeded(tracked, request), full: this.#detector.limit(tracked) };
    return this.#slowStart.admits(endpoint, asked, question.nowMs);
  }

  /** How often the request would go into the room that the endpoint has, by what there is less of. */
  #fit(tracked: Tracked, { request, tokens, nowMs }: Question): number {
    const fit = this.#detector.room(tracked, nowMs) / this.#sequencesNeeded(tracked, request);
    const tokenLimit = this.#detector.tokenLimit?.(tracked) ?? Infinity;
    if (tokenLimit === Infinity) return fit;
    return Math.min(fit, (tokenLimit - tracked.endpoint.tokensInFlight) / this.#tokensNeeded(tracked, tokens));
  }

  #take(tracked: Tracked, { request, tokens, nowMs }: Question, alternatives: readonly Endpoint[]): Placed {
    tracked.endpoint.take(request.sequences, tokens);
    this.#detector.dispatched?.(tracked, nowMs);
    this.#askForReading(tracked);
    const prefixMatch = this.#chooser.dispatched?.(request, tracked.endpoint, nowMs);
    const detector = this.#detector;
    return new PlacedOn({ detector, clock: this.#clock, tracked, alternatives, request, tokens, prefixMatch });
  }

  /**
   * The room a request has to find: one larger than the whole endpoint waits until that is empty, not forever. What it
   * then takes is all that it makes the engine run, so that the limit learned from the engine's metrics sees it as ours.
   */
  #sequencesNeeded(tracked: Tracked, request: InferenceRequest): number {
    return Math.min(request.sequences, Math.max(1, Math.floor(this.#detector.limit(tracked))));
  }

  #tokensNeeded(tracked: Tracked, tokens: number): number {
    return Math.min(tokens, Math.max(1, Math.floor(this.#detector.tokenLimit?.(tracked) ?? Infinity)));
  }

  /** The mean of what is in flight. */
  #tokensPerRequest(): number {
    let tokens = 0;
    let requests = 0;
    for (const { endpoint } of this.#tracked) {
      tokens += endpoint.tokensInFlight;
      requests += endpoint.requestsInFlight;
    }
    return tokens > 0 ? tokens / requests : 1;
  }

  #askForReading(tracked: Tracked): void {
    if (this.#scrapeSoon !== undefined && this.#detector.wantsReading?.(tracked) === true)
      this.#scrapeSoon(tracked.endpoint);
  }

  #track(): void {
    const before = this.#byEndpoint;
    this.#byEndpoint = new Map();
    this.#tracked = this.#pool.available.map((endpoint) => {
      const tracked = before.get(endpoint) ?? this.#arrived(endpoint);
      this.#byEndpoint.set(endpoint, tracked);
      return tracked;
    });
    this.#stages = new Stages(this.#tracked);
    for (const endpoint of before.keys()) if (!this.#byEndpoint.has(endpoint)) this.#slowStart.end(endpoint);
    if (this.#reserved !== undefined) this.reserve(this.#reserved.request, this.#clock.now());
  }

  /** One that was here before is back; one that never was has nothing to recover from. */
  #arrived(endpoint: Endpoint): Tracked {
    const isBack = this.#states.has(endpoint.url);
    const tracked = { endpoint, state: this.#recall(endpoint) };
    if (isBack) this.#slowStart.begin(endpoint);
    // It may have told its metrics before it told its models: until the next reading that is better than nothing.
    else if (endpoint.metrics !== undefined) this.#detector.metricsRead?.(tracked, this.#clock.now());
    return tracked;
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
  readonly tokens: number;
  readonly nowMs: number;
  readonly mode: PlacementMode;
}
