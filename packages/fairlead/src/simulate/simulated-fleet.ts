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
import { ModelledServer } from '@fairlead/core/testing';
import type { PromptBlocks, ServerJob, ServerModel } from '@fairlead/core/testing';
import type { Fault, FleetModel } from './scenario-fields.ts';

/** The model that all serve. */
export const MODEL = 'model';

/** Between two looks at a server that is down. */
const LOOK_MS = 1000;
/** How soon metrics are read that somebody waits for. */
const SOON_MS = 50;
const TOKENS = new Uint8Array(0);

/** A request as far as it is a server's business. */
export interface ServerWork {
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly blocks: PromptBlocks;
  cachedTokens: number;
  /** So many tokens of its answer are there; told before they are sent. */
  produced(tokens: number, isAll: boolean): void;
}

/** The request of which the fleet sees only the body. */
export type WorkOf = (body: UpstreamRequest['body']) => ServerWork;

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
  readonly engine: ModelledServer;
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
  readonly #keepsPrompts: boolean;
  readonly #onRead: ((endpoint: Endpoint) => void)[] = [];

  constructor(options: SimulatedFleetOptions) {
    const { model, clock } = options;
    this.#clock = clock;
    this.#workOf = options.workOf;
    this.#keepsPrompts = model.prefixCacheTokens > 0;
    this.#servers = Array.from({ length: model.servers }, (_, index) => {
      const name = `server-${index + 1}`;
      const endpoint = new Endpoint({ name, url: `http://${name}`, labels: {} });
      endpoint.baseModels = new Set([MODEL]);
      return { endpoint, engine: new ModelledServer({ ...options, model: serverModel(model) }), isAwaited: false };
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

  get engines(): readonly ModelledServer[] {
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
  fault(fault: Fault): void {
    const { what, server: number, for: forMs, factor, period } = fault;
    const { engine } = this.#servers[number - 1]!;
    const endMs = this.#clock.now() + forMs;
    if (what === 'kill') this.#kill(engine, endMs);
    else if (what === 'flap') this.#flap(engine, period, endMs);
    else if (what === 'slow') {
      engine.slowDown(factor);
      this.#clock.at(endMs, () => engine.slowDown(1));
    } else {
      engine.freezeMetrics(true);
      this.#clock.at(endMs, () => engine.freezeMetrics(false));
    }
  }

  send({ endpoint, body }: UpstreamRequest, handler: UpstreamHandler): UpstreamCall {
    const { engine } = this.#byEndpoint.get(endpoint)!;
    const work = this.#workOf(body);
    let hasBegun = false;
    let isOver = false;
    const job: ServerJob = {
      promptTokens: work.promptTokens,
      outputTokens: work.outputTokens,
      blocks: this.#keepsPrompts ? work.blocks : undefined,
      onFirstToken: (cachedTokens) => {
        hasBegun = true;
        work.cachedTokens = cachedTokens;
        handler.onHeaders(200, []);
        work.produced(1, false);
        handler.onData(TOKENS);
      },
      onTokens: (tokens) => {
        work.produced(tokens, false);
        handler.onData(TOKENS);
      },
      onFinished: () => {
        isOver = true;
        work.produced(work.outputTokens, true);
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

  #kill(engine: ModelledServer, untilMs: number): void {
    if (engine.isUp) engine.kill();
    this.#clock.at(untilMs, () => engine.revive());
  }

  #flap(engine: ModelledServer, periodMs: number, endMs: number): void {
    const nowMs = this.#clock.now();
    if (nowMs >= endMs) return;
    this.#kill(engine, Math.min(endMs, nowMs + periodMs));
    this.#clock.at(nowMs + 2 * periodMs, () => this.#flap(engine, periodMs, endMs));
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

function serverModel({ slots, prefill, prefillTokensPerS, token, ...model }: FleetModel): ServerModel {
  const { prefillStopsDecode, batchSlowdown, kvTokens, prefixCacheTokens, noise } = model;
  return {
    ...{ slots, prefillMs: prefill, prefillTokensPerS: prefillTokensPerS || Infinity, tokenMs: token },
    ...{ prefillStopsDecode, batchSlowdown, kvTokens, prefixCacheTokens, noise },
  };
}
