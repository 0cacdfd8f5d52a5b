// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { hashKey } from '../../packages/fairlead/src/tenancy/hash-key.ts';
import { openHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';

describe('a stranger', () => {
  let server: ModelServer;
  let house: House;

  before(async () => {
    server = await startModelServer({ models: ['m'] });
    house = await openHouse({
      servers: [{ url: server.url, models: ['m'] }],
      identity: { keys: [{ sha256: hashKey('sk-alice'), tenant: 'alice', priority: 0, weight: 1 }] },
      gateway: { relayedPaths: ['/v2/secret-path'] },
    });
  });

  after(async () => {
    await house.close();
    await server.destroy();
  });

  const ask = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${house.url}${path}`, { method, headers });
    const body = await answer.text();
    const told = [...answer.headers].filter(([name]) => name !== 'date' && name !== 'x-request-id');
    return { status: answer.status, told, body };
  };

  it('gets the same answer whatever it asks for and however wrong its key is', async () => {
    const first = await ask('POST', '/v1/chat/completions');
    assert.equal(first.status, 401);
    assert.ok(first.told.some(([name, value]) => name === 'www-authenticate' && value === 'Bearer'));
    const shown: Record<string, string>[] = [
      {},
      { authorization: 'Bearer sk-alic' },
      { authorization: 'Bearer sk-alice-2' },
      { authorization: 'Basic c2s6' },
      { 'x-api-key': 'x' },
      { authorization: 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.' },
    ];
    for (const path of ['/v1/chat/completions', '/v2/secret-path', '/v2/no-such-path', '/v1/models', '/v1/models/m']) {
      for (const method of ['GET', 'POST', 'DELETE']) {
        for (const headers of shown) assert.deepEqual(await ask(method, path, headers), first, `${method} ${path}`);
      }
    }
  });

  it('is told apart from a tenant, who learns what exists', async () => {
    const alice = { authorization: 'Bearer sk-alice' };
    assert.equal((await ask('GET', '/v1/models', alice)).status, 200);
    assert.equal((await ask('GET', '/v2/secret-path', alice)).status, 405);
    assert.equal((await ask('GET', '/v2/no-such-path', alice)).status, 404);
  });
});
