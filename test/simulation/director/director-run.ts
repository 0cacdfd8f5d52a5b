// SPDX-License-Identifier: Apache-2.0

/**
 * One plan through the director that runs in production, with everything behind it, in front of modelled servers and in
 * virtual time: clients come and go, tries fail, servers die, configurations change, and each request has one ending.
 */

import assert from 'node:assert/strict';
import type { FlowEvent } from '@fairlead/core';
import { VirtualClock } from '@fairlead/core/testing';
import type { ResolvedConfig } from '../../../packages/fairlead/src/config/resolved.ts';
import { Director } from '../../../packages/fairlead/src/director/director.ts';
import type { Swap } from '../../../packages/fairlead/src/config/reconfigurable.ts';
import { scenarioFields } from '../../../packages/fairlead/src/simulate/scenario-fields.ts';
import { simulatedIdentities } from '../../../packages/fairlead/src/simulate/simulated-identities.ts';
import { MODEL, SimulatedFleet } from '../../../packages/fairlead/src/simulate/simulated-fleet.ts';
import type { Identity } from '../../../packages/fairlead/src/tenancy/identity.ts';
import { TenantMemory } from '../../../packages/fairlead/src/tenancy/tenant-memory.ts';
import { halfCheckParameters } from '@fairlead/core';
import { Dice } from '../dice.ts';
import { Client } from './client.ts';
import type { World } from './client.ts';
import { CursedUpstream } from './cursed-upstream.ts';
import type { Ask, DirectorPlan, DirectorStep } from './plan.ts';

const TENANTS = Array.from({ length: 5 }, (_, index) => ({
  name: `t${index}`,
  weight: undefined,
  priority: undefined,
}));
/** Longer than any request may wait, or an answer take. */
const AT_MOST_MS = 600_000;

export class DirectorRun implements World {
  readonly clock = new VirtualClock();
  readonly upstream: CursedUpstream;
  readonly director: Director;
  readonly #fleet: SimulatedFleet;
  readonly #configs: readonly ResolvedConfig[];
  readonly #memory = new TenantMemory(() => this.clock.now());
  readonly #clients: Client[] = [];
  readonly #byBody = new Map<object, Client>();
  #config: ResolvedConfig;
  #identities: ReadonlyMap<string, Identity>;
  /** Limits of tenants may be others than what is in flight began with. */
  #hasReloaded = false;
  #isClosing = false;
  #isClosed = false;
  #fault: Error | undefined;

