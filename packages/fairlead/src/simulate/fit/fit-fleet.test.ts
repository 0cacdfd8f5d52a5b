// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '@fairlead/core/testing';
import { startModelServer } from '../../model-server/model-server.ts';
import { readScenario } from '../load-scenario.ts';
import { fitFleet } from './fit-fleet.ts';
import { fleetText } from './fleet-text.ts';
import { ProbeError, Prober } from './prober.ts';

describe('A fitted fleet', () => {
  it('has the slots of the server that was asked, and figures that a scenario takes', { timeout: 60_000 }, async () => {
    const server = await startModelServer({ models: ['m'], maxNumSeqs: 3, prefillMs: 20, tokenMs: 5 });
    const random = seededRandom(1);
    const prober = new Prober({ baseUrl: server.url, model: 'm' }, random, new AbortController().signal);
    try {
      const steps: string[] = [];
      const fleet = await fitFleet({ prober, random, onStep: (what) => steps.push(what), fullMs: 500 });
      assert.deepEqual([fleet.slots, fleet.hasMoreSlots], [3, false]);
      // Whatever else this machine does meanwhile, it is no faster than it was told to be.
      assert.ok(fleet.tokenMs > 4 && fleet.prefillMs > 15, JSON.stringify(fleet));
      assert.deepEqual(steps.slice(-3), ['2 at once', '4 at once', '3 at once without a pause']);
      const { scenario, problems } = readScenario(fleetText(fleet, { url: server.url, model: 'm' }), 'fleet.yaml');
      assert.equal(problems, undefined);
      assert.equal(scenario?.fleet.slots, 3);
    } finally {
      await prober.close();
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
