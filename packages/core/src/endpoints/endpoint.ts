// SPDX-License-Identifier: Apache-2.0

/**
 * One model server address with everything dispatch has to know of it: what it serves, whether it is up, what its
 * metrics last said, and what was dispatched and finished here since then, by which those metrics are corrected.
 */

/** What discovery says of an endpoint. */
export interface EndpointSpec {
  /** Unique in the configuration; what logs and metrics show. */
  readonly name: string;
  /** Base URL, `http://host:port[/prefix]`, without a trailing slash. */
  readonly url: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** An engine's KV cache, as it describes it. */
export interface EngineCache {
  /** Tokens of one block. */
  readonly blockTokens: number;
  readonly blocks: number;
}

/** The LoRA adapters an engine has work for. */
export interface EngineLora {
  readonly running: ReadonlySet<string>;
  readonly waiting: ReadonlySet<string>;
  /** How many it runs at once. */
  readonly max: number;
}

/** One reading of a model server's own metrics. */
export interface EngineMetrics {
  /** Requests in the engine's own queue. */
  readonly waiting: number;
  /** Requests (sequences) the engine is running. */
  readonly running: number;
  /** Share of the KV cache in use, 0 to 1; undefined when the engine does not tell. */
  readonly kvUsage?: number | undefined;
  /** Undefined when the engine does not tell. */
  readonly cache?: EngineCache | undefined;
  /** Undefined when the engine does not tell. */
  readonly lora?: EngineLora | undefined;
}

/** A reading with its place in time. */
export interface MetricsReading extends EngineMetrics {
  readonly atMs: number;
  /** Sequences dispatched to the endpoint, ever, when the reading was asked for. */
  readonly dispatchedBefore: number;
  /** Sequences finished at the endpoint, ever, when the reading arrived. */
  readonly finishedBefore: number;
}

export class Endpoint {
  readonly name: string;
  readonly url: string;
  /** As discovery last said. */
  labels: Readonly<Record<string, string>>;
  /** Base models served; a pool is made of endpoints that share one. Empty until known. */
  baseModels: ReadonlySet<string> = new Set();
  /** Adapters served beside the base models. */
  adapters: ReadonlySet<string> = new Set();
  /** False while it refuses connections or fails its health check; it is then chosen for nothing. */
  up = true;
  /** Why it is down or not believed, for `/state`; undefined when all is well. */
  problem: string | undefined;
  /** The last reading, kept when later scrapes fail. */
  metrics: MetricsReading | undefined;
  /** Scrapes in a row that failed; the reading is then old, not wrong. */
  scrapeFailures = 0;
  /** The largest `running` ever read: what the engine is known to run at once. */
  peakRunning = 0;
  /** Sequences in flight from here: Σ of its permits. */
  inFlight = 0;
  /** Requests in flight from here. */
  requestsInFlight = 0;
  /** Tokens in flight from here, as estimated at dispatch: Σ of its permits. */
  tokensInFlight = 0;
  /** Sequences dispatched to it and finished at it, ever. */
  dispatched = 0;
  finished = 0;

  /** What plugins remember of it, each under its type and name: it outlives a reload, and goes with the endpoint. */
  readonly memories = new Map<string, unknown>();

  constructor(spec: EndpointSpec) {
    this.name = spec.name;
    this.url = spec.url;
    this.labels = spec.labels;
  }

  serves(model: string): boolean {
    return this.baseModels.has(model) || this.adapters.has(model);
  }

  /** Takes capacity for a dispatched request. */
  take(sequences: number, tokens = 0): void {
    this.inFlight += sequences;
    this.tokensInFlight += tokens;
    this.requestsInFlight += 1;
    this.dispatched += sequences;
  }

  /** Gives back what `take` took, with the same numbers. */
  release(sequences: number, tokens = 0): void {
    this.inFlight -= sequences;
    this.tokensInFlight -= tokens;
    this.requestsInFlight -= 1;
    this.finished += sequences;
  }

  /**
   * Stores a reading. `dispatchedBefore` is `dispatched` as it was when the scrape was sent: what was dispatched while
   * the page was under way may or may not be in it, and is counted as not.
   */
  noteMetrics(metrics: EngineMetrics, dispatchedBefore: number, nowMs: number): void {
    this.metrics = { ...metrics, atMs: nowMs, dispatchedBefore, finishedBefore: this.finished };
    this.scrapeFailures = 0;
    if (metrics.running > this.peakRunning) this.peakRunning = metrics.running;
  }

  /**
   * The engine's own queue as it should be by now: the last reading plus what was dispatched since, less what finished
   * since and what the engine is known to have had room for. Undefined when it never told.
   */
  waitingEstimate(): number | undefined {
    const reading = this.metrics;
    if (reading === undefined) return undefined;
    const room = reading.waiting > 0 ? 0 : Math.max(0, this.peakRunning - reading.running);
    return Math.max(0, reading.waiting + this.#addedSince(reading) - room);
  }

  /** The sequences that the engine should be running by now: all that it should hold, less `waitingEstimate`. */
  runningEstimate(): number | undefined {
    const reading = this.metrics;
    const waiting = this.waitingEstimate();
    if (reading === undefined || waiting === undefined) return undefined;
    return Math.max(0, reading.waiting + reading.running + this.#addedSince(reading) - waiting);
  }

  #addedSince({ dispatchedBefore, finishedBefore }: MetricsReading): number {
    return this.dispatched - dispatchedBefore - (this.finished - finishedBefore);
  }
}
