// SPDX-License-Identifier: Apache-2.0

/**
 * Bugs that flow control could have, each put in from outside for as long as it is looked for: the simulation has to find
 * every one of them. None of them is anywhere in what runs in production, nor a switch for one.
 */

import { Endpoint, FlowController, InFlightCap, Scheduler, TokenBucket } from '@fairlead/core';
import type { SaturationDetector } from '@fairlead/core';
import { concurrencyDetector } from '@fairlead/core/plugins';
import { instanceOf } from '@fairlead/core/testing';
import { BandSelection } from '../../packages/core/src/flow-control/band-selection.ts';
import { Bands } from '../../packages/core/src/flow-control/bands.ts';
import type { BandContender } from '../../packages/core/src/flow-control/contender.ts';
import { Charge } from '../../packages/core/src/flow-control/cost-accounts.ts';
import { Deadlines } from '../../packages/core/src/flow-control/deadlines.ts';
import { DispatchPermit } from '../../packages/core/src/flow-control/dispatch-permit.ts';
import { Dispatcher } from '../../packages/core/src/flow-control/dispatcher.ts';
import { Gate } from '../../packages/core/src/flow-control/gate.ts';
import { GuardedFairness } from '../../packages/core/src/flow-control/guarded-fairness.ts';
import { IdleCollector } from '../../packages/core/src/flow-control/idle-collector.ts';
import { NextAlarm } from '../../packages/core/src/flow-control/next-alarm.ts';
import { Occupancy } from '../../packages/core/src/flow-control/occupancy.ts';
import { Parking } from '../../packages/core/src/flow-control/parking.ts';
import { Flow, PriorityBand } from '../../packages/core/src/flow-control/priority-band.ts';
import { ThrottledFlows } from '../../packages/core/src/flow-control/throttled-flows.ts';
import { WaitBudget } from '../../packages/core/src/flow-control/wait-budget.ts';
import { RequestQueue, WaitingRequest } from '../../packages/core/src/flow-control/waiting-request.ts';
import { Waitlist } from '../../packages/core/src/flow-control/waitlist.ts';
import { PlacedOn } from '../../packages/core/src/scheduling/placed-on.ts';
import { PoolPlacement } from '../../packages/core/src/scheduling/pool-placement.ts';
import { method, nothing, property, together } from './mutation.ts';
import type { Mutation } from './mutation.ts';

const detectors = Object.getPrototypeOf(instanceOf(concurrencyDetector)) as SaturationDetector;

/** Capacity that is taken, given back, and counted. */
const OF_PERMITS: readonly Mutation[] = [
  method(
    'leak what a permit held when its client left',
    [DispatchPermit.prototype, 'release'],
    (was) =>
      function (this: DispatchPermit, facts, nowMs) {
        if (facts.ending !== 'cancelled') was.call(this, facts, nowMs);
      },
  ),
  method('leak what a request held that goes back to its queue', [DispatchPermit.prototype, 'giveBack'], nothing),
  method(
    'release what a permit held twice',
    [PlacedOn.prototype, 'release'],
    (was) =>
      function (this: PlacedOn) {
        was.call(this);
        was.call(this);
      },
  ),
  method(
    'keep the old place of a request that fails over',
    [FlowController.prototype, 'failOver'],
    (was) =>
      function (this: FlowController, permit) {
        const moved = was.call(this, permit);
        if (moved !== undefined) permit.endpoint.take(permit.sequences, permit.tokens);
        return moved;
      },
  ),
  method(
    'take one sequence for a request of several',
    [Endpoint.prototype, 'take'],
    (was) =>
      function (this: Endpoint, _sequences, tokens) {
        was.call(this, 1, tokens);
      },
  ),
  method(
    'forget the tokens that a permit held',
    [Endpoint.prototype, 'release'],
    (was) =>
      function (this: Endpoint, sequences) {
        was.call(this, sequences, 0);
      },
  ),
  method('let a permit end twice', [DispatchPermit.prototype, 'assertHeld'], nothing),
  method(
    'dispatch one more than an endpoint takes',
    [detectors, 'room'],
    (was) =>
      function (this: typeof detectors, tracked, nowMs) {
        return was.call(this, tracked, nowMs) + 1;
      },
  ),
  method(
    'send on to endpoints that are full',
    [PoolPlacement.prototype, 'tryPlaceOn'],
    (was) =>
      function (this: PoolPlacement, ...[endpoints, request, options]) {
        return was.call(this, endpoints, request, { ...options, mode: 'regardless' });
      },
  ),
  method(
    'ask no filter',
    [Scheduler.prototype, 'schedule'],
    () => (_request, candidates: readonly Endpoint[]) => candidates,
  ),
];

