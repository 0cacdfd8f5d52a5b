// SPDX-License-Identifier: Apache-2.0

/**
 * What must be so in every simulation, judged by books that are kept here, from events and from what was asked for, and
 * never by the word of the parts under test.
 */

import assert from 'node:assert/strict';
import type { Endpoint, FlowControlConfig, FlowEvent, InFlightCap, Permit, TokenBucket } from '@fairlead/core';
import { checkInvariants, type FlowControlKit } from '@fairlead/core/testing';
import type { DispatchPermit } from '../../packages/core/src/flow-control/dispatch-permit.ts';
import type { Flow, PriorityBand } from '../../packages/core/src/flow-control/priority-band.ts';
import { compareWaiting, type WaitingRequest } from '../../packages/core/src/flow-control/waiting-request.ts';
import { suits } from './box.ts';
import type { CostBooks } from './cost-books.ts';
import type { DetectorDraw } from './plan.ts';

/** What it looks at. */
export interface Judged {
  readonly kit: FlowControlKit;
  readonly cap: InFlightCap;
  readonly bucket: TokenBucket;
  readonly costs: CostBooks;
  /** Every endpoint there ever was. */
  readonly fleet: readonly Endpoint[];
  /** Permits that have not ended. */
  readonly held: readonly Permit[];
  readonly config: FlowControlConfig;
  readonly judge: DetectorDraw;
  /** The saturation at which every band stops; undefined when the policy has something else in mind. */
  readonly usageThreshold: number | undefined;
  /** It takes nothing new. */
  readonly isClosing: boolean;
}

export class Oracle {
  readonly #run: Judged;
  /** By request: how often it was dispatched and has come back or ended. */
  readonly #open = new Map<string, number>();
  /** By request: how often it was settled since it last began to wait; 0 while it waits. */
  readonly #settled = new Map<string, number>();
  #unsettled = 0;
  #wideSeen = false;

  constructor(run: Judged) {
    this.#run = run;
  }

  /** The request is handed to the controller, for the first time or again. */
  asked(id: string, sequences: number): void {
    this.#settled.set(id, 0);
    this.#unsettled += 1;
    if (sequences > 1) this.#wideSeen = true;
  }

