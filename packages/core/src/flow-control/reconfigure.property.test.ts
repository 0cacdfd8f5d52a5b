// SPDX-License-Identifier: Apache-2.0

/**
 * Random configurations between random operations: every invariant holds after every step, every request settles once,
 * every permit ends where it was taken, and within a flow requests leave in the order of a model that is nothing but a
 * sorted list.
 */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { minShareBandSelectionPolicy } from '../plugins/band-selection/min-share-band-selection-policy.ts';
import { strictBandSelectionPolicy } from '../plugins/band-selection/strict-band-selection-policy.ts';
import { weightedBandSelectionPolicy } from '../plugins/band-selection/weighted-band-selection-policy.ts';
import { globalStrictFairnessPolicy } from '../plugins/fairness/global-strict-fairness-policy.ts';
import { roundRobinFairnessPolicy } from '../plugins/fairness/round-robin-fairness-policy.ts';
import { edfOrderingPolicy } from '../plugins/ordering/edf-ordering-policy.ts';
import { fcfsOrderingPolicy } from '../plugins/ordering/fcfs-ordering-policy.ts';
import { concurrencyDetector } from '../plugins/saturation/concurrency-detector.ts';
import { staticUsageLimitPolicy } from '../plugins/usage-limits/static-usage-limit-policy.ts';
import { InFlightCap } from '../request/in-flight-cap.ts';
import { FlowControlKit, flowControlConfig } from '../testing/flow-control-kit.ts';
import { instanceOf } from '../testing/plugin-instance.ts';
import type { BandConfig, BandTemplate, FlowControlConfig } from './config.ts';
import type { FlowEvent } from './events.ts';
import { checkInvariants } from './invariants.ts';
import type { BandSelectionPolicy, OrderingPolicy } from './policies.ts';
import type { WaitingHandle } from './settled.ts';
import { compareWaiting } from './waiting-request.ts';
import type { Queued } from './waitlist.ts';

const fairness = [
  instanceOf(roundRobinFairnessPolicy),
  instanceOf(roundRobinFairnessPolicy, { name: 'other' }),
  instanceOf(globalStrictFairnessPolicy),
];
const orderings = [instanceOf(fcfsOrderingPolicy), instanceOf(edfOrderingPolicy)];
const detectors = [1, 2, 4].map((maxConcurrency) =>
  instanceOf(concurrencyDetector, { parameters: { maxConcurrency } }),
);
const selections: readonly BandSelectionPolicy[] = [
  instanceOf(strictBandSelectionPolicy),
  instanceOf(weightedBandSelectionPolicy),
  instanceOf(minShareBandSelectionPolicy),
  instanceOf(minShareBandSelectionPolicy, { name: 'other' }),
];
const usageLimits = [1, 0.5].map((threshold) => instanceOf(staticUsageLimitPolicy, { parameters: { threshold } }));

const template: fc.Arbitrary<BandTemplate> = fc.record({
  fairness: fc.constantFrom(...fairness),
  ordering: fc.constantFrom(...orderings),
  maxRequests: fc.constantFrom(6, 100, 100),
  maxBytes: fc.constant(1e9),
  maxFlowShare: fc.constantFrom(0.5, 1),
});
const band: fc.Arbitrary<BandConfig> = fc
  .tuple(template, fc.constantFrom(-1, 0, 1, 5))
  .map(([limits, priority]) => ({ ...limits, priority }));
const config: fc.Arbitrary<FlowControlConfig> = fc
  .record({
    defaultBand: template,
    defaultNegativeBand: template,
    bands: fc.uniqueArray(band, { maxLength: 3, selector: ({ priority }) => priority }),
    knownPriorities: fc.subarray([-1, 1, 5]),
    maxRequests: fc.constantFrom(20, Infinity, Infinity),
    defaultRequestTtlMs: fc.constantFrom(1_000, 5_000, Infinity),
    noEndpointRequestTtlMs: fc.constantFrom(100, 1_000),
    usageLimit: fc.constantFrom(...usageLimits),
    bandSelection: fc.constantFrom(...selections),
  })
  .map((fields) => flowControlConfig({ config: fields }));

