// SPDX-License-Identifier: Apache-2.0

/**
 * The fleet as the director sees it, without a socket: one pool of modelled servers, whose metrics are read as often as
 * configured. Which of them are up is found out as `fairlead serve` does it, by probes and by what becomes of requests.
 */

import { Endpoint, Pool } from '@fairlead/core';
import type { Clock, Random } from '@fairlead/core';
import type { OutlierDetectionConfig } from '../config/resolved.ts';
import type {
  FleetPort,
  ServedModel,
  UpstreamCall,
  UpstreamHandler,
  UpstreamPort,
  UpstreamRequest,
} from '../director/ports.ts';
import { EndpointWatch } from '../model-servers/endpoint-watch.ts';
import type { Gets } from '../model-servers/getter.ts';
import { Problems } from '../model-servers/problems.ts';
import { LateAnswer, UpstreamError } from '../model-servers/upstream-error.ts';
import { ModelledServer } from '@fairlead/core/testing';
import type { PromptBlocks, ServerJob, ServerModel } from '@fairlead/core/testing';
import type { Fault, FleetModel } from './scenario-fields.ts';

/** The model that all serve. */
export const MODEL = 'model';

/** How soon metrics are read that somebody waits for. */
const SOON_MS = 50;
const REFUSED = 'connection refused';
const TOKENS = new Uint8Array(0);

/** A request as far as it is a server's business. */
export interface ServerWork {
  readonly promptTokens: number;
  readonly outputTokens: number;
  cachedTokens: number;
  /** Its prompt, in blocks of so many tokens. */
  blocks(blockTokens: number): PromptBlocks;
  /** So many tokens of its answer are there; told before they are sent. */
  produced(tokens: number, isAll: boolean): void;
}

/** The request of which the fleet sees only the body. */
export type WorkOf = (body: UpstreamRequest['body']) => ServerWork;

export interface SimulatedFleetOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** For the times of probes. */
  readonly probeRandom: Random;
  readonly model: FleetModel;
  readonly outlierDetection: OutlierDetectionConfig;
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
  readonly #byUrl = new Map<string, Server>();
  readonly #watch: EndpointWatch;
  readonly #clock: Clock;
  readonly #workOf: WorkOf;
  /** Of what servers keep of prompts; undefined when they keep nothing. */
  readonly #blockTokens: number | undefined;
  readonly #onRead: ((endpoint: Endpoint) => void)[] = [];

  constructor(options: SimulatedFleetOptions) {
    const { model, clock } = options;
    this.#clock = clock;
    this.#workOf = options.workOf;
    this.#blockTokens = model.prefixCacheTokens > 0 ? model.prefixCacheBlockTokens : undefined;
    this.#servers = Array.from({ length: model.servers }, (_, index) => {
      const name = `server-${index + 1}`;
      const endpoint = new Endpoint({ name, url: `http://${name}`, labels: {} });
      endpoint.baseModels = new Set([MODEL]);
      return { endpoint, engine: new ModelledServer({ ...options, model: serverModel(model) }), isAwaited: false };
    });
    for (const server of this.#servers) {
      this.#byEndpoint.set(server.endpoint, server);
      this.#byUrl.set(server.endpoint.url, server);
    }
    this.#pool.setEndpoints(this.#servers.map(({ endpoint }) => endpoint));
    this.#watch = new EndpointWatch({
      clock,
      random: options.probeRandom,
      config: options.outlierDetection,
      problems: new Problems(),
      getter: this.#getter,
      poolOf: () => this.#pool.endpoints,
      onChange: (endpoint) => {
        if (endpoint.up) this.scrapeSoon(endpoint);
        this.#pool.refresh();
      },
    });
    this.health = this.#watch.port;
    for (const { endpoint } of this.#servers) this.#watch.add(endpoint);
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

  send({ endpoint, body, firstByteTimeoutMs }: UpstreamRequest, handler: UpstreamHandler): UpstreamCall {
    const { engine } = this.#byEndpoint.get(endpoint)!;
    const work = this.#workOf(body);
    let hasBegun = false;
    let isOver = false;
    const isLate = (): void => {
      isOver = true;
      engine.abort(job);
      this.#watch.suspect(endpoint);
      handler.onError(new LateAnswer('timeout-first-byte'));
    };
    const deadline =
      firstByteTimeoutMs > 0 ? this.#clock.at(this.#clock.now() + firstByteTimeoutMs, isLate) : undefined;
    const job: ServerJob = {
      promptTokens: work.promptTokens,
      outputTokens: work.outputTokens,
      blocks: this.#blockTokens === undefined ? undefined : work.blocks(this.#blockTokens),
      onFirstToken: (cachedTokens) => {
        hasBegun = true;
        deadline?.cancel();
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
        deadline?.cancel();
        this.#watch.suspect(endpoint);
        handler.onError({ kind: hasBegun ? 'died' : 'reset', message: 'the server was killed' });
      },
    };
    // Nothing is told before this has returned.
    this.#clock.soon(() => {
      if (isOver) return;
      if (engine.isUp) return engine.submit(job);
      isOver = true;
      deadline?.cancel();
      handler.onError({ kind: 'refused', message: REFUSED });
    });
    return {
      abort: () => {
        if (!isOver) engine.abort(job);
        isOver = true;
        deadline?.cancel();
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

  /** Health pages: they answer while the server is there. */
  get #getter(): Gets {
    return {
      get: ({ url }, onGot) => {
        const alarm = this.#clock.at(this.#clock.now(), () => {
          const isUp = this.#byUrl.get(url)?.engine.isUp === true;
          onGot(isUp ? { status: 200 } : { error: new UpstreamError('refused', REFUSED) });
        });
        return { cancel: () => alarm.cancel() };
      },
    };
  }

  #readEvery(server: Server, intervalMs: number): void {
    this.#read(server);
    this.#clock.at(this.#clock.now() + intervalMs, () => this.#readEvery(server, intervalMs));
  }

  #read({ endpoint, engine }: Server): void {
    if (!engine.isUp) {
      endpoint.scrapeFailures += 1;
      this.#watch.refused(endpoint, REFUSED);
      return;
    }
    endpoint.noteMetrics(engine.metrics, endpoint.dispatched, this.#clock.now());
    for (const callback of this.#onRead) callback(endpoint);
  }
}

function serverModel({ slots, prefill, prefillTokensPerS, prefillSlowdown, token, ...model }: FleetModel): ServerModel {
  const { prefillStopsDecode, batchSlowdown, contextSlowdown, kvTokens, prefixCacheTokens, noise } = model;
  return {
    ...{ slots, prefillMs: prefill, prefillTokensPerS: prefillTokensPerS || Infinity, prefillSlowdown, tokenMs: token },
    ...{ prefillStopsDecode, batchSlowdown, contextSlowdown, kvTokens, prefixCacheTokens, noise },
  };
}