  settled(id: string): void {
    const times = (this.#settled.get(id) ?? 0) + 1;
    this.#settled.set(id, times);
    this.#unsettled -= 1;
    assert.equal(times, 1, `${id} was settled ${times} times`);
  }

  /** What an event says of the turn in which it is told. */
  saw(event: FlowEvent): void {
    const { costs, kit } = this.#run;
    costs.saw(event, kit.controller.inspect().waitlist.bands);
    if (event.kind === 'dispatched') this.#dispatched(event);
    else if (event.kind === 'failed-over') this.#withinLimits(event.endpoint);
    else if (event.kind === 'ended' || event.kind === 'requeued') this.#close(event.request.id);
    else if (event.kind === 'enqueued') this.#hadPlace(event.request.sizeBytes);
    else if (event.kind === 'rejected' && event.cause === 'capacity') this.#hadNoPlace(event);
    else if (event.kind === 'plugin-fault') assert.fail(`${event.plugin} broke its contract: ${event.message}`);
  }

  /** What holds of a permit in the turn in which it is given out. */
  given(permit: Permit): void {
    const { waiting, bucket, debited } = permit as DispatchPermit;
    const { flow, request, enqueuedMs } = waiting;
    const nowMs = this.#run.kit.clock.now();
    assert.ok(request.deadlineMs === undefined || nowMs <= request.deadlineMs, `${request.id} goes after its deadline`);
    this.#isYoung(waiting, nowMs);
    assert.equal(permit.waitMs, nowMs - enqueuedMs, `${request.id} waited another time than it is told`);
    if (this.#run.kit.controller.bypass) return;
    for (const other of flow.values())
      assert.ok(compareWaiting(waiting, other) < 0, `${request.id} overtook ${other.request.id} of its own flow`);
    if (bucket === undefined || bucket !== this.#run.bucket) return;
    assert.ok(bucket.level(nowMs) + debited > 1 - 1e-3, `${request.id} goes although its tenant has no token`);
  }

  /** Between two turns, whatever is still to be pumped. */
  check(): void {
    const { kit, held, cap, fleet } = this.#run;
    checkInvariants(kit.controller);
    assert.equal(kit.controller.waiting, this.#unsettled, 'requests that wait, and that were not settled');
    assert.equal(kit.controller.inFlight, held.length, 'in flight, and permits that are out');
    assert.equal(cap.used, held.filter(({ request }) => request.cap !== undefined).length, "the tenant's in flight");
    for (const endpoint of fleet) this.#holdsItsPermits(endpoint);
    const { ordered } = kit.controller.inspect().waitlist.bands;
    for (const band of ordered) checkTurns(band);
  }

  /** When nothing is left to be pumped. */
  checkSettled(): void {
    this.check();
    const { kit, isClosing } = this.#run;
    // Closed by now, it looks at nothing any more.
    if (isClosing && kit.controller.waiting === 0) return;
    const { waitlist } = kit.controller.inspect();
    const nowMs = kit.clock.now();
    const isServed = kit.pool.available.length > 0;
    assert.equal(waitlist.budget.hasEndpoints, isServed, 'waits are measured as if there were endpoints');
    for (const waiting of waitlist.all()) {
      assert.ok(waiting.expiresMs > nowMs, `${waiting.request.id} has expired and waits`);
      this.#isYoung(waiting, nowMs);
    }
    for (const band of waitlist.bands.ordered) for (const flow of band.flows.values()) this.#isNotForgotten(flow);
  }

  /** When everything has ended: nothing was lost, and nobody holds anything. */
  checkOver(): void {
    const { kit, cap, fleet } = this.#run;
    this.check();
    assert.deepEqual(
      [kit.controller.waiting, kit.controller.inFlight, cap.used],
      [0, 0, 0],
      'somebody holds something',
    );
    for (const [id, times] of this.#settled) assert.equal(times, 1, `${id} was settled ${times} times`);
    for (const [id, open] of this.#open) assert.equal(open, 0, `${id} was dispatched ${open} times more than it ended`);
    for (const { name, inFlight, requestsInFlight, tokensInFlight } of fleet)
      assert.deepEqual([inFlight, requestsInFlight, tokensInFlight], [0, 0, 0], `${name} holds something`);
    this.#checkLag();
    this.#run.costs.checkOver();
    const { waitlist } = kit.controller.inspect();
    assert.deepEqual([waitlist.occupancy.requests, waitlist.occupancy.bytes, waitlist.deadlines.size], [0, 0, 0]);
  }

  /** Long after that: nobody is remembered, and no alarm is left. */
  checkForgotten(): void {
    const { kit, config, isClosing } = this.#run;
    if (isClosing) return;
    const flows = kit.controller
      .snapshot()
      .bands.flatMap(({ priority, flows }) => flows.map(({ fairnessId }) => [priority, fairnessId]));
    assert.deepEqual(flows, [], 'flows that are remembered for ever');
    const configured = new Set([0, ...config.bands.map(({ priority }) => priority)]);
    const bands = kit.controller.snapshot().bands.filter(({ priority }) => !configured.has(priority));
    assert.deepEqual(bands, [], 'bands that are remembered for ever');
    assert.equal(kit.clock.pendingAlarms, 0, 'alarms that are left');
  }

  /** No two flows of a band came further apart than its policy promises. */
  #checkLag(): void {
    for (const { priority, largestLag, lagBound } of this.#run.kit.controller.snapshot().bands) {
      const isWithin = lagBound === undefined || largestLag <= lagBound * (1 + 1e-9);
      assert.ok(isWithin, `flows of band ${priority} came ${largestLag} apart, and ${lagBound} is promised`);
    }
  }

  #dispatched(event: FlowEvent & { kind: 'dispatched' }): void {
    const { request, endpoint, band: priority } = event;
    const { kit, held, cap, usageThreshold, judge } = this.#run;
    this.#open.set(request.id, (this.#open.get(request.id) ?? 0) + 1);
    assert.ok(endpoint.up && endpoint.serves(request.targetModel), `${request.id} goes where nobody serves it`);
    assert.ok(suits(request, endpoint), `${request.id} goes where a filter forbids it`);
    if (kit.controller.bypass) return;
    this.#withinLimits(endpoint);
    const capped = held.filter((permit) => permit.request.cap !== undefined).length + 1;
    if (request.cap !== undefined) assert.ok(capped <= cap.max, `${capped} of a tenant that may have ${cap.max}`);
    const { selection, ordered } = kit.controller.inspect().waitlist.bands;
    for (const band of selection.isStrict ? ordered : []) {
      if (band.priority <= priority) break;
      assert.ok(band.count.ready === 0, `${request.id} goes before band ${band.priority}`);
      this.#leavesPlaces(event, band);
    }
    if (usageThreshold === undefined || judge.detector !== 'requests') return;
    const use = useBefore(kit.pool.available, { endpoint, sequences: request.sequences, limit: judge.limit });
    assert.ok(use < usageThreshold, `${request.id} goes at a saturation of ${use}, not below ${usageThreshold}`);
  }

  /** Nobody of a higher band is parked who could have had the same place. */
  #leavesPlaces({ request, endpoint }: FlowEvent & { kind: 'dispatched' }, band: PriorityBand): void {
    if (!this.#isRoomTold) return;
    for (const flow of band.flows.values()) {
      if (flow.standing !== 'parked') continue;
      const { request: other } = flow.head;
      const isTaken = endpoint.serves(other.targetModel) && suits(other, endpoint);
      assert.ok(!isTaken, `${request.id} takes the place of ${other.id} of band ${band.priority}`);
    }
  }

  /** Only one that is larger than the endpoint, and has it to itself, is beyond its limits. */
  #withinLimits(endpoint: Endpoint): void {
    const { judge, kit } = this.#run;
    if (kit.controller.bypass || endpoint.requestsInFlight === 1) return;
    const { sequences, tokens } = limitsOf(judge);
    assert.ok(endpoint.inFlight <= sequences, `${endpoint.name} has ${endpoint.inFlight} in flight`);
    assert.ok(endpoint.tokensInFlight <= tokens, `${endpoint.name} has ${endpoint.tokensInFlight} tokens in flight`);
  }

  #holdsItsPermits(endpoint: Endpoint): void {
    let [sequences, tokens, requests] = [0, 0, 0];
    for (const permit of this.#run.held) {
      if (permit.endpoint !== endpoint) continue;
      sequences += permit.sequences;
      tokens += permit.tokens;
      requests += 1;
    }
    const { inFlight, tokensInFlight, requestsInFlight, name } = endpoint;
    const isSame = inFlight === sequences && tokensInFlight === tokens && requestsInFlight === requests;
    assert.ok(isSame, `${name} holds ${inFlight} of ${requestsInFlight}, its permits ${sequences} of ${requests}`);
  }

  #close(id: string): void {
    const open = (this.#open.get(id) ?? 0) - 1;
    this.#open.set(id, open);
    assert.ok(open >= 0, `${id} ended more often than it was dispatched`);
  }

  #hadPlace(sizeBytes: number): void {
    const { requests, bytes } = this.#run.kit.controller.inspect().waitlist.occupancy;
    const { maxRequests, maxBytes } = this.#run.config;
    assert.ok(requests < maxRequests, `one more waits beside ${requests} of ${maxRequests}`);
    assert.ok(bytes + sizeBytes <= maxBytes, `${sizeBytes} bytes more wait beside ${bytes} of ${maxBytes}`);
  }

  #hadNoPlace({ request, band: priority }: FlowEvent & { kind: 'rejected' }): void {
    const { occupancy, bands } = this.#run.kit.controller.inspect().waitlist;
    const { maxRequests, maxBytes } = this.#run.config;
    const band = bands.get(priority) as PriorityBand;
    const isFull = occupancy.requests >= maxRequests || occupancy.bytes + request.sizeBytes > maxBytes;
    const isBandFull = band.occupancy.requests >= band.config.maxRequests;
    const share = Math.max(1, Math.floor(band.config.maxRequests * band.config.maxFlowShare));
    const isFlowFull = (band.flows.get(request.fairnessId)?.size ?? 0) >= share;
    assert.ok(isFull || isBandFull || isFlowFull, `${request.id} was refused although there was a place`);
  }

