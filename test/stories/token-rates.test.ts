// SPDX-License-Identifier: Apache-2.0

/** Tokens a minute, over real sockets: who has used up its tokens waits, and nobody else does. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import OpenAI from 'openai';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { hashKey } from '../../packages/fairlead/src/tenancy/hash-key.ts';
import { openHouse } from '../kit/house.ts';
import type { House } from '../kit/house.ts';

const messages = [{ role: 'user' as const, content: 'Tell me a story.' }];
const key = (name: string) => ({ sha256: hashKey(name), tenant: name, priority: 0, weight: 1 });

describe('a tenant with a limit on tokens a minute', () => {
  let server: ModelServer;
  let house: House;

  before(async () => {
    server = await startModelServer({ prefillMs: 1, tokenMs: 1, maxNumSeqs: 8, models: ['m'] });
    house = await openHouse({
      servers: [{ url: server.url, models: ['m'] }],
      limit: 8,
      identity: {
        keys: [key('metered'), key('spent'), key('free')],
        tenants: [
          { tenant: 'metered', priority: 0, weight: 1, tokensPerMinute: 6_000, burstTokens: 40 },
          { tenant: 'spent', priority: 0, weight: 1, tokensPerMinute: 60, burstTokens: 1 },
        ],
      },
    });
  });

  after(async () => {
    await house.close();
    await server.destroy();
  });

  const ask = (tenant: string, maxTokens = 20, headers = {}) =>
    house
      .client(tenant)
      .chat.completions.create({ model: 'm', messages, max_tokens: maxTokens, stream: false }, { headers });

  it('waits until it has some again, and is served; nobody else waits for it', async () => {
    const answers = [1, 2, 3, 4].map(() => ask('metered'));
    const [parked] = await house.heard('flow-parked');
    assert.partialDeepStrictEqual(parked, { fairnessId: 'metered', why: 'throttled' });
    await ask('free');
    assert.equal((await Promise.all(answers)).length, 4);
  });

  it('is told when it has tokens again, when that is after its patience', async () => {
    await ask('spent', 30);
    const late = await ask('spent', 1, { 'x-fairlead-ttl-ms': '50' }).catch((error: unknown) => error);
    assert.ok(late instanceof OpenAI.RateLimitError);
    const seconds = Number(late.headers.get('retry-after'));
    // What it used, at one token a second, and the one that it has to wait for.
    assert.ok(seconds >= 30 && seconds < 120, `${seconds} s`);
    assert.equal(late.headers.get('x-llm-d-request-dropped-reason'), 'rejected-ttl-expired');
  });

  it('pays nothing for what its model server found wrong', async () => {
    const caller = house.director.identify({ headers: { 'x-api-key': 'metered' } }, '127.0.0.1', 0);
    const bucket = 'tokenBucket' in caller ? caller.tokenBucket : undefined;
    const level = () => bucket?.level(house.director.nowMs()) ?? assert.fail('it has no bucket');
    await ask('metered', 1);
    const before = level();
    await assert.rejects(house.client('metered').completions.create({ model: 'm' } as never), OpenAI.BadRequestError);
    await house.quiet();
    assert.ok(level() >= before);
  });
});
