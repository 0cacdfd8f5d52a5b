// SPDX-License-Identifier: Apache-2.0

/**
 * A flow controller with everything around it that a test needs: a virtual clock, a pool of endpoints, built-in
 * policies, and a record of every event. What is not named has the defaults of the product.
 */

import { Endpoint } from '../endpoints/endpoint.ts';
import { Pool } from '../endpoints/pool.ts';
import type { BandTemplate, FlowControlConfig } from '../flow-control/config.ts';
import type { FlowEvent } from '../flow-control/events.ts';
import { FlowController } from '../flow-control/flow-controller.ts';
import { checkInvariants } from '../flow-control/invariants.ts';
import type { SaturationDetector } from '../flow-control/policies.ts';
import type { OnSettled, Settled, WaitingHandle } from '../flow-control/settled.ts';
import { strictBandSelectionPolicy } from '../plugins/band-selection/strict-band-selection-policy.ts';
import { roundRobinFairnessPolicy } from '../plugins/fairness/round-robin-fairness-policy.ts';
import { fcfsOrderingPolicy } from '../plugins/ordering/fcfs-ordering-policy.ts';
import { maxScorePicker } from '../plugins/pickers/max-score-picker.ts';
import { singleProfileHandler } from '../plugins/profile-handlers/single-profile-handler.ts';
import { concurrencyDetector } from '../plugins/saturation/concurrency-detector.ts';
import { activeRequestScorer } from '../plugins/scorers/active-request-scorer.ts';
import { staticUsageLimitPolicy } from '../plugins/usage-limits/static-usage-limit-policy.ts';
import type { InferenceRequest } from '../request/inference-request.ts';
import type { Permit } from '../request/permit.ts';
import type { TokenEstimator } from '../request/token-estimate.ts';
import type { Filter, SchedulingProfile } from '../scheduling/contracts.ts';
import { PoolPlacement } from '../scheduling/pool-placement.ts';
import { Scheduler } from '../scheduling/scheduler.ts';
import { instanceOf } from './plugin-instance.ts';
import { seededRandom } from './seeded-random.ts';
import { VirtualClock } from './virtual-clock.ts';

export interface KitOptions {
  /** Endpoints of the pool; 1 by default. */
  readonly endpoints?: number;
  /** Sequences each endpoint takes; 1 by default. */
  readonly limit?: number;
  readonly band?: Partial<BandTemplate>;
  readonly config?: Partial<FlowControlConfig>;
  readonly detector?: SaturationDetector;
  readonly filters?: readonly Filter[];
  /** Endpoints that the picker names; 1 by default. */
  readonly maxNumOfEndpoints?: number;
  readonly tokens?: TokenEstimator;
  /** Whether events are kept; they are by default. */
  readonly observed?: boolean;
  readonly scrapeSoon?: (endpoint: Endpoint) => void;
}

/** A request for the model `m`, with a new id each time. */
export type RequestFields = Partial<InferenceRequest>;

export class FlowControlKit {
  readonly clock = new VirtualClock();
  readonly pool = new Pool('m');
  readonly events: FlowEvent[] = [];
  /** Permits given out and not ended, in order of dispatch. */
  readonly permits: Permit[] = [];
  /** Every settlement, in order. */
  readonly settled: (Settled & { readonly request: InferenceRequest })[] = [];
  readonly endpoints: readonly Endpoint[];
  readonly chooser: Scheduler;
  readonly placement: PoolPlacement;
  readonly controller: FlowController;
  #requests = 0;

  constructor(options: KitOptions = {}) {
    this.endpoints = Array.from({ length: options.endpoints ?? 1 }, (_, index) => modelEndpoint(`e${index + 1}`));
    this.pool.setEndpoints(this.endpoints);
    this.chooser = new Scheduler({ handler: instanceOf(singleProfileHandler), profiles: [profile(options)] });
    const { chooser } = this;
    const maxConcurrency = options.limit ?? 1;
    const detector = options.detector ?? instanceOf(concurrencyDetector, { parameters: { maxConcurrency } });
    this.placement = new PoolPlacement({
      pool: this.pool,
      detector,
      chooser,
      clock: this.clock,
      tokens: options.tokens,
      scrapeSoon: options.scrapeSoon,
    });
    const observer = (event: FlowEvent): void => {
      this.events.push(event);
    };
    const config = flowControlConfig(options);
    this.controller = new FlowController({
      config,
      placement: this.placement,
      clock: this.clock,
      ...(options.observed !== false && { observer }),
    });
  }

