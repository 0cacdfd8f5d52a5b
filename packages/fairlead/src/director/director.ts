// SPDX-License-Identifier: Apache-2.0

/**
 * The director: a request's way through the house, told once for every front door.
 *
 *     identify   who is asking: tenant, priority, weight, cap        (`identify`)
 *     admit      which pool serves the model; is there room to wait  (`direct`)
 *     wait       band → fairness → ordering                          (the lane's flow controller)
 *     dispatch   an endpoint and a permit, in one turn               (the lane's placement)
 *     forward    the permit is held until the last byte              (`Journey`)
 *     report     one event stream, one report for each request       (observers)
 *
 * Front doors translate between their protocol and this; nothing here knows HTTP messages or sockets.
 */

import { involvedPlugins } from '@fairlead/core';
import type { Clock, FlowEvent, InferenceRequest, Pool, PromptWish, Random } from '@fairlead/core';
import type { Reconfigurable, Swap } from '../config/reconfigurable.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import type { Identify } from '../tenancy/identify.ts';
import { Journey } from './journey.ts';
import type { JourneyContext } from './journey.ts';
import { Lanes } from './lanes.ts';
import { ModelRewrites } from './model-rewrites.ts';
import type { RewrittenModel } from './model-rewrites.ts';
import type { Lane } from './lanes.ts';
import type { PoolView } from './pool-view.ts';
import type { Answer, Arrival, FleetPort, ServedModel, UpstreamPort } from './ports.ts';
import { missingModel, modelsNotKnown, unknownModel } from './problem.ts';
import type { Problem } from './problem.ts';
import type { RequestReport } from './request-report.ts';

/** Told of everything that happens: metrics, log and traces are made of this. */
export interface DirectorObserver {
  flowEvent(pool: string, event: FlowEvent): void;
  finished(report: RequestReport): void;
}

export interface DirectorOptions {
  readonly config: ResolvedConfig;
  readonly fleet: FleetPort;
  readonly upstream: UpstreamPort;
  readonly identify: Identify;
  readonly clock: Clock;
  readonly observer?: DirectorObserver | undefined;
  /** Draws among the targets of a rewritten model; the process's own by default. */
  readonly random?: Random | undefined;
}

export class Director implements Reconfigurable {
  readonly #fleet: FleetPort;
  readonly #lanes: Lanes;
  readonly #clock: Clock;
  readonly #observer: DirectorObserver | undefined;
  readonly #context: JourneyContext;
  readonly #random: Random;
  #rewrites: ModelRewrites;
  /** The headers, lower-case names, that plugins want to see of a request. */
  requestHeaders: readonly string[];
  /** Who is asking. */
  readonly identify: Identify;

