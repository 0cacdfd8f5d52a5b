// SPDX-License-Identifier: Apache-2.0

/**
 * A scenario through the code that serves: director, flow control, scheduling and every plugin of a configuration are
 * the ones of `fairlead serve`; clients, model servers and time are modelled. The same seed gives the same result.
 */

import { CostModel, InFlightCap } from '@fairlead/core';
import { seededRandom, VirtualClock } from '@fairlead/core/testing';
import type { ResolvedConfig } from '../config/resolved.ts';
import { Director } from '../director/director.ts';
import type { Identity } from '../tenancy/identify.ts';
import { startArrivals } from './arrivals.ts';
import { drawSize } from './draws.ts';
import { resultOf } from './result.ts';
import type { SimulationResult } from './result.ts';
import type { Scenario, TenantModel } from './scenario-fields.ts';
import { SimulatedFleet } from './simulated-fleet.ts';
import { SimulatedRequest } from './simulated-request.ts';
import { Tallies } from './tally.ts';

/** Virtual time between two looks at the real one. */
const SLICE_MS = 1000;
/** How often metrics are read when the configuration reads none. */
const SCRAPE_INTERVAL_MS = 1000;

export interface SimulateOptions {
  readonly scenario: Scenario;
  readonly config: ResolvedConfig;
  /** In place of the scenario's. */
  readonly seed?: number | undefined;
  /** Told now and then of the virtual time that has passed. Between two calls others have their turn. */
  readonly onProgress?: (doneMs: number) => void;
  readonly stop?: AbortSignal;
}

/** Resolves when all of the scenario has been played, or it was stopped: then with what came until then. */
export async function simulate(options: SimulateOptions): Promise<SimulationResult> {
  const { scenario, onProgress, stop } = options;
  const run = new Simulation(options);
  for (let doneMs = 0; doneMs < scenario.duration && stop?.aborted !== true; doneMs += SLICE_MS) {
    run.advance(Math.min(SLICE_MS, scenario.duration - doneMs));
    onProgress?.(Math.min(doneMs + SLICE_MS, scenario.duration));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return run.end();
}

class Simulation {
  readonly #clock = new VirtualClock();
  readonly #scenario: Scenario;
  readonly #seed: number;
  readonly #identities: ReadonlyMap<string, Identity>;
  readonly #fleet: SimulatedFleet;
  readonly #director: Director;
  readonly #requests = new Map<string, SimulatedRequest>();
  readonly #work = new WeakMap<object, SimulatedRequest>();
  readonly #tallies: Tallies;
  #count = 0;

  constructor({ scenario, config, seed }: SimulateOptions) {
    this.#scenario = scenario;
    this.#seed = seed ?? scenario.seed;
    const clock = this.#clock;
    const costs = new CostModel(config.flowControl.costs);
    this.#fleet = new SimulatedFleet({
      clock,
      random: this.#random('fleet'),
      model: scenario.fleet,
      scrapeIntervalMs: config.metricsSource?.intervalMs ?? SCRAPE_INTERVAL_MS,
      workOf: (body) => this.#work.get(body)!.plan,
      onChange: () => this.#tallies.fleet.count(clock.now()),
    });
    this.#tallies = new Tallies({
      engines: this.#fleet.engines,
      requests: this.#requests,
      costOf: ({ plan: { promptTokens, outputTokens } }) =>
        promptTokens * costs.weights.inputToken + outputTokens * costs.weights.outputToken,
    });
    this.#director = new Director({
      config,
      clock,
      fleet: this.#fleet,
      upstream: this.#fleet,
      random: this.#random('rewrites'),
      identify: () => ({ status: 401, message: 'nobody comes by the front door' }),
      observer: { flowEvent: (_pool, event) => this.#tallies.observe(event), finished: () => undefined },
    });
    this.#identities = new Map(scenario.tenants.map((tenant) => [tenant.name, identityOf(tenant, config)]));
    for (const tenant of scenario.tenants) this.#begin(tenant);
    for (const fault of scenario.faults) clock.at(fault.at, () => this.#fleet.fault(fault));
    clock.at(scenario.warmUp, () => this.#beginToCount());
  }

  advance(byMs: number): void {
    this.#clock.advance(byMs);
  }

  end(): SimulationResult {
    this.#tallies.fleet.count(this.#clock.now());
    const [view] = this.#director.pools();
    const bands = view?.snapshot.bands ?? [];
    // What is still under way had no end yet.
    this.#tallies.isCounting = false;
    this.#director.destroy();
    return resultOf({
      scenario: this.#scenario,
      seed: this.#seed,
      seconds: Math.max(0, this.#clock.now() - this.#scenario.warmUp) / 1000,
      identities: this.#identities,
      tallies: this.#tallies,
      bands,
    });
  }

  #beginToCount(): void {
    this.#tallies.fleet.count(this.#clock.now());
    this.#tallies.fleet.reset();
    this.#tallies.isCounting = true;
  }

  /** Dice of its own for each part: what one of them does differently leaves the others as they were. */
  #random(part: string): () => number {
    let seed = this.#seed;
    for (const letter of part) seed = (Math.imul(seed, 31) + letter.charCodeAt(0)) >>> 0;
    return seededRandom(seed);
  }

  #begin(tenant: TenantModel): void {
    const sizes = this.#random(`sizes of ${tenant.name}`);
    const identity = this.#identities.get(tenant.name)!;
    const context = { clock: this.#clock, random: this.#random(`arrivals of ${tenant.name}`) };
    startArrivals(tenant, context, (over) => {
      const plan = {
        id: `${(this.#count += 1)}`,
        identity,
        promptTokens: drawSize(tenant.promptTokens, sizes),
        outputTokens: drawSize(tenant.outputTokens, sizes),
        saysMaxTokens: tenant.saysMaxTokens,
        givesUpAfterMs: tenant.givesUpAfter,
      };
      const request = new SimulatedRequest(plan, this.#clock, ({ problem }) => {
        this.#requests.delete(plan.id);
        this.#tallies.over(request, tenant.ttftGoal);
        over(problem?.retryAfterMs ?? 0);
      });
      this.#requests.set(plan.id, request);
      this.#work.set(request.body, request);
      this.#tallies.asked(request);
      request.send(this.#director);
    });
  }
}

/** What the configuration says of a tenant, unless the scenario says otherwise. */
function identityOf({ name, weight, priority }: TenantModel, { identity: { keys } }: ResolvedConfig): Identity {
  const key = keys.find(({ tenant }) => tenant === name);
  return {
    tenant: name,
    weight: weight ?? key?.weight ?? 1,
    priority: priority ?? key?.priority ?? 0,
    ...(key?.maxInFlight !== undefined && { cap: new InFlightCap(key.maxInFlight) }),
    verified: true,
    trusted: false,
    address: undefined,
    viaProxy: false,
  };
}
