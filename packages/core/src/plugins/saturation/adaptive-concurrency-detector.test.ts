// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Endpoint } from '../../endpoints/endpoint.ts';
import { FlowControlKit } from '../../testing/flow-control-kit.ts';
import { ModelledServer } from '../../testing/modelled-server.ts';
import type { ServerModel } from '../../testing/modelled-server.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { seededRandom } from '../../testing/seeded-random.ts';
import { adaptiveConcurrencyDetector } from './adaptive-concurrency-detector.ts';

const SCRAPE_MS = 500;
const SOON_MS = 50;
const SEED = 20261123;

/** An engine of which nothing but its slots bounds what it runs. */
const ENGINE: Omit<ServerModel, 'slots'> = {
  prefillMs: 50,
  prefillTokensPerS: Infinity,
  prefillSlowdown: 0,
  prefillStopsDecode: false,
  tokenMs: 10,
  batchSlowdown: 0,
  contextSlowdown: 0,
  kvTokens: Infinity,
  prefixCacheTokens: 0,
  noise: 0,
};

/** Closed loops of 50 to 150 tokens against modelled engines, behind a controller that learns their limits. */
class Flood {
  readonly kit: FlowControlKit;
  readonly engines: ModelledServer[];
  /** Tokens made so far. */
  tokens = 0;
  /** The longest that an engine's own queue has been. */
  peakWaiting = 0;
  /** KV use that metrics tell, whatever the engines hold; undefined: they tell none. */
  kvUsage: number | undefined;
  /** Engines whose metrics can be read. */
  scraped = true;
  readonly #random = seededRandom(SEED);
  readonly #soon = new Set<Endpoint>();

  constructor(options: { readonly slots: readonly number[]; readonly metrics: boolean }) {
    const detector = instanceOf(adaptiveConcurrencyDetector);
    this.scraped = options.metrics;
    this.kit = new FlowControlKit({
      endpoints: options.slots.length,
      detector,
      scrapeSoon: (endpoint) => {
        this.#scrapeSoon(endpoint);
      },
    });
    this.engines = options.slots.map((slots) => {
      const model = { ...ENGINE, slots };
      return new ModelledServer({ clock: this.kit.clock, random: this.#random, model });
    });
    for (const endpoint of this.kit.endpoints) this.#scrapeLater(endpoint);
  }

  loops(count: number): void {
    for (let loop = 0; loop < count; loop += 1) this.#next();
  }

  limits(): (number | undefined)[] {
    return this.kit.endpoints.map((endpoint) => this.kit.placement.limitOf(endpoint));
  }

  #next(): void {
    const request = this.kit.request();
    this.kit.controller.enqueue(request, (settled) => {
      if (!('permit' in settled)) {
        this.#next();
        return;
      }
      const { permit } = settled;
      const engine = this.engines[this.kit.endpoints.indexOf(permit.endpoint)]!;
      const outputTokens = 50 + Math.floor(this.#random() * 101);
      engine.submit({
        promptTokens: 0,
        outputTokens,
        onFirstToken: () => {
          permit.firstToken();
        },
        onTokens: () => undefined,
        onFinished: () => {
          this.tokens += outputTokens;
          permit.end('succeeded');
          this.#next();
        },
        onKilled: () => undefined,
      });
      this.peakWaiting = Math.max(this.peakWaiting, engine.waiting);
    });
  }

  #scrape(endpoint: Endpoint): void {
    const engine = this.engines[this.kit.endpoints.indexOf(endpoint)];
    if (!this.scraped || engine === undefined) return;
    endpoint.noteMetrics({ ...engine.metrics, kvUsage: this.kvUsage }, endpoint.dispatched, this.kit.clock.now());
    this.kit.placement.metricsRead(endpoint);
  }

  #scrapeLater(endpoint: Endpoint): void {
    this.kit.clock.at(this.kit.clock.now() + SCRAPE_MS, () => {
      this.#scrape(endpoint);
      this.#scrapeLater(endpoint);
    });
  }

