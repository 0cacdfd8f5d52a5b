// SPDX-License-Identifier: Apache-2.0

/** A model server that says it is healthy and closes the connection of every request it is sent. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { openHouse } from '../kit/house.ts';
import { Loopback } from '../kit/loopback.ts';
import { OUTLIERS } from '../kit/outlier-detection.ts';

const REQUESTS = 60;

describe('a server that cuts off every request', () => {
  it('does not draw all of them to itself for being the emptiest: a few are lost, the others are served elsewhere', async () => {
    const loopback = new Loopback();
    const black = await loopback.http((request, response) => {
      if (request.method === 'GET') response.end();
      else request.resume().on('end', () => response.socket?.resetAndDestroy());
    });
    const good = await startModelServer({ prefillMs: 5, tokenMs: 5, models: ['m'] });
    const house = await openHouse({
      servers: [
        { url: black, models: ['m'] },
        { url: good.url, models: ['m'] },
      ],
    });
    let begun = 0;
    const loop = async (): Promise<void> => {
      while ((begun += 1) <= REQUESTS) {
        const body = '{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":3}';
        const answer = await fetch(`${house.url}/v1/chat/completions`, { method: 'POST', body });
        await answer.text();
      }
    };
    await Promise.all(Array.from({ length: 4 }, loop));
    const reports = await house.heard('report', REQUESTS);
    const lost = reports.filter(({ status }) => status !== 200);
    assert.ok(lost.length >= OUTLIERS.consecutiveFailures, `${lost.length} were lost`);
    assert.ok(lost.length <= REQUESTS / 2, `${lost.length} were lost`);
    for (const { status, endpoint } of lost) assert.deepEqual([status, endpoint], [502, 'server-0']);
    house.assertEmpty();
    await house.close();
    await good.destroy();
    await loopback.end();
  });
});
