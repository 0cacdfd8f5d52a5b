// SPDX-License-Identifier: Apache-2.0

/**
 * One flow controller for each pool, so that one model's backlog never gates another's. A lane is made when its pool
 * appears; when the pool goes, the lane refuses new requests, lets what it holds end, and is forgotten.
 */

import { FlowController, PoolPlacement, Scheduler, tryPolicies } from '@fairlead/core';
import type { Clock, Endpoint, FlowEvent, Pool } from '@fairlead/core';
import type { Reconfigurable, Swap } from '../config/reconfigurable.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import type { PoolView } from './pool-view.ts';

/** A pool with what decides who goes to it next. */
export interface Lane {
  readonly pool: Pool;
  readonly scheduler: Scheduler;
  readonly placement: PoolPlacement;
  readonly controller: FlowController;
}

/** A lane whose scheduler is another after each reload. */
type OpenLane = Lane & { scheduler: Scheduler };

export type PoolObserver = (pool: string, event: FlowEvent) => void;

/** The parts of the configuration that decide who goes next, and where. */
export type LanesConfig = Pick<
  ResolvedConfig,
  'flowControl' | 'flowControlEnabled' | 'detector' | 'tokens' | 'scheduling' | 'health'
>;

export interface LanesOptions {
  readonly config: LanesConfig;
  readonly clock: Clock;
  /** Asks for an endpoint's metrics sooner than usual, while a limit is being learned. */
  readonly scrapeSoon: (endpoint: Endpoint) => void;
  readonly observer?: PoolObserver | undefined;
}

export class Lanes implements Reconfigurable<LanesConfig> {
  readonly #options: LanesOptions;
  #config: LanesConfig;
  readonly #lanes = new Map<Pool, OpenLane>();
  /** Lanes whose pool is gone and whose requests are not. */
  readonly #ending = new Set<OpenLane>();
  #bypass: boolean;

  constructor(options: LanesOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#bypass = !options.config.flowControlEnabled;
  }

  get(pool: Pool): Lane | undefined {
    return this.#lanes.get(pool);
  }

  /** True while everything is dispatched as it comes. */
  get bypass(): boolean {
    return this.#bypass;
  }

  /** Applies to the lanes there are and to those to come. */
  setBypass(on: boolean): void {
    this.#bypass = on;
    for (const { controller } of this.#all()) controller.setBypass(on);
  }

  add(pool: Pool): void {
    if (this.#lanes.has(pool)) return;
    const { clock, scrapeSoon, observer } = this.#options;
    const { detector, tokens, flowControl } = this.#config;
    const tell = observer && ((event: FlowEvent): void => observer(pool.name, event));
    const { slowStartMs } = this.#config.health;
    const scheduler = this.#schedulerFor(pool);
    const placement = new PoolPlacement({
      pool,
      detector,
      tokens,
      chooser: scheduler,
      clock,
      scrapeSoon,
      slowStartMs,
    });
    const controller = new FlowController({ config: flowControl, placement, clock, observer: tell });
    controller.setBypass(this.#bypass);
    this.#lanes.set(pool, { pool, scheduler, placement, controller });
  }

  /**
   * Every lane goes on with another configuration, those included that only finish what they hold.
   *
   * @throws Error when a new policy cannot begin; nothing changes before `swap`.
   */
  prepare(config: LanesConfig): Swap {
    tryPolicies(config.flowControl, config.detector);
    return {
      swap: () => {
        const wasEnabled = this.#config.flowControlEnabled;
        this.#config = config;
        const { detector, tokens, health } = config;
        const { slowStartMs } = health;
        for (const lane of this.#all()) {
          lane.scheduler = this.#schedulerFor(lane.pool);
          lane.placement.reconfigure({ detector, tokens, chooser: lane.scheduler, slowStartMs });
          lane.controller.reconfigure(config.flowControl);
        }
        // Who switched the bypass by hand keeps it.
        if (config.flowControlEnabled !== wasEnabled) this.setBypass(!config.flowControlEnabled);
      },
    };
  }

  remove(pool: Pool): void {
    const lane = this.#lanes.get(pool);
    if (lane === undefined) return;
    this.#lanes.delete(pool);
    this.#ending.add(lane);
    void lane.controller.close().then(() => this.#ending.delete(lane));
  }

  /** Fresh metrics of an endpoint: whoever waits for it may have room now. */
  metricsRead(endpoint: Endpoint): void {
    for (const { pool, placement, controller } of this.#lanes.values()) {
      if (!pool.endpoints.includes(endpoint)) continue;
      placement.metricsRead(endpoint);
      controller.wake();
    }
  }

  /** Milliseconds, 100 to 60 000, after which the slowest lane has room again. */
  retryAfterMs(): number {
    return Math.max(100, ...[...this.#lanes.values()].map(({ controller }) => controller.retryAfterMs()));
  }

  views(): PoolView[] {
    const { detector } = this.#config;
    return [...this.#lanes.values()].map(({ pool, placement, controller }) => ({
      name: pool.name,
      models: [...new Set(pool.endpoints.flatMap(({ baseModels, adapters }) => [...baseModels, ...adapters]))],
      detector: detector.name,
      endpoints: pool.endpoints.map((endpoint) => ({ endpoint, limit: placement.limitOf(endpoint) ?? Infinity })),
      snapshot: controller.snapshot(),
    }));
  }

  /** Refuses new requests and resolves when every accepted one has ended. */
  async close(): Promise<void> {
    await Promise.all(this.#all().map(({ controller }) => controller.close()));
  }

  /** Evicts whatever waits. */
  destroy(): void {
    for (const { controller } of this.#all()) controller.destroy();
  }

  #schedulerFor(pool: Pool): Scheduler {
    const { clock, observer } = this.#options;
    return new Scheduler({
      ...this.#config.scheduling,
      onFault: ({ name: plugin }, error) =>
        observer?.(pool.name, {
          kind: 'plugin-fault',
          plugin,
          band: undefined,
          message: String(error),
          atMs: clock.now(),
        }),
    });
  }

  #all(): OpenLane[] {
    return [...this.#lanes.values(), ...this.#ending];
  }
}
