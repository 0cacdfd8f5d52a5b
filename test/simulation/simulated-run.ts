// SPDX-License-Identifier: Apache-2.0

/**
 * One plan through the flow controller, the plugins and the placement that run in production, in virtual time: what is
 * dispatched is served for a while and ends by itself, and the plan's steps come in between.
 */

import assert from 'node:assert/strict';
import {
  InFlightCap,
  TokenBucket,
  type Endpoint,
  type EngineMetrics,
  type FlowControlConfig,
  type FlowEvent,
  type InferenceRequest,
  type Permit,
  type Settled,
  type WaitingHandle,
} from '@fairlead/core';
import { FlowControlKit, modelEndpoint } from '@fairlead/core/testing';
import { Box } from './box.ts';
import { CostBooks } from './cost-books.ts';
import { Dice } from './dice.ts';
import { Oracle, type Judged } from './oracle.ts';
import type { Arrival, ConfigDraw, DetectorDraw, Plan, Step } from './plan.ts';

export class SimulatedRun implements Judged {
  readonly kit: FlowControlKit;
  readonly cap = new InFlightCap(2);
  readonly bucket = new TokenBucket({ tokensPerMinute: 6_000, burstTokens: 600 });
  readonly fleet: Endpoint[];
  /** In order of dispatch. */
  readonly held: Permit[] = [];
  config: FlowControlConfig;
  judge: DetectorDraw;
  usageThreshold: number | undefined;
  isClosing = false;
  readonly costs = new CostBooks();
  readonly #box: Box;
  readonly #oracle: Oracle;
  readonly #onEvent: ((event: FlowEvent) => void) | undefined;
  readonly #handles: WaitingHandle[] = [];
  readonly #arrivals = new Map<string, Arrival>();
  #closed = false;
  /** Of the assertions, the first that failed where nobody could throw: inside a callback. */
  #fault: Error | undefined;

