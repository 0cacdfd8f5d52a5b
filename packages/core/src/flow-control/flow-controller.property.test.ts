// SPDX-License-Identifier: Apache-2.0

/**
 * Any sequence of arrivals, completions, cancellations, requeues, endpoint flaps and passing time leaves the controller
 * whole: every invariant holds after every step, every request settles exactly once, no endpoint is ever over its limits
 * nor holds anything but what its permits took, and nothing waits while an endpoint has room for it.
 */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { minShareBandSelectionPolicy } from '../plugins/band-selection/min-share-band-selection-policy.ts';
import { strictBandSelectionPolicy } from '../plugins/band-selection/strict-band-selection-policy.ts';
import { weightedBandSelectionPolicy } from '../plugins/band-selection/weighted-band-selection-policy.ts';
import { globalStrictFairnessPolicy } from '../plugins/fairness/global-strict-fairness-policy.ts';
import { roundRobinFairnessPolicy } from '../plugins/fairness/round-robin-fairness-policy.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import { concurrencyDetector } from '../plugins/saturation/concurrency-detector.ts';
import { InFlightCap } from '../request/in-flight-cap.ts';
import type { PluginDefinition } from '../plugin-registry/plugin.ts';
import type { Ending, Permit } from '../request/permit.ts';
import { TokenBucket } from '../request/token-bucket.ts';
import { FlowControlKit } from '../testing/flow-control-kit.ts';
import { instanceOf } from '../testing/plugin-instance.ts';
import { checkInvariants } from './invariants.ts';
import type { Filter } from '../scheduling/contracts.ts';
import type { BandSelectionPolicy, FairnessPolicy, SaturationDetector } from './policies.ts';
import type { WaitingHandle } from './settled.ts';

type Step =
  | {
      readonly do: 'enqueue';
      readonly flow: number;
      readonly priority: number;
      readonly sequences: number;
      readonly tokens: number;
      readonly model: string;
      readonly ttlMs: number | undefined;
    }
  | { readonly do: 'end'; readonly which: number; readonly ending: Ending }
  | { readonly do: 'requeue'; readonly which: number }
  | { readonly do: 'fail-over'; readonly which: number }
  | { readonly do: 'cancel'; readonly which: number }
  | { readonly do: 'flap'; readonly up: number }
  | { readonly do: 'advance'; readonly byMs: number };

const which = fc.nat(30);
const stepWith = (sequences: readonly number[]): fc.Arbitrary<Step> =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('enqueue' as const),
        flow: fc.nat(4),
        priority: fc.constantFrom(0, 0, 1, -1, 99),
        sequences: fc.constantFrom(...sequences),
        tokens: fc.constantFrom(1, 10, 33, 60, 5000),
        model: fc.constantFrom('m', 'm', 'lora'),
        ttlMs: fc.constantFrom(undefined, undefined, 50),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('end' as const),
        which,
        ending: fc.constantFrom<Ending>('succeeded', 'failed', 'cancelled'),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('requeue' as const), which }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('fail-over' as const), which }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), which }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('flap' as const), up: fc.nat(3) }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('advance' as const), byMs: fc.constantFrom(1, 40, 2000, 700_000) }),
    },
  );

const LIMIT = 3;
const TOKEN_LIMIT = 100;
const DETECTORS = ['requests', 'tokens', 'hybrid'].map((concurrencyMode) => {
  const parameters = { concurrencyMode, maxConcurrency: LIMIT, maxTokenConcurrency: TOKEN_LIMIT };
  return instanceOf(concurrencyDetector, { name: concurrencyMode, parameters });
});

const SELECTIONS = [strictBandSelectionPolicy, weightedBandSelectionPolicy, minShareBandSelectionPolicy].map(
  (definition) => instanceOf(definition as PluginDefinition) as BandSelectionPolicy,
);

/** One flow is served by one endpoint only: a choice that nothing but a filter knows of. */
const PICKY = 'f4';
const onlyFirstForPicky: Filter = {
  type: 'only-first-for-picky',
  name: 'only-first-for-picky',
  filter: (request, endpoints) =>
    request.fairnessId === PICKY ? endpoints.filter((endpoint) => endpoint.name === 'e1') : endpoints,
};

