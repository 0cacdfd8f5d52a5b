// SPDX-License-Identifier: Apache-2.0

/** A flood of the highest band over real sockets, with the configuration of examples/bands-that-cannot-starve. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import path from 'node:path';
import type { BandSelectionPolicy, BandTemplate } from '@fairlead/core';
import { strictBandSelectionPolicy, weightedBandSelectionPolicy } from '@fairlead/core/plugins';
import { instanceOf } from '@fairlead/core/testing';
import { loadConfig } from '../../packages/fairlead/src/config/load.ts';
import type { ResolvedConfig } from '../../packages/fairlead/src/config/resolved.ts';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { openHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';

const CHAT = 10;
const BATCH = -10;
/** Requests that each band always has under way; the servers take 8. */
const CHATTING = 80;
const BATCHING = 8;
/** Requests that are served while clients still open their connections. */
const ARRIVING = 300;

describe('ten times as much chat as the servers take, beside a nightly batch', () => {
  let example: ResolvedConfig;
  let servers: ModelServer[];

  before(async () => {
    const file = path.join(import.meta.dirname, '../../examples/bands-that-cannot-starve/fairlead.yaml');
    const loaded = await loadConfig({ file, defaults: 'serve' });
    assert.deepEqual(loaded.problems, undefined);
    assert.ok(loaded.ok);
    example = loaded.ok;
    const speed = { prefillMs: 1, tokenMs: 1, maxNumSeqs: 4, models: ['m'] };
    servers = [await startModelServer(speed), await startModelServer(speed)];
  });

  after(async () => {
    for (const server of servers) await server.destroy();
  });

  async function open(
    bandSelection: BandSelectionPolicy,
    band: BandTemplate = example.flowControl.defaultBand,
  ): Promise<House> {
    return openHouse({
      servers: servers.map(({ url }) => ({ url, models: ['m'] })),
      limit: 4,
      config: {
        flowControl: { ...example.flowControl, bandSelection, defaultBand: band, defaultNegativeBand: band },
        identity: example.identity,
      },
    });
  }

  /** Shares of what was served, in tokens that the servers counted, of so many requests once everybody is there. */
  async function flood(house: House, requests: number): Promise<ReadonlyMap<number, number>> {
    let left = ARRIVING + requests + CHATTING + BATCHING;
    const stop = new AbortController();
    const keepAsking = async (key: string, maxTokens: number): Promise<void> => {
      const client = house.client(key);
      while (left > 0) {
        left -= 1;
        const prompt = 'word '.repeat(1 + (left % 7));
        await client.completions.create({ model: 'm', prompt, max_tokens: maxTokens }, { signal: stop.signal });
      }
    };
    const clients = [
      ...Array.from({ length: CHATTING }, () => keepAsking('chat-key', 4)),
      ...Array.from({ length: BATCHING }, () => keepAsking('batch-key', 9)),
    ];
    const all = Promise.allSettled(clients);
    const ended = await house.heard('ended', ARRIVING + requests);
    left = 0;
    stop.abort();
    await all;
    await house.quiet();
    const costs = new Map([CHAT, BATCH].map((priority) => [priority, 0]));
    for (const { band, ending, usage } of ended.slice(ARRIVING)) {
      assert.equal(ending, 'succeeded');
      const { promptTokens = 0, completionTokens = 0 } = usage ?? {};
      costs.set(band, (costs.get(band) ?? 0) + promptTokens + 2 * completionTokens);
    }
    const total = [...costs.values()].reduce((sum, cost) => sum + cost, 0);
    return new Map([...costs].map(([band, cost]) => [band, cost / total]));
  }

  it('leaves the batch the tenth that it is guaranteed, and /state says so', async () => {
    const house = await open(example.flowControl.bandSelection);
    try {
      const shares = await flood(house, 1_000);
      const share = shares.get(BATCH) as number;
      assert.ok(Math.abs(share - 0.1) <= 0.01, `the batch had ${share}`);
      const bands = house.director.pools()[0]?.snapshot.bands ?? [];
      assert.deepEqual(
        bands.map(({ priority, promisedShare }) => [priority, promisedShare]),
        [
          [CHAT, 0],
          [0, 0],
          [BATCH, 0.1],
        ],
      );
      const recent = bands.map(({ recentShare }) => recentShare);
      assert.ok(Math.abs(recent[0]! + recent[1]! + recent[2]! - 1) < 1e-9 && recent[2]! > 0.05, recent.join());
      house.assertEmpty();
    } finally {
      await house.close();
    }
  });

  it('leaves the batch nothing where bands are served strictly', async () => {
    const house = await open(instanceOf(strictBandSelectionPolicy));
    try {
      const shares = await flood(house, 300);
      assert.equal(shares.get(BATCH), 0);
    } finally {
      await house.close();
    }
  });

  it('is served by priority and arrival, and told of once, when every policy throws', async () => {
    const pick = (): never => {
      throw new Error('no idea');
    };
    const { defaultBand } = example.flowControl;
    const none = (): void => undefined;
    const fairness = {
      type: 'broken',
      name: 'broken',
      newState: none,
      newMemberState: none,
      ready: none,
      unready: none,
      pick,
    };
    const bandSelection = { ...instanceOf(strictBandSelectionPolicy), name: 'broken too', pick };
    const house = await open(bandSelection, { ...defaultBand, fairness });
    try {
      const shares = await flood(house, 100);
      assert.equal(shares.get(BATCH), 0);
      const faults = (await house.heard('plugin-fault')).map(({ plugin, band }) => `${plugin} ${band}`);
      assert.equal(new Set(faults).size, faults.length);
      for (const fault of ['broken 10', 'broken too undefined']) assert.ok(faults.includes(fault), faults.join());
      house.assertEmpty();
    } finally {
      await house.close();
    }
  });

  it('leaves the batch its part by weight', async () => {
    const parameters = { weights: [{ priority: CHAT, weight: 3 }] };
    const house = await open(instanceOf(weightedBandSelectionPolicy, { parameters }));
    try {
      const shares = await flood(house, 600);
      assert.ok(Math.abs((shares.get(BATCH) as number) - 0.25) <= 0.02, `the batch had ${shares.get(BATCH)}`);
    } finally {
      await house.close();
    }
  });
});
