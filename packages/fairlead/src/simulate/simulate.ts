// SPDX-License-Identifier: Apache-2.0

/**
 * A scenario through the code that serves: director, flow control, scheduling and every plugin of a configuration are
 * the ones of `fairlead serve`; clients, model servers and time are modelled. The same seed gives the same result.
 */

import { CostModel } from '@fairlead/core';
import type { BandTemplate, FlowControlConfig } from '@fairlead/core';
import { drawSize, seededRandom, startArrivals, VirtualClock } from '@fairlead/core/testing';
import type { Arrivals, Sizes } from '@fairlead/core/testing';
import type { ResolvedConfig } from '../config/resolved.ts';
import { Director } from '../director/director.ts';
import type { Identity } from '../tenancy/identity.ts';
import { TenantMemory } from '../tenancy/tenant-memory.ts';
import { resultOf } from './result.ts';
import type { SimulationResult } from './result.ts';
import type { TenantModel } from './scenario-fields.ts';
import { simulatedIdentities } from './simulated-identities.ts';
import { SimulatedFleet } from './simulated-fleet.ts';
import { SimulatedRequest } from './simulated-request.ts';
import type { RequestPlan } from './simulated-request.ts';
import { Tallies } from './tally.ts';
import type { Timeline } from './timeline.ts';
import type { TraceRequest } from './trace.ts';
import type { Workload } from './workload.ts';

/** Virtual time between two looks at the real one. */
const SLICE_MS = 1000;
/** How often metrics are read when the configuration reads none. */
const SCRAPE_INTERVAL_MS = 1000;

export interface SimulateOptions {
  readonly workload: Workload;
  readonly config: ResolvedConfig;
  /** In place of the scenario's. */
  readonly seed?: number | undefined;
  /** Told now and then of the virtual time that has passed. Between two calls others have their turn. */
  readonly onProgress?: (doneMs: number) => void;
  /** To be filled in. */
  readonly timeline?: Timeline | undefined;
  readonly stop?: AbortSignal;
}