class Run {
  readonly kit: FlowControlKit;
  readonly handles: WaitingHandle[] = [];
  readonly settlements = new Map<string, number>();
  readonly detector: SaturationDetector;
  readonly #cap = new InFlightCap(2);
  readonly #bucket = new TokenBucket({ tokensPerMinute: 600, burstTokens: 60 });

  constructor(
    fairness: FairnessPolicy,
    detector: SaturationDetector,
    bandSelection: BandSelectionPolicy = SELECTIONS[0] as BandSelectionPolicy,
  ) {
    this.detector = detector;
    const band = { fairness, maxRequests: 12, maxFlowShare: 0.5 };
    this.kit = new FlowControlKit({
      endpoints: 2,
      detector,
      band,
      config: { knownPriorities: [1, -1], defaultRequestTtlMs: 1000, bandSelection },
      filters: [onlyFirstForPicky],
      maxNumOfEndpoints: 2,
    });
    const [first] = this.kit.endpoints;
    if (first !== undefined) first.adapters = new Set(['lora']);
  }

  step(step: Step): void {
    const { kit } = this;
    if (step.do === 'enqueue') this.#enqueue(step);
    else if (step.do === 'cancel') this.handles[step.which % Math.max(1, this.handles.length)]?.cancel();
    else if (step.do === 'advance') kit.clock.advance(step.byMs);
    else if (step.do === 'flap') {
      kit.endpoints.forEach((endpoint, index) => {
        endpoint.up = (step.up & (1 << index)) !== 0;
      });
      kit.pool.refresh();
    } else {
      const permit = kit.permits.splice(step.which % Math.max(1, kit.permits.length), 1)[0];
      if (permit === undefined) return;
      if (step.do === 'end') permit.end(step.ending);
      else if (step.do === 'fail-over') kit.permits.push(kit.controller.failOver(permit) ?? permit);
      else {
        this.settlements.set(permit.request.id, (this.settlements.get(permit.request.id) ?? 0) - 1);
        kit.controller.requeue(permit, this.#recorder(permit.request));
      }
    }
  }

  check(): void {
    checkInvariants(this.kit.controller);
    this.kit.settle();
    checkInvariants(this.kit.controller);
    for (const endpoint of this.kit.endpoints) {
      this.#holdsItsPermits(endpoint);
    }
    for (const [id, count] of this.settlements) assert.ok(count <= 1, `${id} settled ${count} times`);
    const held = this.kit.permits.filter((permit) => permit.request.cap !== undefined).length;
    assert.equal(this.#cap.used, held);
    assert.equal(this.kit.controller.inFlight, this.kit.permits.length);
    this.#nothingIdle();
  }

  #holdsItsPermits(endpoint: Endpoint): void {
    const { name, inFlight, tokensInFlight, requestsInFlight } = endpoint;
    const held = this.kit.permits.filter((permit) => permit.endpoint === endpoint);
    const sum = (of: (permit: Permit) => number) => held.reduce((total, permit) => total + of(permit), 0);
    assert.deepEqual(
      [inFlight, tokensInFlight, requestsInFlight],
      [sum((permit) => permit.sequences), sum((permit) => permit.tokens), held.length],
      `${name} holds something else than its permits`,
    );
    // Only one that is larger than the endpoint, and has it to itself, is beyond its limits.
    if (requestsInFlight === 1) return;
    const limits = { endpoint, state: undefined };
    assert.ok(inFlight <= this.detector.limit(limits), `${name} has ${inFlight} in flight`);
    const tokenLimit = this.detector.tokenLimit?.(limits) ?? Infinity;
    assert.ok(tokensInFlight <= tokenLimit, `${name} has ${tokensInFlight} tokens in flight`);
  }

  /** Ends everything: afterwards nothing is held by anybody. */
  finish(): void {
    const { kit } = this;
    for (const endpoint of kit.endpoints) endpoint.up = true;
    kit.pool.refresh();
    for (let round = 0; round < 1000 && (kit.permits.length > 0 || kit.controller.waiting > 0); round += 1) {
      kit.settle();
      kit.clock.advance(100);
      for (const permit of kit.permits.splice(0)) permit.end('succeeded');
    }
    assert.deepEqual([kit.controller.waiting, kit.controller.inFlight, this.#cap.used], [0, 0, 0]);
    for (const [id, count] of this.settlements) assert.equal(count, 1, `${id} settled ${count} times`);
    for (const { inFlight, requestsInFlight, tokensInFlight } of kit.endpoints)
      assert.deepEqual([inFlight, requestsInFlight, tokensInFlight], [0, 0, 0]);
    checkInvariants(kit.controller);
  }

  #enqueue(step: Step & { do: 'enqueue' }): void {
    const request = this.kit.request({
      fairnessId: `f${step.flow}`,
      priority: step.priority,
      sequences: step.sequences,
      inputTokens: step.tokens,
      targetModel: step.model,
      ttlMs: step.ttlMs,
      cap: step.flow === 0 ? this.#cap : undefined,
      tokenBucket: step.flow <= 1 ? this.#bucket : undefined,
    });
    this.settlements.set(request.id, 0);
    this.handles.push(this.kit.controller.enqueue(request, this.#recorder(request)));
  }

  #recorder(request: ReturnType<FlowControlKit['request']>): ReturnType<FlowControlKit['recorder']> {
    const record = this.kit.recorder(request);
    return (settled) => {
      this.settlements.set(request.id, (this.settlements.get(request.id) ?? 0) + 1);
      record(settled);
    };
  }

  /** A request of one sequence that could go now does not wait, unless an endpoint is kept for a wide one. */
  #nothingIdle(): void {
    // Where tokens are limited everything may be wide.
    if (this.detector.tokenLimit !== undefined) return;
    if (this.kit.events.some((event) => event.kind === 'enqueued' && event.request.sequences > 1)) return;
    const { bands } = this.kit.controller.inspect().waitlist;
    for (const band of bands.ordered) {
      for (const flow of band.flows.values()) {
        if (flow.size === 0 || flow.cap?.full === true) continue;
        const { request } = flow.head;
        if (flow.bucket?.isEmpty(this.kit.clock.now()) === true) continue;
        if (request.fairnessId === PICKY && (this.kit.endpoints[0]?.inFlight ?? 0) >= LIMIT) continue;
        if (request.fairnessId === PICKY && this.kit.endpoints[0]?.up === false) continue;
        const now = this.kit.clock.now();
        assert.ok(!this.kit.placement.hasRoom(request, now, 'fair'), `flow ${flow.id} waits beside room`);
      }
    }
  }
}

describe('FlowController under any sequence of events', () => {
  for (const fairness of [instanceOf(roundRobinFairnessPolicy), instanceOf(globalStrictFairnessPolicy)]) {
    for (const [what, step] of [
      ['requests of one sequence', stepWith([1])],
      ['requests of one sequence and of several', stepWith([1, 1, 1, 2, 5])],
    ] as const) {
      it(`stays whole with ${fairness.type} and ${what}`, () => {
        fc.assert(
          fc.property(fc.array(step, { maxLength: 120 }), fc.constantFrom(...DETECTORS), (steps, detector) => {
            const run = new Run(fairness, detector);
            for (const each of steps) {
              run.step(each);
              run.check();
            }
            run.finish();
          }),
          { numRuns: 300 },
        );
      });
    }
  }
  for (const selection of SELECTIONS.slice(1)) {
    it(`stays whole with ${selection.type}`, () => {
      const steps = fc.array(stepWith([1, 1, 1, 1, 2, 5]), { maxLength: 120 });
      fc.assert(
        fc.property(steps, fc.constantFrom(...DETECTORS), (each, detector) => {
          const run = new Run(instanceOf(roundRobinFairnessPolicy), detector, selection);
          for (const step of each) {
            run.step(step);
            run.check();
          }
          run.finish();
        }),
        { numRuns: 300 },
      );
    });
  }
});