/** Limits of tenants. */
const OF_TENANTS: readonly Mutation[] = [
  property('ignore the cap', [InFlightCap.prototype, 'full'], (was) => ({ ...was, get: () => false })),
  method('count nothing against the cap', [InFlightCap.prototype, 'take'], nothing),
  method(
    'lift the cap twice for each that ends',
    [InFlightCap.prototype, 'release'],
    (was) =>
      function (this: InFlightCap) {
        was.call(this);
        was.call(this);
      },
  ),
  method('forget to unpark who was at the cap', [Dispatcher.prototype, 'uncap'], nothing),
  method(
    'forget who waits under a cap that is raised',
    [InFlightCap.prototype, 'resize'],
    () =>
      function (this: InFlightCap, max: number) {
        this.max = max;
      },
  ),
  method('ignore an empty token bucket', [TokenBucket.prototype, 'isEmpty'], () => () => false),
  method('forget who waits for tokens', [ThrottledFlows.prototype, 'add'], nothing),
  method('believe that a refund changes nothing', [Flow.prototype, 'onRefund'], nothing),
];

/** Queues, and who stands in them. */
const OF_QUEUES: readonly Mutation[] = [
  method('pick a request twice', [RequestQueue.prototype, 'remove'], (was) => {
    let left = 1;
    return function (this: RequestQueue<Flow>, waiting) {
      if (this.size !== 3 || left-- <= 0) was.call(this, waiting);
    };
  }),
  method(
    'serve the latest of a flow first',
    [RequestQueue.prototype, 'peek'],
    () =>
      function (this: RequestQueue<unknown>) {
        return this.values().at(-1);
      },
  ),
  method(
    'take who cancels from the queue alone',
    [WaitingRequest.prototype, 'cancel'],
    () =>
      function (this: WaitingRequest<Flow>) {
        if (this.queueSlot >= 0) this.flow.remove(this);
      },
  ),
  method(
    'free nothing when a request expires',
    [Waitlist.prototype, 'remove'],
    (was) =>
      function (this: Waitlist, waiting, nowMs) {
        was.call(this, waiting, nowMs);
        if (waiting.expiresMs <= nowMs) waiting.flow.band.occupancy.bytes += waiting.request.sizeBytes;
      },
  ),
  method('not note when a request expires', [Deadlines.prototype, 'push'], nothing),
  method('set no alarm for what is due', [NextAlarm.prototype, 'arm'], nothing),
  method(
    'leave a deadline behind',
    [Deadlines.prototype, 'remove'],
    (was) =>
      function (this: Deadlines<unknown>, waiting) {
        if (waiting.queueSlot >= 0) was.call(this, waiting);
      },
  ),
  method(
    'count what leaves one byte short',
    [Occupancy.prototype, 'remove'],
    (was) =>
      function (this: Occupancy, sizeBytes) {
        was.call(this, sizeBytes - 1);
      },
  ),
  method('take more than there are places for', [Occupancy.prototype, 'fits'], () => () => true),
  method('keep the old limits when they change', [Occupancy.prototype, 'limit'], nothing),
  method(
    'forget the last one when all are let through or sent away',
    [Waitlist.prototype, 'all'],
    (was) =>
      function (this: Waitlist) {
        return was.call(this).slice(0, -1);
      },
  ),
  method('keep the order of before when another counts', [RequestQueue.prototype, 'rebuild'], nothing),
  method('never forget a band', [Bands.prototype, 'remove'], nothing),
  method('never forget a flow', [IdleCollector.prototype, 'flowIdle'], nothing),
];