/** Resolves when all of the scenario has been played, or it was stopped: then with what came until then. */
export async function simulate(options: SimulateOptions): Promise<SimulationResult> {
  const { onProgress, stop } = options;
  const { duration } = options.workload;
  const run = new Simulation(options);
  for (let doneMs = 0; doneMs < duration && stop?.aborted !== true; doneMs += SLICE_MS) {
    run.advance(Math.min(SLICE_MS, duration - doneMs));
    run.show(options.timeline);
    onProgress?.(Math.min(doneMs + SLICE_MS, duration));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return run.end();
}

/** What is asked for. */
interface Asked extends Pick<RequestPlan, 'promptTokens' | 'outputTokens'> {
  readonly traceBlocks?: readonly number[] | undefined;
}

class Simulation {
  readonly #clock = new VirtualClock();
  readonly #workload: Workload;
  readonly #seed: number;
  readonly #identities: ReadonlyMap<string, Identity>;
  readonly #fleet: SimulatedFleet;
  readonly #director: Director;
  readonly #requests = new Map<string, SimulatedRequest>();
  readonly #work = new WeakMap<object, SimulatedRequest>();
  readonly #tallies: Tallies;
  readonly #flowControl: FlowControlConfig;
  readonly #sharedIds: ReadonlyMap<string, number>;
  #count = 0;

  constructor({ workload, config, seed }: SimulateOptions) {
    this.#workload = workload;
    this.#seed = seed ?? workload.seed;
    const clock = this.#clock;
    const costs = new CostModel(config.flowControl.costs);
    this.#fleet = new SimulatedFleet({
      clock,
      random: this.#random('fleet'),
      probeRandom: this.#random('probes'),
      model: workload.fleet,
      outlierDetection: config.outlierDetection,
      scrapeIntervalMs: config.metricsSource?.intervalMs ?? SCRAPE_INTERVAL_MS,
      workOf: (body) => this.#work.get(body)!,
      onChange: () => this.#tallies.fleet.count(clock.now()),
    });
    this.#tallies = new Tallies({
      engines: this.#fleet.engines,
      requests: this.#requests,
      costOf: ({ plan, cachedTokens, events }, what) => {
        const { inputToken, cachedInputToken, outputToken } = costs.weights;
        const [cached, output] = what === 'whole' ? [0, plan.outputTokens] : [cachedTokens, events];
        return (plan.promptTokens - cached) * inputToken + cached * cachedInputToken + output * outputToken;
      },
    });
    this.#identities = simulatedIdentities(workload.tenants, config.identity, new TenantMemory(() => clock.now()));
    // A scenario may name priorities as keys and objectives do.
    const priorities = [...this.#identities.values()].map(({ priority }) => priority);
    const knownPriorities = [...new Set([...config.flowControl.knownPriorities, ...priorities])];
    this.#director = new Director({
      config: { ...config, flowControl: { ...config.flowControl, knownPriorities } },
      clock,
      fleet: this.#fleet,
      upstream: this.#fleet,
      random: this.#random('rewrites'),
      identify: () => ({ status: 401, message: 'nobody comes by the front door' }),
      observer: { flowEvent: (_pool, event) => this.#tallies.observe(event), finished: () => undefined },
    });
    this.#flowControl = config.flowControl;
    this.#sharedIds = new Map(workload.tenants.map(({ name }, index) => [name, index]));
    // Before whatever else is due at that moment.
    clock.at(workload.warmUp, () => this.#beginToCount());
    for (const tenant of workload.tenants) this.#begin(tenant);
    this.#follow(workload.trace);
    for (const fault of workload.faults) clock.at(fault.at, () => this.#fleet.fault(fault));
  }

  advance(byMs: number): void {
    this.#clock.advance(byMs);
  }

  /** Lets a timeline see what has been counted. */
  show(timeline: Timeline | undefined): void {
    const tenants = [...this.#identities].map(([name, { priority }]) => ({ name, priority }));
    timeline?.look(this.#tallies, tenants, this.#clock.now());
  }

  end(): SimulationResult {
    this.#tallies.fleet.count(this.#clock.now());
    const [view] = this.#director.pools();
    const bands = view?.snapshot.bands ?? [];
    // What is still under way had no end yet.
    this.#tallies.isCounting = false;
    this.#director.destroy();
    return resultOf({
      scenario: this.#workload,
      seed: this.#seed,
      seconds: Math.max(0, this.#clock.now() - this.#workload.warmUp) / 1000,
      identities: this.#identities,
      bandSelection: this.#flowControl.bandSelection,
      fairnessOf: (priority) => bandOf(this.#flowControl, priority).fairness,
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
    const context = { clock: this.#clock, random: this.#random(`arrivals of ${tenant.name}`) };
    // What is checked against the choices is one of them.
    const [prompts, answers] = [tenant.promptTokens as Sizes, tenant.outputTokens as Sizes];
    startArrivals(tenant.arrivals as Arrivals, context, (over) => {
      const promptTokens = drawSize(prompts, sizes);
      this.#ask(tenant, { promptTokens, outputTokens: drawSize(answers, sizes) }, over);
    });
  }

  /** One alarm for all of the trace. */
  #follow(trace: readonly TraceRequest[]): void {
    const tenants = new Map(this.#workload.tenants.map((tenant) => [tenant.name, tenant]));
    const play = (index: number): void => {
      const request = trace[index];
      if (request === undefined) return;
      this.#clock.at(request.atMs, () => {
        this.#ask(tenants.get(request.tenant)!, request, () => undefined);
        play(index + 1);
      });
    };
    play(0);
  }

  #ask(
    tenant: TenantModel,
    { promptTokens, outputTokens, traceBlocks }: Asked,
    over: (againInMs: number) => void,
  ): void {
    const identity = this.#identities.get(tenant.name)!;
    const { saysMaxTokens, givesUpAfter: givesUpAfterMs } = tenant;
    const number = (this.#count += 1);
    const id = `${number}`;
    const contents = {
      sharedId: this.#sharedIds.get(tenant.name)!,
      sharedTokens: tenant.sharedPromptTokens,
      ownId: this.#workload.tenants.length + number,
      traceBlocks,
    };
    const plan = { id, identity, promptTokens, outputTokens, contents, saysMaxTokens, givesUpAfterMs };
    const request = new SimulatedRequest(plan, this.#clock, ({ problem }) => {
      this.#requests.delete(id);
      this.#tallies.over(request, tenant.ttftGoal);
      over(problem?.retryAfterMs ?? 0);
    });
    this.#requests.set(id, request);
    this.#work.set(request.body, request);
    this.#tallies.asked(request);
    request.send(this.#director);
  }
}

/** What a band of that priority is made of. */
function bandOf({ bands, defaultBand, defaultNegativeBand }: FlowControlConfig, priority: number): BandTemplate {
  return bands.find((band) => band.priority === priority) ?? (priority < 0 ? defaultNegativeBand : defaultBand);
}