const which = fc.nat(30);
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('enqueue' as const),
      flow: fc.nat(2),
      priority: fc.constantFrom(0, 0, 0, 1, -1, 5),
      sequences: fc.constantFrom(1, 1, 2),
      weight: fc.constantFrom(1, 3),
      model: fc.constantFrom('m', 'm', 'lora'),
      ttlMs: fc.constantFrom(undefined, 300, 2_000, 4_000),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('end' as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('requeue' as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flap' as const), up: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('advance' as const), byMs: fc.constantFrom(1, 1, 60, 700_000) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('reconfigure' as const), config }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('detect' as const), which: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resize' as const), max: fc.constantFrom(1, 2, Infinity) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

interface Placed {
  readonly id: string;
  readonly sequence: number;
  rank: number;
}

/** What waits in each flow of each band, and in which order it has to leave: by ranks that are worked out here. */
class Model {
  readonly #kit: FlowControlKit;
  #config: FlowControlConfig;
  #orderings = new Map<number, OrderingPolicy>();
  #flows = new Map<string, Placed[]>();

  constructor(kit: FlowControlKit, config: FlowControlConfig) {
    this.#kit = kit;
    this.#config = config;
  }

  /** The configuration is another: what waits in a band with another ordering has another rank. */
  reconfigure(config: FlowControlConfig): void {
    this.#config = config;
    for (const [priority, before] of this.#orderings) {
      const ordering = orderingOf(config, priority) ?? before;
      if (ordering === before) continue;
      this.#orderings.set(priority, ordering);
      for (const [key, flow] of this.#flows) if (key.startsWith(`${priority} `)) flow.length = 0;
    }
  }

  /** Looks at what waits now; who was not there before is ranked, once. */
  read(): void {
    const orderings = new Map<number, OrderingPolicy>();
    const flows = new Map<string, Placed[]>();
    for (const { priority, flows: members } of this.#kit.controller.inspect().waitlist.bands.ordered) {
      const ordering = this.#orderings.get(priority) ?? orderingOf(this.#config, priority);
      assert.ok(ordering !== undefined, `nobody asked for band ${priority}`);
      orderings.set(priority, ordering);
      for (const flow of members.values()) {
        const { id } = flow;
        const known = new Map(this.#flows.get(`${priority} ${id}`)?.map((each) => [each.id, each]));
        const waiting = flow
          .values()
          .map((each) => known.get(each.request.id) ?? placed(each, ordering))
          .sort((one, other) => one.rank - other.rank || one.sequence - other.sequence);
        flows.set(`${priority} ${id}`, waiting);
      }
    }
    this.#orderings = orderings;
    this.#flows = flows;
  }

  /** Checks that what was dispatched since was first in its flow each time. */
  follow(events: readonly FlowEvent[]): void {
    for (const event of events) {
      if (event.kind !== 'dispatched' && event.kind !== 'evicted') continue;
      const flow = this.#flows.get(`${event.band} ${event.request.fairnessId}`) ?? [];
      if (event.kind === 'dispatched') assert.equal(event.request.id, flow[0]?.id, 'one overtook another of its flow');
      const index = flow.findIndex(({ id }) => id === event.request.id);
      flow.splice(index, 1);
    }
  }
}

function placed(waiting: Queued, ordering: OrderingPolicy): Placed {
  return { id: waiting.request.id, sequence: waiting.sequence, rank: ordering.rank(waiting) };
}

/** The ordering of a band by the configuration; undefined when it has no such band. */
function orderingOf(config: FlowControlConfig, priority: number): OrderingPolicy | undefined {
  const own = config.bands.find((each) => each.priority === priority);
  if (own !== undefined) return own.ordering;
  if (priority !== 0 && !config.knownPriorities.includes(priority)) return undefined;
  return (priority < 0 ? config.defaultNegativeBand : config.defaultBand).ordering;
}

class Run {
  readonly kit = new FlowControlKit({ endpoints: 2, limit: 2, config: { knownPriorities: [1, -1] } });
  readonly settlements = new Map<string, number>();
  readonly #model = new Model(this.kit, flowControlConfig({ config: { knownPriorities: [1, -1] } }));
  readonly #handles: WaitingHandle[] = [];
  readonly #cap = new InFlightCap(2);

  constructor() {
    this.kit.endpoints[0]!.adapters = new Set(['lora']);
  }

  step(step: Step): void {
    const { kit } = this;
    const waitedBefore = kit.controller.waiting;
    this.#do(step);
    if (step.do === 'reconfigure' || step.do === 'detect') assert.equal(kit.controller.waiting, waitedBefore);
    checkInvariants(kit.controller);
    this.#checkTurns();
    this.#model.read();
    const told = kit.events.length;
    kit.settle();
    this.#model.follow(kit.events.slice(told));
    checkInvariants(kit.controller);
    for (const [id, count] of this.settlements) assert.ok(count <= 1, `${id} settled ${count} times`);
    assert.equal(this.#cap.used, kit.permits.filter(({ request }) => request.cap !== undefined).length);
    for (const endpoint of kit.endpoints) {
      const permits = kit.permits.filter((permit) => permit.endpoint === endpoint);
      const sequences = permits.reduce((sum, permit) => sum + permit.sequences, 0);
      assert.deepEqual([endpoint.inFlight, endpoint.requestsInFlight], [sequences, permits.length]);
    }
  }

  /** A policy that serves the band as one queue has been told of every head there is. */
  #checkTurns(): void {
    for (const band of this.kit.controller.inspect().waitlist.bands.ordered) {
      if (band.config.fairness.type !== globalStrictFairnessPolicy.type) continue;
      const ready = [...band.flows.values()].filter(({ standing }) => standing === 'ready');
      ready.sort((one, other) => compareWaiting(one.head, other.head));
      assert.equal(band.pick()?.id, ready[0]?.id);
    }
  }

  /** Ends everything: nothing is lost, and nobody holds anything. */
  finish(): void {
    const { kit } = this;
    this.#cap.resize(Infinity);
    kit.controller.reconfigure(flowControlConfig());
    for (const endpoint of kit.endpoints) endpoint.up = true;
    kit.pool.refresh();
    for (let round = 0; round < 1000 && (kit.permits.length > 0 || kit.controller.waiting > 0); round += 1) {
      kit.settle();
      for (const permit of kit.permits.splice(0)) permit.end('succeeded');
    }
    kit.settle();
    assert.deepEqual([kit.controller.waiting, kit.controller.inFlight, this.#cap.used], [0, 0, 0]);
    for (const [id, count] of this.settlements) assert.equal(count, 1, `${id} settled ${count} times`);
    kit.clock.advance(2_000_000);
    assert.deepEqual(
      kit.controller.snapshot().bands.map(({ priority, flows }) => [priority, flows.length]),
      [[0, 0]],
    );
  }

  #do(step: Step): void {
    const { kit } = this;
    switch (step.do) {
      case 'enqueue':
        return this.#enqueue(step);
      case 'cancel':
        return this.#handles[step.which % Math.max(1, this.#handles.length)]?.cancel();
      case 'advance':
        return this.#advance(step.byMs);
      case 'flap':
        kit.endpoints.forEach((endpoint, index) => (endpoint.up = (step.up & (1 << index)) !== 0));
        return kit.pool.refresh();
      case 'reconfigure':
        this.#model.read();
        kit.controller.reconfigure(step.config);
        return this.#model.reconfigure(step.config);
      case 'detect':
        return kit.placement.reconfigure({ detector: detectors[step.which]!, chooser: kit.chooser });
      case 'resize':
        return this.#cap.resize(step.max);
      default:
        return this.#giveBack(step);
    }
  }

  /** Time passes in one go: what is due in it may be dispatched by the alarm, in an order that was read before. */
  #advance(byMs: number): void {
    this.#model.read();
    const told = this.kit.events.length;
    this.kit.clock.advance(byMs);
    this.#model.follow(this.kit.events.slice(told));
  }

  #giveBack({ do: what, which: index }: Step & { readonly which: number }): void {
    const permit = this.kit.permits.splice(index % Math.max(1, this.kit.permits.length), 1)[0];
    if (permit === undefined) return;
    if (what === 'end') return permit.end('succeeded');
    this.settlements.set(permit.request.id, 0);
    this.kit.controller.requeue(permit, this.#recorder(permit.request));
  }

  #enqueue(step: Step & { readonly do: 'enqueue' }): void {
    const request = this.kit.request({
      fairnessId: `f${step.flow}`,
      priority: step.priority,
      sequences: step.sequences,
      flowWeight: step.weight,
      targetModel: step.model,
      ttlMs: step.ttlMs,
      cap: step.flow === 0 ? this.#cap : undefined,
    });
    this.settlements.set(request.id, 0);
    this.#handles.push(this.kit.controller.enqueue(request, this.#recorder(request)));
  }

  #recorder(request: ReturnType<FlowControlKit['request']>): ReturnType<FlowControlKit['recorder']> {
    const record = this.kit.recorder(request);
    return (settled) => {
      this.settlements.set(request.id, (this.settlements.get(request.id) ?? 0) + 1);
      record(settled);
    };
  }
}

describe('FlowController under any sequence of events and configurations', () => {
  it('stays whole, loses nothing and keeps the order of every flow', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
        const run = new Run();
        for (const each of steps) run.step(each);
        run.finish();
      }),
      { numRuns: 300 },
    );
  });
});
