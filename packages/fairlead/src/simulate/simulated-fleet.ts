// SPDX-License-Identifier: Apache-2.0

/**
 * The fleet as the director sees it, without a socket: one pool of modelled servers, whose metrics are read as often as
 * configured, and which are found again a while after they came back.
 */

import { Endpoint, Pool } from '@fairlead/core';
import type { Clock, Random } from '@fairlead/core';
import type {
  FleetPort,
  ServedModel,
  UpstreamCall,
  UpstreamHandler,
  UpstreamPort,
  UpstreamRequest,
} from '../director/ports.ts';
import type { Fault, FleetModel } from './scenario-fields.ts';
import { SimulatedEngine } from './simulated-engine.ts';
import type { Job } from './simulated-engine.ts';

/** The model that all serve. */
export const MODEL = 'model';

/** Between two looks at a server that is down. */
const LOOK_MS = 1000;
/** How soon metrics are read that somebody waits for. */
const SOON_MS = 50;
const TOKENS = new Uint8Array(0);

/** How long a request is, of which the fleet sees only the body. */
export type WorkOf = (body: UpstreamRequest['body']) => {
  readonly promptTokens: number;
  readonly outputTokens: number;
};

export interface SimulatedFleetOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly model: FleetModel;
  readonly scrapeIntervalMs: number;
  readonly workOf: WorkOf;
  /** What the servers run or keep waiting is about to change. */
  readonly onChange: () => void;
}

interface Server {
  readonly endpoint: Endpoint;
  readonly engine: SimulatedEngine;
  /** Metrics are to be read soon. */
  isAwaited: boolean;
}

export class SimulatedFleet implements FleetPort, UpstreamPort {
  readonly modelsKnown = true;
  readonly health: FleetPort['health'];
  readonly #pool = new Pool(MODEL);
  readonly #servers: readonly Server[];
  readonly #byEndpoint = new Map<Endpoint, Server>();
  readonly #clock: Clock;
  readonly #workOf: WorkOf;
  readonly #onRead: ((endpoint: Endpoint) => void)[] = [];

  constructor(options: SimulatedFleetOptions) {
    const { model, clock } = options;
    this.#clock = clock;
    this.#workOf = options.workOf;
    this.#servers = Array.from({ length: model.servers }, (_, index) => {
      const name = `server-${index + 1}`;
      const endpoint = new Endpoint({ name, url: `http://${name}`, labels: {} });
      endpoint.baseModels = new Set([MODEL]);
      return { endpoint, engine: new SimulatedEngine(options), isAwaited: false };
    });
    for (const server of this.#servers) this.#byEndpoint.set(server.endpoint, server);
    this.#pool.setEndpoints(this.#servers.map(({ endpoint }) => endpoint));
    const nothing = (): void => undefined;
    this.health = {
      refused: (endpoint, why) => this.#isDown(endpoint, why),
      nonsense: nothing,
      failed: nothing,
      answered: nothing,
      firstByte: nothing,
    };
    if (model.metrics) for (const server of this.#servers) this.#readEvery(server, options.scrapeIntervalMs);
  }

  get pools(): readonly Pool[] {
    return [this.#pool];
  }

  get engines(): readonly SimulatedEngine[] {
    return this.#servers.map(({ engine }) => engine);
  }

  poolFor(model: string): Pool | undefined {
    return model === MODEL ? this.#pool : undefined;
  }

  models(): readonly ServedModel[] {
    return [{ id: MODEL, pool: this.#pool }];
  }

  /** The pool is always the same. */
  onPools(): void {}

  onRead(callback: (endpoint: Endpoint) => void): void {
    this.#onRead.push(callback);
  }

  scrapeSoon(endpoint: Endpoint): void {
    const server = this.#byEndpoint.get(endpoint);
    if (server === undefined || server.isAwaited || server.endpoint.metrics === undefined) return;
    server.isAwaited = true;
    this.#clock.at(this.#clock.now() + SOON_MS, () => {
      server.isAwaited = false;
      this.#read(server);
    });
  }

  /** Lets something go wrong, now, and be right again in time. */
  fault({ what, server: number, for: forMs, factor }: Fault): void {
    const { engine } = this.#servers[number - 1]!;
    if (what === 'kill') engine.kill();
    else if (what === 'slow') engine.slowness = factor;
    else engine.freezeMetrics(true);
    this.#clock.at(this.#clock.now() + forMs, () => {
      if (what === 'kill') engine.isUp = true;
      else if (what === 'slow') engine.slowness = 1;
      else engine.freezeMetrics(false);
    });
  }

  send({ endpoint, body }: UpstreamRequest, handler: UpstreamHandler): UpstreamCall {
    const { engine } = this.#byEndpoint.get(endpoint)!;
    let hasBegun = false;
    let isOver = false;
    const job: Job = {
      ...this.#workOf(body),
      onFirstToken: () => {
        hasBegun = true;
        handler.onHeaders(200, []);
        handler.onData(TOKENS);
      },
      onEnd: () => {
        isOver = true;
        handler.onEnd();
      },
      onKilled: () => {
        isOver = true;
        this.#isDown(endpoint, 'the server was killed');
        handler.onError({ kind: hasBegun ? 'died' : 'reset', message: 'the server was killed' });
      },
    };
    // Nothing is told before this has returned.
    this.#clock.soon(() => {
      if (isOver) return;
      if (engine.isUp) engine.submit(job);
      else handler.onError({ kind: 'refused', message: 'connection refused' });
    });
    return {
      abort: () => {
        if (!isOver) engine.abort(job);
        isOver = true;
      },
      resume: () => undefined,
    };
  }

  #isDown(endpoint: Endpoint, why: string): void {
    if (!endpoint.up) return;
    endpoint.up = false;
    endpoint.problem = why;
    this.#pool.refresh();
    this.#lookAgain(endpoint);
  }

  #lookAgain(endpoint: Endpoint): void {
    this.#clock.at(this.#clock.now() + LOOK_MS, () => {
      if (this.#byEndpoint.get(endpoint)?.engine.isUp !== true) return this.#lookAgain(endpoint);
      endpoint.up = true;
      endpoint.problem = undefined;
      this.#pool.refresh();
    });
  }

  #readEvery(server: Server, intervalMs: number): void {
    this.#read(server);
    this.#clock.at(this.#clock.now() + intervalMs, () => this.#readEvery(server, intervalMs));
  }

  #read({ endpoint, engine }: Server): void {
    if (!engine.isUp) {
      endpoint.scrapeFailures += 1;
      return;
    }
    endpoint.noteMetrics(engine.metrics, endpoint.dispatched, this.#clock.now());
    for (const callback of this.#onRead) callback(endpoint);
  }
}
