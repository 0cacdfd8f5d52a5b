// SPDX-License-Identifier: Apache-2.0

/** Clients that leave at any moment, from a seed: afterwards permits, bytes and gauges are exactly zero. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { seededRandom } from '@fairlead/core/testing';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { openHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';
import { RawClient } from '../kit/raw-client.ts';

const CLIENTS = 300;
const AT_ONCE = 24;

/** One client's life: what it asks for, and when it has had enough. */
async function live(house: House, random: () => number): Promise<void> {
  const below = (limit: number): number => Math.floor(random() * limit);
  const stream = random() < 0.5;
  const body = JSON.stringify({
    model: random() < 0.05 ? 'unknown' : 'm',
    messages: [{ role: 'user', content: 'x'.repeat(below(random() < 0.2 ? 60_000 : 500)) }],
    max_tokens: 1 + below(20),
    stream,
  });
  const length = random() < 0.5 ? `content-length: ${body.length}` : 'transfer-encoding: chunked';
  const framed = length.startsWith('t') ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
  const request = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${below(5)}\r\n${length}\r\n\r\n${framed}`;
  const raw = new RawClient(house.url);
  const patience = random();
  if (patience < 0.3) {
    // Leaves in the middle of its own request.
    raw.write(request.slice(0, below(request.length)));
    for (let turns = below(20); turns > 0; turns -= 1) await turn();
  } else if (patience < 0.6) {
    // Leaves while it is being answered, or at any time while it waits.
    raw.write(request);
    if (random() < 0.5) await raw.change();
    else for (let turns = below(400); turns > 0 && !raw.socket.destroyed; turns -= 1) await turn();
  } else {
    raw.write(request);
    await raw.whole();
  }
  if (random() < 0.3) raw.socket.resetAndDestroy();
  else if (random() < 0.5) raw.socket.end();
  else raw.destroy();
  if (!raw.socket.destroyed) await raw.closed;
}

for (const seed of [1, 2]) {
  describe(`${CLIENTS} clients of seed ${seed}`, () => {
    it('leave nothing behind, however they leave', async () => {
      const random = seededRandom(seed);
      const servers = await Promise.all(
        [1, 2].map(() => startModelServer({ prefillMs: 1, tokenMs: 1, maxNumSeqs: 2, models: ['m'], seed })),
      );
      const house = await openHouse({
        servers: servers.map(({ url }) => ({ url, models: ['m'] })),
        limit: 2,
        maxRequests: 16,
        gateway: { maxBufferedBytes: 200_000, bodyIdleTimeoutMs: 500 },
      });
      let born = 0;
      const loops = Array.from({ length: AT_ONCE }, async () => {
        while ((born += 1) <= CLIENTS) await live(house, random);
      });
      await Promise.all(loops);
      await house.quiet();
      house.assertEmpty();
      assert.equal(
        house.count('enqueued') + house.count('requeued'),
        house.count('dispatched') + house.count('evicted'),
      );
      assert.equal(house.count('dispatched'), house.count('ended') + house.count('requeued'));
      const reports = await house.heard('report');
      assert.equal(new Set(reports.map(({ id }) => id)).size, reports.length, 'one report for each');
      assert.ok(reports.some(({ ending }) => ending === 'succeeded'));
      assert.ok(reports.some(({ ending }) => ending === 'cancelled'));
      await house.close();
      await Promise.all(servers.map((server) => server.destroy()));
    });
  });
}
