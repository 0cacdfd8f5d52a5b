// SPDX-License-Identifier: Apache-2.0

/** Sessions before real model servers: the client carries the binding, or an id that it makes up. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as plugins from '@fairlead/core/plugins';
import { instanceOf } from '@fairlead/core/testing';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { openHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';

const models = ['m'];

/** Three servers, and a scorer of sessions alone: everything else is left to chance. */
async function withSessions(
  parameters: Readonly<Record<string, unknown>>,
  tell: (house: House, servers: readonly ModelServer[]) => Promise<void>,
): Promise<void> {
  const servers: ModelServer[] = [];
  for (let index = 0; index < 3; index += 1) {
    servers.push(await startModelServer({ models, prefillMs: 1, tokenMs: 0.1 }));
  }
  const scorer = instanceOf(plugins.sessionAffinityScorer, { parameters });
  const profile = {
    name: 'default',
    filters: [],
    scorers: [{ scorer, weight: 1 }],
    picker: instanceOf(plugins.maxScorePicker, { random: Math.random }),
  };
  const scheduling = { handler: instanceOf(plugins.singleProfileHandler), profiles: [profile] };
  const house = await openHouse({ servers: servers.map(({ url }) => ({ url, models })), config: { scheduling } });
  try {
    await tell(house, servers);
  } finally {
    await house.close();
    for (const server of servers) await server.destroy();
  }
}

async function ask(house: House, headers: Readonly<Record<string, string>>): Promise<Response> {
  const body = JSON.stringify({ model: 'm', prompt: 'x', max_tokens: 1 });
  const response = await fetch(`${house.url}/v1/completions`, { method: 'POST', headers, body });
  assert.equal(response.status, 200);
  await response.arrayBuffer();
  return response;
}

describe('A gateway that knows sessions', () => {
  it('names the endpoint in each answer, and sends who brings the name back there again', async () => {
    await withSessions({}, async (house, servers) => {
      const token = (await ask(house, {})).headers.get('x-session-token') ?? '';
      const name = Buffer.from(token, 'base64').toString();
      for (let round = 0; round < 12; round += 1) {
        const again = await ask(house, { 'x-session-token': token });
        assert.equal(again.headers.get('x-session-token'), token);
      }
      assert.equal(servers[Number(name.slice('server-'.length))]?.stats().received, 13);
      house.assertEmpty();
    });
  });

  it('lets nobody choose anything but an endpoint of the pool', async () => {
    await withSessions({}, async (house) => {
      for (const name of ['http://127.0.0.1:1', 'server-9', '../server-0', '\0']) {
        const answer = await ask(house, { 'x-session-token': Buffer.from(name).toString('base64') });
        const chosen = Buffer.from(answer.headers.get('x-session-token') ?? '', 'base64').toString();
        assert.match(chosen, /^server-[012]$/);
      }
    });
  });

  it('keeps a session under the id that a client gives, for itself alone', async () => {
    await withSessions({ strategy: 'session_id' }, async (house, servers) => {
      for (let round = 0; round < 12; round += 1) {
        const answer = await ask(house, { 'x-session-id': 'chart', authorization: 'Bearer ann' });
        assert.equal(answer.headers.get('x-session-token'), null);
      }
      assert.deepEqual(servers.map((server) => server.stats().received).toSorted(), [0, 0, 12]);
    });
  });
});