  #scrapeSoon(endpoint: Endpoint): void {
    if (this.#soon.has(endpoint)) return;
    this.#soon.add(endpoint);
    this.kit.clock.at(this.kit.clock.now() + SOON_MS, () => {
      this.#soon.delete(endpoint);
      this.#scrape(endpoint);
    });
  }
}

describe('adaptive-concurrency-detector', () => {
  it('finds three limits of different size from metrics within two seconds of a flood', () => {
    const flood = new Flood({ slots: [8, 4, 24], metrics: true });
    flood.kit.clock.advance(1000);
    flood.loops(200);
    flood.kit.clock.advance(2000);
    assert.deepEqual(flood.limits(), [8, 4, 24]);
  });

  it('then keeps the engine full, its own queue between none and one, and its tokens at 97 % of the ceiling', () => {
    const flood = new Flood({ slots: [8, 8, 8], metrics: true });
    flood.kit.clock.advance(1000);
    flood.loops(100);
    flood.kit.clock.advance(5000);
    flood.peakWaiting = 0;
    const before = flood.tokens;
    flood.kit.clock.advance(60_000);
    assert.ok(flood.peakWaiting <= 1);
    const ceiling = 24 * 60 * (100 / (0.05 + 99 * 0.01));
    assert.ok((flood.tokens - before) / ceiling >= 0.97, `${(flood.tokens - before) / ceiling} of the ceiling`);
  });

  it('overshoots by at most an eighth of the slots while it looks', () => {
    const flood = new Flood({ slots: [40], metrics: true });
    flood.kit.clock.advance(1000);
    flood.loops(200);
    flood.kit.clock.advance(10_000);
    assert.ok(flood.peakWaiting <= 5, `queue of ${flood.peakWaiting}`);
  });

  it('grows when the engine does, because it tries one more now and then', () => {
    const flood = new Flood({ slots: [8], metrics: true });
    flood.loops(100);
    flood.kit.clock.advance(10_000);
    assert.deepEqual(flood.limits(), [8]);
    for (const engine of flood.engines) engine.resize(16);
    flood.kit.clock.advance(60_000);
    assert.deepEqual(flood.limits(), [16]);
  });

  it('shrinks when the engine does', () => {
    const flood = new Flood({ slots: [16], metrics: true });
    flood.loops(100);
    flood.kit.clock.advance(10_000);
    for (const engine of flood.engines) engine.resize(5);
    flood.kit.clock.advance(10_000);
    assert.deepEqual(flood.limits(), [5]);
  });

  it('follows a capacity that the KV cache set, once the cache is free again', () => {
    const flood = new Flood({ slots: [5], metrics: true });
    const [engine] = flood.engines;
    assert.ok(engine);
    flood.kvUsage = 0.97;
    flood.loops(100);
    flood.kit.clock.advance(10_000);
    assert.deepEqual(flood.limits(), [5]);
    engine.resize(20);
    flood.kvUsage = 0.3;
    flood.kit.clock.advance(5000);
    assert.deepEqual(flood.limits(), [20]);
  });

  it('does not take a request that waits for one engine step for a full engine', () => {
    const flood = new Flood({ slots: [8], metrics: true });
    const [endpoint] = flood.kit.endpoints;
    assert.ok(endpoint);
    flood.kit.clock.advance(1000);
    endpoint.noteMetrics({ running: 0, waiting: 1 }, 0, flood.kit.clock.now());
    flood.kit.placement.metricsRead(endpoint);
    endpoint.noteMetrics({ running: 1, waiting: 0 }, 0, flood.kit.clock.now());
    flood.kit.placement.metricsRead(endpoint);
    assert.deepEqual(flood.limits(), [4]);
  });

  it('keeps the limit it has when the metrics stop', () => {
    const flood = new Flood({ slots: [8], metrics: true });
    flood.loops(100);
    flood.kit.clock.advance(10_000);
    flood.scraped = false;
    flood.kit.clock.advance(300_000);
    assert.deepEqual(flood.limits(), [8]);
    assert.equal(flood.kit.endpoints[0]?.inFlight, 8);
  });

  it('starts at 64 without metrics and comes down to about the slots by times to first token', () => {
    const flood = new Flood({ slots: [8], metrics: false });
    assert.deepEqual(flood.limits(), [64]);
    flood.loops(100);
    flood.kit.clock.advance(60_000);
    const [limit] = flood.limits();
    assert.ok(limit !== undefined && limit >= 7 && limit <= 10, `limit ${limit}`);
  });

  it('learns nothing of slots from a request that was alone on its engine, however late its first token came', () => {
    const kit = new FlowControlKit({ detector: instanceOf(adaptiveConcurrencyDetector) });
    for (const ttftMs of [20, ...Array<number>(50).fill(900)]) {
      kit.enqueue();
      kit.settle();
      kit.clock.advance(ttftMs);
      kit.permits[0]?.firstToken();
      kit.finishOne();
    }
    assert.equal(kit.placement.limitOf(kit.endpoints[0]!), 64);
  });

  it('keeps a large engine busy without metrics', () => {
    const flood = new Flood({ slots: [48], metrics: false });
    flood.loops(200);
    flood.kit.clock.advance(60_000);
    const [limit] = flood.limits();
    assert.ok(limit !== undefined && limit >= 44 && limit <= 56, `limit ${limit}`);
  });

  it('lets others be served while an endpoint whose limit has shrunk works off what it holds', () => {
    const kit = new FlowControlKit({ endpoints: 2, detector: instanceOf(adaptiveConcurrencyDetector) });
    const [shrinking, idle] = kit.endpoints;
    assert.ok(shrinking && idle);
    idle.up = false;
    kit.pool.refresh();
    for (let index = 0; index < 64; index += 1) kit.enqueue();
    kit.settle();
    for (let reading = 0; reading < 2; reading += 1) {
      shrinking.noteMetrics({ running: 4, waiting: 60, kvUsage: 0.99 }, shrinking.dispatched, kit.clock.now());
      kit.placement.metricsRead(shrinking);
    }
    idle.up = true;
    kit.pool.refresh();
    for (let index = 0; index < 64; index += 1) kit.enqueue();
    kit.settle();
    assert.deepEqual([shrinking.inFlight, kit.placement.limitOf(shrinking)], [64, 4]);
    assert.equal(idle.inFlight, 64);
  });

  it('does not take a request of more sequences than the engine has slots for the work of strangers', () => {
    const flood = new Flood({ slots: [8], metrics: true });
    flood.loops(100);
    flood.kit.clock.advance(10_000);
    const { kit } = flood;
    const [endpoint] = kit.endpoints;
    assert.ok(endpoint);
    flood.scraped = false;
    endpoint.release(7);
    endpoint.take(24);
    kit.placement.metricsRead(endpoint);
    for (let reading = 0; reading < 4; reading += 1) {
      endpoint.noteMetrics({ running: 8, waiting: 17 }, endpoint.dispatched, kit.clock.now());
      kit.placement.metricsRead(endpoint);
    }
    assert.deepEqual(flood.limits(), [8]);
  });

  it('remembers the limit of an endpoint that went away and came back', () => {
    const flood = new Flood({ slots: [8, 8], metrics: true });
    flood.loops(100);
    flood.kit.clock.advance(10_000);
    const [first, second] = flood.kit.endpoints;
    assert.ok(first && second);
    first.up = false;
    flood.kit.pool.refresh();
    assert.deepEqual(flood.limits(), [undefined, 8]);
    first.up = true;
    flood.kit.pool.refresh();
    assert.deepEqual(flood.limits(), [8, 8]);
  });
});
