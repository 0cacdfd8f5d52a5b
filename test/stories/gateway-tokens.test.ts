// SPDX-License-Identifier: Apache-2.0

/** Long prompts and short ones before real model servers, where tokens are what is limited, and servers with roles. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import * as plugins from '@fairlead/core/plugins';
import { instanceOf } from '@fairlead/core/testing';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { openHouse } from '../kit/house.ts';

const models = ['m'];
/** Tokens that a server takes: a long request and about five short ones. */
const LIMIT = 9000;

/** A server that answers short prompts at once and long ones when it is told to. */
async function patientServer() {
  const held: ServerResponse[] = [];
  const server = createServer((request, response) => {
    const isLong = Number(request.headers['content-length']) > 30_000;
    request.resume().on('end', () => {
      response.setHeader('content-type', 'application/json');
      if (isLong) held.push(response);
      else response.end('{"object": "chat.completion"}');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return { server, url: `http://127.0.0.1:${port}`, letGo: () => held[0]?.end('{"object": "chat.completion"}') };
}

describe('A gateway that counts tokens', () => {
  it('sends short prompts beside a long one, as many as there is room for, and never more', async () => {
    const { server, url, letGo } = await patientServer();
    const parameters = { concurrencyMode: 'tokens', maxTokenConcurrency: LIMIT };
    const detector = instanceOf(plugins.concurrencyDetector, { parameters });
    const tokens = instanceOf(plugins.inflightLoadProducer, { parameters: { addEstimatedOutputTokens: true } });
    const house = await openHouse({ servers: [{ url, models }], config: { detector, tokens } });
    try {
      const ask = (content: string) =>
        house
          .client(`key-of-${content.length > 100 ? 'long' : content.slice(6)}`)
          .chat.completions.create({ model: 'm', max_tokens: 16, messages: [{ role: 'user', content }] });
      const long = ask('long '.repeat(7000));
      const [first] = await house.heard('dispatched');
      assert.equal(first?.request.maxOutputTokens, 16);
      const second = ask('long '.repeat(7000));
      await house.heard('flow-parked');
      const short = Array.from({ length: 20 }, (_, index) => ask(`short ${index}`));
      await Promise.all(short);
      assert.equal(house.count('dispatched'), 21, 'they went past the second long one, which has no room yet');
      letGo();
      await long;
      await house.heard('dispatched', 22);
      house.gateway.destroy();
      await assert.rejects(second);
      await house.quiet();
      let inFlight = 0;
      let most = 0;
      for (const event of house.told) {
        if (event.kind === 'dispatched') inFlight += tokens.tokensOf(event.request);
        if (event.kind === 'ended') inFlight -= tokens.tokensOf(event.request);
        most = Math.max(most, inFlight);
      }
      assert.ok(inFlight === 0 && most > 8700 && most <= LIMIT, `${most} tokens at most`);
      house.assertEmpty();
    } finally {
      await house.close();
      server.closeAllConnections();
      server.close();
    }
  });

  it('holds back what a full decode server cannot take, however idle the prefill server is', async () => {
    const server = await startModelServer({ maxNumSeqs: 1, models, prefillMs: 1, tokenMs: 1 });
    const other = await startModelServer({ maxNumSeqs: 1, models, prefillMs: 1, tokenMs: 1 });
    const label = (role: string) => ({ 'llm-d.ai/role': role });
    const house = await openHouse({
      servers: [
        { url: server.url, models, labels: label('decode') },
        { url: other.url, models, labels: label('prefill') },
      ],
      limit: 1,
      config: {
        scheduling: {
          handler: instanceOf(plugins.singleProfileHandler),
          profiles: [
            {
              name: 'default',
              filters: [instanceOf(plugins.decodeFilter)],
              scorers: [],
              picker: instanceOf(plugins.maxScorePicker),
            },
          ],
        },
      },
    });
    try {
      const ask = () => house.client().completions.create({ model: 'm', prompt: 'x', max_tokens: 20 });
      const answers = [ask(), ask()];
      const [gated] = await house.heard('gated');
      assert.equal(gated?.saturation, 1);
      await Promise.all(answers);
      assert.deepEqual(
        (await house.heard('ended', 2)).map(({ endpoint }) => endpoint.name),
        ['server-0', 'server-0'],
      );
      await house.quiet();
      house.assertEmpty();
    } finally {
      await house.close();
      await server.close();
      await other.close();
    }
  });
});