  constructor(plan: DirectorPlan, configs: readonly ResolvedConfig[], onEvent?: (event: FlowEvent) => void) {
    const { clock } = this;
    const { random } = new Dice(plan.seed + 0.5);
    this.#configs = configs;
    this.#config = configs[plan.config]!;
    this.#identities = this.#identitiesNow();
    const fleet = { servers: plan.servers, slots: plan.slots };
    const scenario = halfCheckParameters(scenarioFields, { fleet }, { path: [], problems: [] });
    this.#fleet = new SimulatedFleet({
      ...{ clock, random, probeRandom: random, scrapeIntervalMs: 1000, onChange: () => undefined },
      model: scenario.fleet,
      outlierDetection: this.#config.outlierDetection,
      workOf: (body) => this.#byBody.get(body)!,
    });
    this.upstream = new CursedUpstream(this.#fleet, clock, (act) => this.attempt(act));
    this.director = new Director({
      ...{ config: this.#config, clock, random, fleet: this.#fleet, upstream: this.upstream },
      identify: () => ({ status: 401, message: 'nobody comes by the front door' }),
      observer: {
        flowEvent: (_pool, event) => {
          this.attempt(() => this.#saw(event));
          onEvent?.(event);
        },
        finished: () => undefined,
      },
    });
  }

  play(step: DirectorStep): void {
    this.#do(step);
    this.clock.settle();
    this.#check();
  }

  /** Lets everything end. @throws Error when something does not. */
  async finish(): Promise<void> {
    this.upstream.lift();
    this.director.setBypass(false);
    for (let waitedMs = 0; waitedMs < AT_MOST_MS && this.#clients.some(({ isOver }) => !isOver); waitedMs += 1000) {
      this.clock.advance(1000);
      this.#check();
    }
    for (const client of this.#clients) assert.ok(client.isOver, `${client.id} has no end`);
    this.clock.settle();
    this.#check();
    for (const engine of this.#fleet.engines)
      assert.equal(engine.running + engine.waiting, 0, 'a server runs something');
    void this.director.close().then(() => (this.#isClosed = true));
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    assert.ok(this.#isClosed, 'everything has ended, and the director does not close');
  }

  /** Of what happens in callbacks, the first that is wrong is told when they are over: callers survive what is thrown. */
  attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#fault ??= error as Error;
    }
  }

  ask(ask: Ask): void {
    const identity = this.#identities.get(`t${ask.tenant}`)!;
    const client = new Client(this, `r${this.#clients.length + 1}`, ask);
    this.#clients.push(client);
    this.#byBody.set(client.body, client);
    client.send(identity, MODEL);
  }

  #do(step: DirectorStep): void {
    switch (step.do) {
      case 'ask':
        for (let index = 0; index < step.count; index += 1) this.ask({ ...step, tenant: (step.tenant + index) % 5 });
        return;
      case 'leave':
        return this.#clients[step.which % Math.max(1, this.#clients.length)]?.leave();
      case 'curse':
        return this.upstream.curse(step.curse, step.count);
      case 'fault':
        return this.#fleet.fault({ at: 0, ...step });
      case 'reload':
        return this.#reload(this.#configs[step.config]!);
      case 'bypass':
        this.director.setBypass(step.on);
        return assert.equal(this.director.bypass, step.on);
      case 'advance':
        return this.clock.advance(step.byMs);
      case 'close':
        this.#isClosing = true;
        void this.director.close();
        return;
      case 'destroy':
        this.#isClosing = true;
        return this.director.destroy();
    }
  }

  #saw(event: FlowEvent): void {
    if (event.kind === 'plugin-fault') assert.fail(`${event.plugin}: ${event.message}`);
    if (event.kind !== 'dispatched' || this.#hasReloaded || this.director.bypass) return;
    const { fairnessId } = event.request;
    const { maxInFlight = Infinity } = this.#config.identity.tenants.find(({ tenant }) => tenant === fairnessId) ?? {};
    const others = this.#clients.filter(({ tenant, body }) => tenant === fairnessId && this.upstream.isUnderWay(body));
    assert.ok(others.length < maxInFlight, `${event.request.id} goes beside ${others.length} of its tenant`);
  }

  #reload(config: ResolvedConfig): void {
    const swap: Swap = this.director.prepare(config);
    this.#config = config;
    this.#hasReloaded = true;
    this.#identities = this.#identitiesNow();
    swap.swap();
    if (this.#isClosing) return;
    const { maxRequests } = this.director.pools()[0]!.snapshot;
    assert.equal(maxRequests, config.flowControl.maxRequests, 'a reload leaves the old limits');
  }

  #identitiesNow(): ReadonlyMap<string, Identity> {
    return simulatedIdentities(TENANTS, this.#config.identity, this.#memory);
  }

  /** Between two turns: whoever is not over waits, or has one try under way; and that is what the books say. */
  #check(): void {
    if (this.#fault !== undefined) throw this.#fault;
    const { upstream, director } = this;
    const [pool] = director.pools();
    const { waiting, inFlight, bypass } = pool!.snapshot;
    assert.equal(bypass, director.bypass);
    const isServed = pool!.endpoints.some(({ endpoint }) => endpoint.up);
    if (bypass && isServed) assert.equal(waiting, 0, 'somebody waits while protection is off');
    const open = this.#clients.filter(({ isOver }) => !isOver);
    const sent = open.filter(({ body }) => upstream.isUnderWay(body)).length;
    assert.equal(upstream.underWay(), sent, 'tries under way of nobody');
    assert.deepEqual([waiting, inFlight], [open.length - sent, sent], 'requests that wait, and that are in flight');
    for (const { endpoint } of pool!.endpoints) {
      assert.equal(endpoint.requestsInFlight, upstream.underWay(endpoint), `in flight at ${endpoint.name}`);
    }
  }
}
