// SPDX-License-Identifier: Apache-2.0

/**
 * The load against real model servers over real sockets: what it sends, what it counts, and that it stops.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelServer, ModelServerOptions } from '../../model-server/model-server.ts';
import { startModelServer } from '../../model-server/model-server.ts';
import { Load } from './load.ts';
import { Tally } from './tally.ts';
import type { TenantTally } from './tally.ts';
import type { Tenant } from './tenant.ts';

const batch: Tenant = {
  name: 'batch',
  apiKey: 'key-of-batch',
  arrivals: { kind: 'closed', loops: 3, thinkMs: 0 },
  outputTokens: { min: 2, max: 4 },
};
const visitor: Tenant = {
  name: 'visitor',
  arrivals: { kind: 'open', requestsPerS: 500, spacing: 'poisson' },
  outputTokens: { min: 1, max: 1 },
};

/** Tells when enough of something has been entered. */
class WatchedTally extends Tally {
  #waiting: { enough: () => boolean; resolve: () => void }[] = [];
  #due = false;

  override of(name: string): TenantTally {
    // Asked for at each entry; what is being entered now is there in the next turn.
    if (!this.#due && this.#waiting.length > 0) setImmediate(() => this.#check());
    this.#due = true;
    return super.of(name);
  }

  async until(enough: () => boolean): Promise<void> {
    if (enough()) return;
    this.#due = false;
    await new Promise<void>((resolve) => void this.#waiting.push({ enough, resolve }));
  }

  #check(): void {
    const reached = this.#waiting.filter(({ enough }) => enough());
    this.#waiting = this.#waiting.filter((one) => !reached.includes(one));
    for (const { resolve } of reached) resolve();
    this.#due = false;
  }
}

async function withServer(options: ModelServerOptions, story: (server: ModelServer) => Promise<void>): Promise<void> {
  const server = await startModelServer({ prefillMs: 1, tokenMs: 0.1, ...options });
  try {
    await story(server);
  } finally {
    await server.destroy();
  }
}

test('closed loops keep their number under way, draw their sizes, and show their key', async () => {
  await withServer({}, async (server) => {
    const tally = new WatchedTally();
    const load = new Load({ baseUrl: server.url, model: 'demo-model', tenants: [batch], seed: 1, tally });
    load.start();
    await tally.until(() => tally.of('batch').ok >= 30);
    assert.equal(load.underWay('batch').waiting + load.underWay('batch').running, 3);
    await load.stop();
    const { ok, failed, cancelled, requests, tokens, ttftMs, unanswered } = tally.of('batch');
    assert.deepEqual([failed, requests], [0, ok + cancelled]);
    assert.ok(tokens >= 2 * ok, `${tokens} tokens of ${ok} answers`);
    assert.ok(ttftMs.length >= ok && unanswered <= cancelled && cancelled <= 3);
    assert.deepEqual(load.underWay('batch'), { waiting: 0, running: 0 });
    const arrived = server.requests.filter(({ body }) => body !== '');
    const sizes = arrived.map(({ body }) => JSON.parse(body) as { max_tokens: number });
    assert.deepEqual(new Set(sizes.map((size) => size.max_tokens)), new Set([2, 3, 4]));
    for (const { headers } of server.requests) assert.equal(headers['authorization'], 'Bearer key-of-batch');
  });
});

test('open arrivals do not wait for answers, pause, and tell when everybody has been served', async () => {
  await withServer({ maxNumSeqs: 1, prefillMs: 10 }, async (server) => {
    const tally = new WatchedTally();
    const load = new Load({ baseUrl: server.url, model: 'demo-model', tenants: [visitor], seed: 1, tally });
    load.start();
    await tally.until(() => load.underWay('visitor').waiting > 5);
    load.pauseArrivals();
    await load.openRequestsBegun();
    assert.equal(load.underWay('visitor').waiting, 0);
    const begun = tally.of('visitor').ttftMs.length;
    load.resumeArrivals();
    await tally.until(() => tally.of('visitor').ttftMs.length > begun);
    await load.stop();
    assert.equal(tally.of('visitor').failed, 0);
  });
});

test('the same seed sends the same sizes in the same order', async () => {
  const sizesOf = async (seed: number): Promise<string[]> => {
    let bodies: string[] = [];
    await withServer({}, async (server) => {
      const tally = new WatchedTally();
      const one: Tenant = {
        ...batch,
        arrivals: { kind: 'closed', loops: 1, thinkMs: 0 },
        outputTokens: { min: 1, max: 99 },
      };
      const load = new Load({ baseUrl: server.url, model: 'demo-model', tenants: [one], seed, tally });
      load.start();
      await tally.until(() => tally.of('batch').ok >= 10);
      await load.stop();
      bodies = server.requests.slice(0, 10).map(({ body }) => body);
    });
    return bodies;
  };
  const [first, again, other] = [await sizesOf(5), await sizesOf(5), await sizesOf(6)];
  assert.deepEqual(first, again);
  assert.notDeepEqual(first, other);
});

test('failures are counted by what happened, and a stream that breaks is told from one that never began', async () => {
  await withServer({ failRate: 1 }, async (server) => {
    const tally = new WatchedTally();
    const load = new Load({ baseUrl: server.url, model: 'demo-model', tenants: [batch], seed: 1, tally });
    load.start();
    await tally.until(() => tally.of('batch').failed === 3);
    await load.stop();
    assert.deepEqual([...tally.of('batch').reasons], [['HTTP 500', 3]]);
    assert.equal(tally.of('batch').brokenStreams, 0);
  });
  const server = await startModelServer({ prefillMs: 1, tokenMs: 1, stallAfter: 2 });
  const tally = new WatchedTally();
  const load = new Load({ baseUrl: server.url, model: 'demo-model', tenants: [batch], seed: 4, tally });
  load.start();
  await tally.until(() => tally.of('batch').tokens >= 6);
  await server.destroy();
  await tally.until(() => tally.of('batch').failed >= 3);
  await load.stop();
  assert.ok((tally.of('batch').reasons.get('stream broken off') ?? 0) >= 1);
  assert.ok(tally.of('batch').brokenStreams >= 1);
});

test('a target that is not there is a failure, not a crash', async () => {
  const server = await startModelServer();
  await server.destroy();
  const tally = new WatchedTally();
  const load = new Load({ baseUrl: server.url, model: 'demo-model', tenants: [batch], seed: 1, tally });
  load.start();
  await tally.until(() => tally.of('batch').failed === 3);
  await load.stop();
  assert.deepEqual([...tally.of('batch').reasons], [['no answer (ECONNREFUSED)', 3]]);
});

test('what has no token when the load stops is entered with the time it had waited', async () => {
  await withServer({ prefillMs: 60_000 }, async (server) => {
    const tally = new WatchedTally();
    const load = new Load({ baseUrl: server.url, model: 'demo-model', tenants: [batch], seed: 1, tally });
    load.start();
    while (server.stats().running < 3) await new Promise((resolve) => setImmediate(resolve));
    await load.stop();
    const { cancelled, unanswered, ttftMs, requests } = tally.of('batch');
    assert.deepEqual([cancelled, unanswered, ttftMs.length, requests], [3, 3, 3, 3]);
    while (server.stats().running > 0) await new Promise((resolve) => setImmediate(resolve));
  });
});

test('rates are those of the window, endings are counted beyond it', () => {
  const tally = new Tally();
  tally.of('a').tokens += 10;
  tally.closeWindow();
  tally.of('a').tokens += 5;
  tally.of('late').tokens += 5;
  tally.of('a').end({ kind: 'ok' }, 1);
  assert.equal(Math.round(tally.tokensPerSOf('a') * tally.seconds), 10);
  assert.equal(Math.round(tally.tokensPerS * tally.seconds), 10);
  assert.deepEqual([tally.tokensPerSOf('late'), tally.tokensPerSOf('nobody'), tally.of('a').ok], [0, 0, 1]);
});