/** The contenders of each selection, in the order in which they were added. */
const contenders = new WeakMap<object, BandContender<PriorityBand>[]>();
const SERVE_THE_LOWEST_FIRST = together('serve the lowest band first', [
  method(
    '',
    [BandSelection.prototype, 'add'],
    (was) =>
      function (this: BandSelection<PriorityBand>, contender) {
        contenders.set(this, [...(contenders.get(this) ?? []), contender as BandContender<PriorityBand>]);
        was.call(this, contender);
      },
  ),
  method(
    '',
    [BandSelection.prototype, 'pick'],
    () =>
      function (this: BandSelection<PriorityBand>) {
        const offered = (contenders.get(this) ?? []).filter((contender) => contender.place === 'in');
        return offered.sort((one, other) => one.priority - other.priority)[0]?.band;
      },
  ),
]);

/** Who is next. */
const OF_TURNS: readonly Mutation[] = [
  method('forget to look again when capacity comes free', [Dispatcher.prototype, 'capacityFreed'], nothing),
  method('forget who is parked', [Parking.prototype, 'lots'], () => () => [][Symbol.iterator]()),
  method('not tell a policy of a new head', [PriorityBand.prototype, 'headChanged'], nothing),
  method(
    'forget a flow that is ready again',
    [PriorityBand.prototype, 'pick'],
    (was) =>
      function (this: PriorityBand) {
        return this.count.ready === 2 ? undefined : was.call(this);
      },
  ),
  SERVE_THE_LOWEST_FIRST,
  method('leave a band out for good that was passed over once', [BandSelection.prototype, 'readmit'], nothing),
  method('send beyond the ceiling', [Gate.prototype, 'closes'], () => () => false),
  method('close a band for ever', [Gate.prototype, 'closes'], () => () => true),
  method('not see endpoints come and go', [PoolPlacement.prototype, 'onChange'], nothing),
  method('wait as long without endpoints as with them', [WaitBudget.prototype, 'change'], () => () => false),
  method('not look again after a permit has ended', [FlowController.prototype, 'wake'], nothing),
  method('find no room for who is parked', [PoolPlacement.prototype, 'hasRoom'], () => () => false),
];

let isFreeing = false;
const STAY_WITH_THOSE_BELOW = together('not go back to a band when room for it comes free in the middle of a turn', [
  method(
    '',
    [Dispatcher.prototype, 'capacityFreed'],
    (was) =>
      function (this: Dispatcher) {
        isFreeing = true;
        was.call(this);
        isFreeing = false;
      },
  ),
  method(
    '',
    [BandSelection.prototype, 'readmit'],
    (was) =>
      function (this: BandSelection<PriorityBand>) {
        if (!isFreeing) was.call(this);
      },
  ),
]);

/** Bands that were passed over in a turn that is not over. */
const OF_PASSED: readonly Mutation[] = [
  STAY_WITH_THOSE_BELOW,
  method(
    'not go back to a band into which something has come in the middle of a turn',
    [BandSelection.prototype, 'contend'],
    (was) =>
      function (this: BandSelection<PriorityBand>, contender, contends) {
        if (!contends || contender.place !== 'passed') was.call(this, contender, contends);
      },
  ),
];

/** What who is served is charged. */
const OF_COSTS: readonly Mutation[] = [
  method('charge tenants nothing', [GuardedFairness.prototype, 'charge'], nothing),
  method('not tell tenants what a request really cost', [GuardedFairness.prototype, 'settle'], nothing),
  method('charge bands nothing', [BandSelection.prototype, 'charge'], nothing),
  method('not tell bands what a request really cost', [BandSelection.prototype, 'settle'], nothing),
  method('keep what a request was charged that goes back to its queue', [Charge.prototype, 'giveBack'], nothing),
  method('forget what has passed of an answer that is cut off', [Charge.prototype, 'streamed'], nothing),
  method(
    'take a correction twice',
    [PriorityBand.prototype, 'settle'],
    (was) =>
      function (this: PriorityBand, ...facts) {
        was.apply(this, facts);
        was.apply(this, facts);
      },
  ),
  method(
    'charge a request that is moved to another endpoint again',
    [FlowController.prototype, 'failOver'],
    (was) =>
      function (this: FlowController, permit) {
        const { flow } = (permit as DispatchPermit).waiting;
        const moved = was.call(this, permit);
        if (moved !== undefined) flow.band.charge(flow, 1);
        return moved;
      },
  ),
];

export const MUTATIONS: readonly Mutation[] = [
  ...OF_PERMITS,
  ...OF_TENANTS,
  ...OF_QUEUES,
  ...OF_TURNS,
  ...OF_PASSED,
  ...OF_COSTS,
];
