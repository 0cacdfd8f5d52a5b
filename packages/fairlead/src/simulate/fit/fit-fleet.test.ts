// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, it } from 'node:test';
import { ModelledServer, seededRandom, VirtualClock } from '@fairlead/core/testing';
import type { ServerModel } from '@fairlead/core/testing';
import { startModelServer } from '../../model-server/model-server.ts';
import { readScenario } from '../load-scenario.ts';
import { fitFleet } from './fit-fleet.ts';
import type { FittedFleet } from './fit-fleet.ts';
import { fleetText } from './fleet-text.ts';
import { ProbeError, Prober } from './prober.ts';
import type { Probe, ProbePort, ProbeResult } from './prober.ts';

const BLOCK_TOKENS = 4;

/** A modelled server under virtual time, whose words are tokens. */
class ModelledPort implements ProbePort {
  readonly clock = new VirtualClock();
  readonly #server: ModelledServer;
  #own = 0;

  constructor(model: ServerModel) {
    this.#server = new ModelledServer({ clock: this.clock, random: seededRandom(1), model });
  }

  now(): number {
    return this.clock.now();
  }

  ask({ promptWords, outputTokens, name }: Probe): Promise<ProbeResult> {
    const sentMs = this.now();
    const tokensMs: number[] = [];
    let cachedTokens = 0;
    this.#own += 1;
    const prompt = name === undefined ? this.#own * 1_000_000 : promptWords * 1000;
    const hashes = new Uint32Array(Math.floor(promptWords / BLOCK_TOKENS)).map((_, index) => prompt + index);
    return new Promise((resolve) => {
      const token = (): void => void tokensMs.push(this.now());
      this.#server.submit({
        ...{ promptTokens: promptWords, outputTokens, blocks: { blockTokens: BLOCK_TOKENS, hashes }, tellEvery: 1 },
        onFirstToken: (cached) => {
          cachedTokens = cached;
          token();
        },
        onTokens: token,
        onFinished: () => {
          token();
          resolve({ promptTokens: promptWords, cachedTokens, tokensMs, sentMs, endMs: this.now() });
        },
        onKilled: () => undefined,
      });
    });
  }
}