  constructor(options: DirectorOptions) {
    const { config, fleet, clock, observer } = options;
    this.#fleet = fleet;
    this.#clock = clock;
    this.#observer = observer;
    this.identify = options.identify;
    this.requestHeaders = requestHeadersOf(config);
    this.#random = options.random ?? Math.random;
    this.#rewrites = new ModelRewrites(config.modelRewrites ?? [], this.#random);
    this.#lanes = new Lanes({
      config,
      clock,
      scrapeSoon: (endpoint) => {
        fleet.scrapeSoon(endpoint);
      },
      observer: observer && ((pool, event) => observer.flowEvent(pool, event)),
    });
    this.#context = {
      upstream: options.upstream,
      health: fleet.health,
      firstByteTimeoutMs: config.gateway.firstByteTimeoutMs,
      idleTimeoutMs: config.gateway.upstreamIdleTimeoutMs,
      nowMs: () => clock.now(),
    };
    for (const pool of fleet.pools) this.#lanes.add(pool);
    fleet.onPools((added, removed) => {
      for (const pool of removed) this.#lanes.remove(pool);
      for (const pool of added) this.#lanes.add(pool);
    });
    fleet.onRead((endpoint) => this.#lanes.metricsRead(endpoint));
  }

  prepare(config: ResolvedConfig): Swap {
    const lanes = this.#lanes.prepare(config);
    return {
      swap: () => {
        lanes.swap();
        this.requestHeaders = requestHeadersOf(config);
        this.#rewrites = new ModelRewrites(config.modelRewrites ?? [], this.#random);
        this.#context.firstByteTimeoutMs = config.gateway.firstByteTimeoutMs;
        this.#context.idleTimeoutMs = config.gateway.upstreamIdleTimeoutMs;
      },
    };
  }

  /** Milliseconds on the clock that `Arrival.receivedMs` is read from. */
  nowMs(): number {
    return this.#clock.now();
  }

  /**
   * How the prompt of a request for this model is to be hashed before it is directed; undefined when nobody would use
   * it, as where there is no choice of endpoints.
   */
  promptWish(model: string | undefined): PromptWish | undefined {
    const lane = this.#laneFor(model);
    if (lane === undefined || lane.pool.endpoints.length < 2) return undefined;
    return lane.scheduler.promptWish(lane.pool.endpoints);
  }

  /**
   * Takes a request in: finds the pool of its model and lets it wait for its turn there. The answer is told everything
   * that follows, possibly before this returns; the journey is undefined when there is none to cancel.
   */
  direct(arrival: Arrival, answer: Answer): Journey | undefined {
    const model = arrival.rewritten?.target ?? arrival.model;
    const lane = this.#laneFor(model);
    if (lane === undefined) {
      answer.fail(this.#notServed(model), 0);
      return undefined;
    }
    const request = requestOf(arrival, model ?? someModelOf(lane.pool));
    return new Journey(this.#context, { arrival, request, lane, answer }).start();
  }

  /** What a request that names this model is to be sent to instead; `header` is what a trusted source says. */
  rewriteOf(model: string | undefined, header?: string): RewrittenModel | undefined {
    return this.#rewrites.choose(model, header);
  }

  /** Every model that may be asked for: base models and adapters, of all pools, and names that stand for one of them. */
  models(): readonly ServedModel[] {
    const served = this.#fleet.models();
    const byId = new Map(served.map((model) => [model.id, model]));
    const named = [...this.#rewrites.names()].flatMap(([id, targets]) => {
      const target = targets.map((model) => byId.get(model)).find((model) => model !== undefined);
      return target === undefined || byId.has(id) ? [] : [{ id, pool: target.pool }];
    });
    return named.length === 0 ? served : [...served, ...named];
  }

  /** Says that nothing of that name is served, and what is. */
  unknownModel(model: string): Problem {
    return unknownModel(
      model,
      this.models().map(({ id }) => id),
    );
  }

  /** A refusal of the front door's own for want of room, in the words of the flow controller. */
  noRoom(message: string): Problem {
    return {
      status: 429,
      code: 'rejected-saturated',
      message,
      dropReason: 'rejected-saturated',
      retryAfterMs: this.retryAfterMs(),
    };
  }

  /** Milliseconds, 100 to 60 000, after which to come back, by the measured drain rate. */
  retryAfterMs(): number {
    return this.#lanes.retryAfterMs();
  }

  /** The request is over: told once by the front door that received it. */
  finished(report: RequestReport): void {
    this.#observer?.finished(report);
  }

  get bypass(): boolean {
    return this.#lanes.bypass;
  }

  /** Dispatches everything as it comes, regardless of limits, while on. */
  setBypass(on: boolean): void {
    this.#lanes.setBypass(on);
  }

  /** The pools as they are now. */
  pools(): PoolView[] {
    return this.#lanes.views();
  }

  /** Refuses new requests and resolves when every accepted one has ended. */
  close(): Promise<void> {
    return this.#lanes.close();
  }

  /** Evicts whatever waits. */
  destroy(): void {
    this.#lanes.destroy();
  }

  #laneFor(model: string | undefined): Lane | undefined {
    const pool = model === undefined ? this.#onlyPool() : this.#fleet.poolFor(model);
    return pool && this.#lanes.get(pool);
  }

  #notServed(model: string | undefined): Problem {
    const served = this.models().map(({ id }) => id);
    if (!this.#fleet.modelsKnown || served.length === 0) return modelsNotKnown(served);
    return model === undefined ? missingModel(served) : unknownModel(model, served);
  }

  #onlyPool(): Pool | undefined {
    return this.#fleet.pools.length === 1 ? this.#fleet.pools[0] : undefined;
  }
}

function requestHeadersOf({ scheduling }: ResolvedConfig): readonly string[] {
  return [...new Set(involvedPlugins(scheduling).flatMap(({ requestHeaders = [] }) => requestHeaders))];
}

/** Stands in for the model of a request that names none: any that all of the pool's endpoints may serve. */
function someModelOf(pool: Pool): string {
  for (const endpoint of pool.endpoints) {
    for (const model of endpoint.baseModels) return model;
  }
  return '';
}

function requestOf(arrival: Arrival, model: string): InferenceRequest {
  const { identity } = arrival;
  return {
    id: arrival.id,
    fairnessId: identity.tenant,
    priority: identity.priority,
    flowWeight: identity.weight,
    fairnessPath: identity.path,
    cap: identity.cap,
    tokenBucket: identity.tokenBucket,
    model: arrival.rewritten === undefined ? model : (arrival.model ?? model),
    targetModel: model,
    sizeBytes: arrival.sizeBytes,
    sequences: arrival.sequences,
    streamed: arrival.streamed,
    maxOutputTokens: arrival.maxOutputTokens,
    images: arrival.images,
    receivedMs: arrival.receivedMs,
    ttlMs: arrival.ttlMs,
    deadlineMs: arrival.deadlineMs,
    ttftSloMs: arrival.ttftSloMs,
    prefix: arrival.prefix,
    headers: arrival.headers,
  };
}