  request(fields: RequestFields = {}): InferenceRequest {
    this.#requests += 1;
    const receivedMs = this.clock.now();
    const base = { id: `r${this.#requests}`, fairnessId: 'a', priority: 0, sizeBytes: 100, sequences: 1, receivedMs };
    return { ...base, model: 'm', targetModel: 'm', ...fields };
  }

  /** Enqueues a request; what becomes of it is in `settled` and `permits`. */
  enqueue(fields: RequestFields = {}): WaitingHandle {
    const request = this.request(fields);
    return this.controller.enqueue(request, this.recorder(request));
  }

  recorder(request: InferenceRequest): OnSettled {
    return (settled) => {
      this.settled.push({ ...settled, request });
      if ('permit' in settled) this.permits.push(settled.permit);
    };
  }

  /** Lets the pump run. @throws Error naming the first invariant of the controller that does not hold then. */
  settle(): void {
    this.clock.settle();
    checkInvariants(this.controller);
  }

  /** Ends the permit that was given out first and lets the pump run. */
  finishOne(): Permit {
    const permit = this.permits.shift();
    if (permit === undefined) throw new Error('no permit is out');
    permit.end('succeeded');
    this.settle();
    return permit;
  }

  /** What became of each settled request, such as `r1 dispatched` or `r2 capacity`, in order. */
  get outcomes(): string[] {
    return this.settled.map((settled) => `${settled.request.id} ${'cause' in settled ? settled.cause : 'dispatched'}`);
  }

  /** Fairness ids in the order in which they were dispatched. */
  get dispatchedFlows(): string[] {
    return this.events.filter((event) => event.kind === 'dispatched').map((event) => event.request.fairnessId);
  }

  /** Request ids in the order in which they were dispatched. */
  get dispatchedIds(): string[] {
    return this.events.filter((event) => event.kind === 'dispatched').map((event) => event.request.id);
  }
}

/** An endpoint that serves the model `m`. */
export function modelEndpoint(name: string): Endpoint {
  const endpoint = new Endpoint({ name, url: `http://${name}.test`, labels: {} });
  endpoint.baseModels = new Set(['m']);
  return endpoint;
}

/** A configuration with round-robin, first come first served and no shortage of places. */
export function flowControlConfig(options: Pick<KitOptions, 'band' | 'config'> = {}): FlowControlConfig {
  const template: BandTemplate = {
    maxRequests: 100_000,
    maxBytes: 1e12,
    maxFlowShare: 1,
    fairness: instanceOf(roundRobinFairnessPolicy),
    ordering: instanceOf(fcfsOrderingPolicy),
    ...options.band,
  };
  return {
    maxRequests: Infinity,
    maxBytes: Infinity,
    defaultRequestTtlMs: 60_000,
    noEndpointRequestTtlMs: 10_000,
    bands: [],
    defaultBand: template,
    defaultNegativeBand: template,
    knownPriorities: [],
    bandSelection: instanceOf(strictBandSelectionPolicy),
    usageLimit: instanceOf(staticUsageLimitPolicy),
    flowIdleMs: 300_000,
    bandIdleMs: 600_000,
    ...options.config,
  };
}

function profile({ filters = [], maxNumOfEndpoints = 1 }: KitOptions): SchedulingProfile {
  const picker = instanceOf(maxScorePicker, { parameters: { maxNumOfEndpoints }, random: seededRandom(1) });
  return { name: 'default', filters, scorers: [{ scorer: instanceOf(activeRequestScorer), weight: 1 }], picker };
}