  constructor(plan: Plan, onEvent?: (event: FlowEvent) => void) {
    this.#onEvent = onEvent;
    this.#box = new Box(new Dice(plan.seed + 0.5), this.costs);
    this.judge = plan.judge;
    this.config = this.#box.config(plan.config);
    const [detector, config] = [this.#box.detector(plan.judge), this.config];
    this.kit = new FlowControlKit({ endpoints: plan.endpoints, detector, config, observed: true });
    this.fleet = [...this.kit.endpoints];
    this.fleet[0]!.adapters = new Set(['lora']);
    this.#oracle = new Oracle(this);
    // The kit keeps events in a list of its own; what is told is judged at once instead, in the turn in which it is.
    this.kit.events.push = (event) => this.#saw(event);
    this.#judgeBy(plan.judge);
    this.#noteThreshold();
  }

  /** @throws Error when anything is not as it must be. */
  play(step: Step): void {
    this.#do(step);
    this.#rethrow();
    this.#oracle.check();
    this.kit.clock.settle();
    this.#rethrow();
    this.#oracle.checkSettled();
  }

  /** Lets everything end, by itself or by hand. @throws Error when something is lost or left. */
  async finish(): Promise<void> {
    const { kit } = this;
    for (const endpoint of kit.pool.endpoints) endpoint.up = true;
    kit.pool.refresh();
    this.cap.resize(Infinity);
    this.bucket.resize({ tokensPerMinute: Infinity }, kit.clock.now());
    kit.controller.setBypass(false);
    for (let round = 0; round < 500 && (this.held.length > 0 || kit.controller.waiting > 0); round += 1) {
      kit.clock.settle();
      for (const permit of [...this.held]) this.#end(permit, 'succeeded', 8);
      for (const endpoint of kit.pool.endpoints) this.#tellMetrics(endpoint, { running: 0, waiting: 0, kvUsage: 0 });
      kit.clock.advance(100);
      this.#rethrow();
    }
    kit.clock.settle();
    this.#oracle.checkOver();
    kit.clock.advance(2_000_000);
    this.#rethrow();
    this.#oracle.checkForgotten();
    void kit.controller.close().then(() => (this.#closed = true));
    // Two turns: one for the controller's promise, one for what waits for it.
    await Promise.resolve();
    await Promise.resolve();
    assert.ok(this.#closed, 'everything has ended, and the controller does not close');
  }

  #do(step: Step): void {
    const { kit } = this;
    switch (step.do) {
      case 'enqueue':
        return this.#enqueue(step);
      case 'burst':
        for (let index = 0; index < step.count; index += 1)
          this.#enqueue(index % 2 === 0 ? step.of : { ...step.of, flow: step.of.flow + 1, priority: step.other });
        return;
      case 'cancel':
        return this.#handles[step.which % Math.max(1, this.#handles.length)]?.cancel();
      case 'flap':
        kit.pool.endpoints.forEach((endpoint, index) => (endpoint.up = (step.up & (1 << index)) !== 0));
        return kit.pool.refresh();
      case 'kill':
        return this.#kill(step.which);
      case 'replace':
        return this.#replace(step.which);
      case 'metrics':
        return this.#readMetrics(step.which);
      case 'advance':
        return kit.clock.advance(step.byMs);
      default:
        return this.#change(step);
    }
  }

  #change(step: Step): void {
    const { kit } = this;
    switch (step.do) {
      case 'reconfigure':
        return this.#reconfigure(step.config);
      case 'detect':
        return this.#judgeBy(step.judge);
      case 'cap':
        return this.cap.resize(step.max);
      case 'tokens':
        return this.bucket.resize({ tokensPerMinute: step.tokensPerMinute }, kit.clock.now());
      case 'bypass':
        return kit.controller.setBypass(step.on);
      case 'close':
        this.isClosing = true;
        void kit.controller.close().then(() => (this.#closed = true));
        return;
      case 'destroy':
        this.isClosing = true;
        return kit.controller.destroy();
      default:
        if ('which' in step) this.#withPermit(step);
    }
  }

  #withPermit(step: Step & { readonly which: number }): void {
    const permit = this.held[step.which % Math.max(1, this.held.length)];
    if (permit === undefined) return;
    if (step.do === 'end') this.#end(permit, step.ending, step.outputTokens);
    else if (step.do === 'stream') this.#stream(permit, step.outputTokens);
    else if (step.do === 'requeue') this.#requeue(permit);
    else if (step.do === 'fail-over') this.#failOver(permit);
    else if (step.do === 'end-twice') this.#endTwice(permit);
  }

  #enqueue(arrival: Arrival): void {
    const { kit } = this;
    const request = kit.request({
      fairnessId: `f${arrival.flow}`,
      fairnessPath: `org${arrival.flow % 2}/f${arrival.flow}`,
      priority: arrival.priority,
      sequences: arrival.sequences,
      inputTokens: arrival.tokens,
      flowWeight: arrival.weight,
      targetModel: arrival.model,
      ttlMs: arrival.ttlMs,
      deadlineMs: arrival.deadlineMs === undefined ? undefined : kit.clock.now() + arrival.deadlineMs,
      cap: arrival.flow === 0 ? this.cap : undefined,
      tokenBucket: arrival.flow <= 1 ? this.bucket : undefined,
    });
    this.#arrivals.set(request.id, arrival);
    this.#oracle.asked(request.id, request.sequences);
    this.#handles.push(kit.controller.enqueue(request, (settled) => this.#settled(request, settled)));
  }

  #settled(request: InferenceRequest, settled: Settled): void {
    this.#attempt(() => {
      this.#oracle.settled(request.id);
      if ('permit' in settled) {
        this.#oracle.given(settled.permit);
        this.held.push(settled.permit);
        this.#serve(settled.permit);
      }
      this.#goOn(request.id, settled);
    });
  }

  /** What the owner of a request does in the turn in which it is settled. */
  #goOn(id: string, settled: Settled): void {
    const arrival = this.#arrivals.get(id);
    if (arrival === undefined || arrival.then === 'nothing') return;
    const again = { ...arrival, then: 'nothing', flow: (arrival.flow + 1) % 5 } as const;
    if (arrival.then === 'cancel') this.#handles.at(-2)?.cancel();
    else if (arrival.then === 'enqueue') this.#enqueue(again);
    else if (arrival.then === 'enqueue-higher') this.#enqueue({ ...again, priority: 5 });
    else {
      const permit = arrival.then === 'end' ? 'permit' in settled && settled.permit : this.held[0];
      if (permit) this.#end(permit, 'cancelled', 0);
    }
  }

  /** A server answers after a while, if the permit is still the one that is out by then. */
  #serve(permit: Permit): void {
    const arrival = this.#arrivals.get(permit.request.id);
    const { clock } = this.kit;
    if (arrival?.serviceMs === undefined) return;
    clock.at(clock.now() + arrival.serviceMs / 2, () => this.#attempt(() => this.#stream(permit, 1)));
    clock.at(clock.now() + arrival.serviceMs, () => {
      this.#attempt(() => this.#end(permit, 'succeeded', arrival.outputTokens));
    });
  }

  #stream(permit: Permit, tokens: number): void {
    if (!this.held.includes(permit)) return;
    permit.firstToken();
    permit.streamed(tokens);
    this.costs.streamed(permit.request.id, tokens);
  }

  #end(permit: Permit, ending: 'succeeded' | 'failed' | 'cancelled', completionTokens: number): void {
    if (!this.#letGo(permit)) return;
    permit.end(ending, { promptTokens: permit.request.inputTokens, completionTokens });
  }

  #endTwice(permit: Permit): void {
    const { controller } = this.kit;
    this.#end(permit, 'cancelled', 1);
    assert.throws(() => permit.end('succeeded'), /ended twice/, 'a permit ends a second time');
    assert.throws(
      () => controller.requeue(permit, () => undefined),
      /ended twice/,
      'a permit that ended is given back',
    );
    if (!this.isClosing) assert.throws(() => controller.failOver(permit), 'a permit that ended moves');
  }

  #requeue(permit: Permit): void {
    if (!this.#letGo(permit)) return;
    const { request } = permit;
    this.#oracle.asked(request.id, request.sequences);
    this.#handles.push(this.kit.controller.requeue(permit, (settled) => this.#settled(request, settled)));
  }

  #failOver(permit: Permit): boolean {
    const moved = this.kit.controller.failOver(permit);
    if (moved === undefined) return false;
    this.#letGo(permit);
    this.held.push(moved);
    this.#serve(moved);
    return true;
  }

  #letGo(permit: Permit): boolean {
    const index = this.held.indexOf(permit);
    if (index >= 0) this.held.splice(index, 1);
    return index >= 0;
  }

  /** A server dies: what it was sent fails, and what it had not begun to answer goes elsewhere. */
  #kill(which: number): void {
    const { pool } = this.kit;
    const endpoint = pool.endpoints[which % pool.endpoints.length] as Endpoint;
    endpoint.up = false;
    if (which % 2 === 0) pool.refresh();
    this.held
      .filter((permit) => permit.endpoint === endpoint)
      .forEach((permit, index) => {
        if (index % 2 === 0) this.#end(permit, 'failed', 0);
        else if (!this.#failOver(permit)) this.#requeue(permit);
      });
    if (which % 2 === 1) pool.refresh();
  }

  /** Another server at the same address: what the old one was sent ends where it was taken. */
  #replace(which: number): void {
    const { pool } = this.kit;
    const index = which % pool.endpoints.length;
    const before = pool.endpoints[index] as Endpoint;
    const after = modelEndpoint(before.name);
    after.adapters = before.adapters;
    this.fleet.push(after);
    pool.setEndpoints(pool.endpoints.with(index, after));
  }

  #readMetrics(which: number): void {
    const { pool } = this.kit;
    const endpoint = pool.endpoints[which % pool.endpoints.length] as Endpoint;
    const running = Math.min(endpoint.inFlight, 3);
    this.#tellMetrics(endpoint, { running, waiting: which % 4, kvUsage: (which % 10) / 10 });
  }

  #tellMetrics(endpoint: Endpoint, metrics: EngineMetrics): void {
    const { clock, placement } = this.kit;
    endpoint.noteMetrics(metrics, endpoint.dispatched, clock.now());
    placement.metricsRead(endpoint);
  }

  #reconfigure(draw: ConfigDraw): void {
    const { bandSelection } = this.config;
    this.config = this.#box.config(draw);
    if (bandSelection !== this.config.bandSelection) this.costs.selectOtherwise();
    this.#noteThreshold();
    const { controller } = this.kit;
    const waiting = controller.waiting;
    controller.reconfigure(this.config);
    assert.equal(controller.waiting, waiting, 'a change of configuration drops what waits');
    if (!this.isClosing) assert.equal(controller.inspect().waitlist.occupancy.maxRequests, this.config.maxRequests);
  }

  #judgeBy(judge: DetectorDraw): void {
    this.judge = judge;
    const [detector, chooser, { slowStartMs }] = [this.#box.detector(judge), this.#box.chooser(judge), judge];
    this.kit.placement.reconfigure({ detector, chooser, slowStartMs });
  }

  #noteThreshold(): void {
    const { usageLimit } = this.config;
    const ceilings = new Float64Array(1);
    usageLimit.ceilings(usageLimit.newState(), { priorities: [0], saturation: 0 }, ceilings);
    this.usageThreshold = usageLimit.type === 'static-usage-limit-policy' ? ceilings[0] : undefined;
  }

  #saw(event: FlowEvent): number {
    this.#attempt(() => {
      this.#oracle.saw(event);
    });
    this.#onEvent?.(event);
    return 0;
  }

  /** Callbacks are called from within the controller, which survives what they throw; here nothing may be swallowed. */
  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#fault ??= error as Error;
    }
  }

  #rethrow(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }
}