/** Lets time pass until it has been fitted. */
async function fitted(model: ServerModel): Promise<FittedFleet> {
  const port = new ModelledPort(model);
  let fleet: FittedFleet | undefined;
  const done = fitFleet({ prober: port, random: seededRandom(1), onStep: () => undefined });
  void done.then((result) => (fleet = result));
  while (fleet === undefined) {
    port.clock.advance(1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return fleet;
}

describe('A fitted fleet', () => {
  it('has the slots of the server that was asked, and figures that a scenario takes', { timeout: 60_000 }, async () => {
    const server = await startModelServer({ models: ['m'], maxNumSeqs: 3, prefillMs: 8, tokenMs: 2 });
    const random = seededRandom(1);
    const prober = new Prober({ baseUrl: server.url, model: 'm' }, random, new AbortController().signal);
    try {
      const steps: string[] = [];
      const fleet = await fitFleet({ prober, random, onStep: (what) => steps.push(what), fullMs: 500 });
      assert.deepEqual([fleet.slots, fleet.hasMoreSlots], [3, false]);
      // Whatever else this machine does meanwhile, it is no faster than it was told to be.
      assert.ok(fleet.tokenMs > 1.6 && fleet.prefillMs > 6, JSON.stringify(fleet));
      assert.deepEqual(steps.slice(-4, -2), ['2 at once', '4 at once']);
      const { scenario, problems } = readScenario(fleetText(fleet, { url: server.url, model: 'm' }), 'fleet.yaml');
      assert.equal(problems, undefined);
      assert.equal(scenario?.fleet.slots, 3);
    } finally {
      await prober.close();
      await server.destroy();
    }
  });

  it('is the one that was asked, of a modelled server', { timeout: 60_000 }, async () => {
    const model = {
      ...{ slots: 3, prefillMs: 40, prefillTokensPerS: 2000, prefillSlowdown: 4, prefillStopsDecode: true },
      ...{ tokenMs: 10, batchSlowdown: 0.5, contextSlowdown: 1, kvTokens: Infinity },
      ...{ prefixCacheTokens: 100_000, noise: 0 },
    };
    const fleet = await fitted(model);
    const { slots, prefillStopsDecode, prefixCacheBlockTokens } = fleet;
    assert.deepEqual([slots, prefillStopsDecode, prefixCacheBlockTokens], [3, true, BLOCK_TOKENS]);
    for (const name of ['prefillMs', 'prefillTokensPerS', 'prefillSlowdown', 'tokenMs'] as const) close(name);
    for (const name of ['batchSlowdown', 'contextSlowdown'] as const) close(name);
    assert.ok(fleet.prefixCacheTokens > 1000 && fleet.noise < 0.1, JSON.stringify(fleet));

    /** Within a tenth. */
    function close(
      name: 'prefillMs' | 'prefillSlowdown' | 'tokenMs' | 'batchSlowdown' | 'contextSlowdown' | 'prefillTokensPerS',
    ): void {
      assert.ok(Math.abs(fleet[name] / model[name] - 1) < 0.1, `${name}: ${fleet[name]} instead of ${model[name]}`);
    }
  });

  it('has nothing that was not there to be seen', { timeout: 60_000 }, async () => {
    const fleet = await fitted({
      ...{ slots: 4, prefillMs: 40, prefillTokensPerS: Infinity, prefillSlowdown: 0, prefillStopsDecode: false },
      ...{ tokenMs: 10, batchSlowdown: 0, contextSlowdown: 0, kvTokens: Infinity, prefixCacheTokens: 0, noise: 0 },
    });
    const { prefillTokensPerS, prefillSlowdown, prefillStopsDecode, contextSlowdown, prefixCacheTokens } = fleet;
    assert.deepEqual(
      { prefillTokensPerS, prefillSlowdown, prefillStopsDecode, contextSlowdown, prefixCacheTokens },
      { prefillTokensPerS: 0, prefillSlowdown: 0, prefillStopsDecode: false, contextSlowdown: 0, prefixCacheTokens: 0 },
    );
    assert.ok(fleet.batchSlowdown < 0.02 && fleet.noise < 0.05, JSON.stringify(fleet));
  });

  it('does not mind a connection that is closed when it is used again', { timeout: 20_000 }, async () => {
    const server = await startModelServer({ models: ['m'], prefillMs: 0, tokenMs: 1 });
    const cut = new Set<Socket>();
    const target = new URL(server.url);
    // Passes the first request of a connection on, and closes it with the second.
    const proxy = createServer((client) => {
      const upstream = connect(Number(target.port), target.hostname);
      for (const socket of [client, upstream]) cut.add(socket.on('error', () => undefined));
      let requests = 0;
      client.on('data', (bytes) => {
        if (bytes.includes('POST ') && (requests += 1) > 1) client.destroy();
        else upstream.write(bytes);
      });
      upstream.on('data', (bytes) => client.write(bytes));
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const baseUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const prober = new Prober({ baseUrl, model: 'm' }, seededRandom(1), new AbortController().signal);
    try {
      for (const outputTokens of [2, 3, 4]) {
        assert.equal((await prober.ask({ promptWords: 3, outputTokens })).tokensMs.length, outputTokens);
      }
    } finally {
      await prober.close();
      for (const socket of cut) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
      await server.destroy();
    }
  });

  it('is none of a server that refuses', async () => {
    const server = await startModelServer({ models: ['m'] });
    const prober = new Prober({ baseUrl: server.url, model: 'another' }, seededRandom(1), new AbortController().signal);
    try {
      await assert.rejects(prober.ask({ promptWords: 3, outputTokens: 2 }), (error) => {
        assert.ok(error instanceof ProbeError);
        assert.equal(error.message, 'HTTP 404');
        return true;
      });
    } finally {
      await prober.close();
      await server.destroy();
    }
  });
});
