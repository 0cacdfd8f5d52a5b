// SPDX-License-Identifier: Apache-2.0

/** What strangers write into a request must not turn up where operators look: no secret, no prompt, no made-up name. */

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { Loopback } from '../kit/loopback.ts';
import { serveText } from '../kit/served.ts';

const SECRET = 'sk-very-secret-key';
const PROMPT = 'a prompt that nobody else may read';

const loopback = new Loopback();

afterEach(() => loopback.end());

describe('what a stranger makes up', () => {
  it('makes no series, and neither it nor keys nor prompts stand in metrics, log or /state', async () => {
    const server = await startModelServer({ models: ['m'], prefillMs: 1, tokenMs: 1 });
    loopback.atEnd(() => server.destroy());
    const served = await serveText(`endpoints: [{ url: '${server.url}', models: [m] }]\n`, loopback);
    const ask = async (model: string): Promise<number> => {
      const answer = await fetch(`${served.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${SECRET}`, cookie: SECRET, 'x-made-up': model.slice(0, 9) },
        body: JSON.stringify({ model, max_tokens: 1, messages: [{ role: 'user', content: PROMPT }] }),
      });
      await answer.arrayBuffer();
      return answer.status;
    };
    const metrics = async (): Promise<string> => (await fetch(`${served.serve.adminUrl}/metrics`)).text();

    assert.equal(await ask('m'), 200);
    assert.equal(await ask('made-up-0'), 404);
    const seriesBefore = (await metrics()).split('\n').length;
    for (let count = 1; count <= 100; count += 1) {
      assert.equal(await ask(`made-up-${count}"}\n# HELP evil 1\n`), 404);
    }
    const page = await metrics();
    assert.equal(page.split('\n').length, seriesBefore);
    const places = { metrics: page, log: JSON.stringify(served.logged), state: JSON.stringify(await served.state()) };
    for (const [place, text] of Object.entries(places)) {
      for (const word of [SECRET, PROMPT]) assert.ok(!text.includes(word), `${word} stands in the ${place}`);
    }
    assert.ok(!places.metrics.includes('made-up'));
    assert.ok(!places.state.includes('made-up'));
  });
});
