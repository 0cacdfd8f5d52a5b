// SPDX-License-Identifier: Apache-2.0

/** Clients whose own software says how long they will wait. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { openHouse } from '../kit/house.ts';
import { RawClient } from '../kit/raw-client.ts';

const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 1 });

describe('a client that says how long it will wait', () => {
  for (const header of ['x-stainless-timeout: 0.05', 'x-envoy-expected-rq-timeout-ms: 50', 'grpc-timeout: 50m']) {
    it(`is told in time that it waits in vain (${header})`, async () => {
      const server = await startModelServer({ models: ['m'], stallAfter: 0, prefillMs: 1 });
      const house = await openHouse({ servers: [{ url: server.url, models: ['m'] }], limit: 1 });
      const holder = new RawClient(house.url).post(body);
      await house.heard('dispatched');
      const raw = new RawClient(house.url).post(body, [header]);
      const answer = await raw.answer();
      assert.equal(answer.status, 429);
      assert.equal(answer.headers['x-llm-d-request-dropped-reason'], 'rejected-ttl-expired');
      assert.ok(Number(answer.headers['retry-after']) >= 1);
      const [report] = await house.heard('report');
      assert.partialDeepStrictEqual(report, { outcome: 'EvictedTTL', status: 429 });
      holder.destroy();
      raw.destroy();
      await house.quiet();
      house.assertEmpty();
      await house.close();
      await server.destroy();
    });
  }

  it('is not refused for saying it in a way that nobody can read', async () => {
    const server = await startModelServer({ models: ['m'], prefillMs: 1, tokenMs: 1 });
    const house = await openHouse({ servers: [{ url: server.url, models: ['m'] }] });
    const raw = new RawClient(house.url).post(body, ['x-stainless-timeout: soon', 'grpc-timeout: 5']);
    assert.equal((await raw.answer()).status, 200);
    raw.destroy();
    await house.close();
    await server.destroy();
  });
});