  #isYoung({ request, enqueuedMs }: Pick<WaitingRequest, 'request' | 'enqueuedMs'>, nowMs: number): void {
    const isInTime = request.ttlMs === undefined || nowMs <= enqueuedMs + request.ttlMs;
    assert.ok(isInTime, `${request.id} waits for longer than the ${request.ttlMs} ms it may`);
  }

  /** Whether a free place is one for whoever is served there. */
  get #isRoomTold(): boolean {
    const { judge, usageThreshold } = this.#run;
    return usageThreshold === 1 && judge.detector === 'requests' && judge.slowStartMs === 0 && !this.#wideSeen;
  }

  /** A request that could go now does not wait, unless an endpoint may be kept for a wide one or a ceiling holds it. */
  #isNotForgotten(flow: Flow): void {
    const { kit, judge } = this.#run;
    if (flow.size === 0) return;
    const { request } = flow.head;
    const { bypass } = kit.controller;
    if (!bypass && !this.#isRoomTold) return;
    if (!bypass && (flow.cap?.full === true || flow.bucket?.isEmpty(kit.clock.now()) === true)) return;
    for (const endpoint of kit.pool.available) {
      const hasRoom = bypass || endpoint.inFlight < judge.limit;
      if (!hasRoom || !endpoint.serves(request.targetModel) || !suits(request, endpoint)) continue;
      assert.fail(`${request.id} waits (${flow.standing}) although ${endpoint.name} has room`);
    }
  }
}

function limitsOf({ detector, limit, tokenLimit }: DetectorDraw): { sequences: number; tokens: number } {
  return {
    sequences: detector === 'requests' || detector === 'hybrid' ? limit : Infinity,
    tokens: detector === 'tokens' || detector === 'hybrid' ? tokenLimit : Infinity,
  };
}

/** How full the endpoints were before one of them took so many sequences. */
function useBefore(
  endpoints: readonly Endpoint[],
  taken: { readonly endpoint: Endpoint; readonly sequences: number; readonly limit: number },
): number {
  let used = 0;
  for (const endpoint of endpoints) {
    const { inFlight } = endpoint;
    used += Math.min(taken.limit, endpoint === taken.endpoint ? inFlight - taken.sequences : inFlight);
  }
  return used / (endpoints.length * taken.limit);
}

/** A policy that serves the band as one queue has been told of every head there is. */
function checkTurns(band: PriorityBand): void {
  if (band.config.fairness.type !== 'global-strict-fairness-policy') return;
  let first: Flow | undefined;
  for (const flow of band.flows.values()) {
    if (flow.standing !== 'ready') continue;
    if (first === undefined || compareWaiting(flow.head, first.head) < 0) first = flow;
  }
  assert.equal(band.pick()?.id, first?.id, `whose turn it is in band ${band.priority}`);
}
