// SPDX-License-Identifier: Apache-2.0

/** `kill -9` of one of three model servers under streams: only streams that had begun there break. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { describe, it } from 'node:test';
import type OpenAI from 'openai';
import { openHouse } from '../kit/house.ts';

const LOOPS = 10;
const main = path.join(import.meta.dirname, '../../packages/fairlead/src/cli/main.ts');

async function startProcess() {
  const words = ['model-server', '--port', '0', '--model', 'm', '--prefill-ms', '5', '--token-ms', '2'];
  const child = spawn(process.execPath, ['--conditions=development', main, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  for await (const chunk of child.stdout) {
    text += String(chunk);
    const url = /listening on (\S+)/.exec(text)?.[1];
    if (url !== undefined) return { child, url };
  }
  throw new Error(`the model server did not start: ${text}`);
}

/** Words of one stream; rejects when it breaks. */
async function tell(client: OpenAI): Promise<number> {
  const messages = [{ role: 'user' as const, content: 'hi' }];
  const stream = await client.chat.completions.create({ model: 'm', messages, max_tokens: 20, stream: true });
  let words = 0;
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) words += 1;
  return words;
}

describe('one of three model servers', () => {
  it('killed under streams breaks only those it was answering', async () => {
    const servers = await Promise.all([startProcess(), startProcess(), startProcess()]);
    const house = await openHouse({ servers: servers.map(({ url }) => ({ url, models: ['m'] })), limit: 8 });
    const client = house.client();
    let isOver = false;
    const results: PromiseSettledResult<number>[] = [];
    const loops = Array.from({ length: LOOPS }, async () => {
      while (!isOver) results.push(...(await Promise.allSettled([tell(client)])));
    });
    await house.heard('report', 5 * LOOPS);
    const [victim] = servers;
    const [endpoint] = house.fleet.endpoints;
    const inFlight = endpoint!.inFlight;
    victim.child.kill('SIGKILL');
    await once(victim.child, 'exit');
    const dispatchedBefore = new Set((await house.heard('dispatched')).map(({ request }) => request.id));
    const reported = house.count('report');
    await house.heard('report', reported + 10 * LOOPS);
    isOver = true;
    await Promise.all(loops);
    await house.quiet();
    const reports = await house.heard('report');
    const failed = reports.filter(({ ending }) => ending !== 'succeeded');
    for (const { id, endpoint: where, outcome } of failed) {
      assert.deepEqual([where, outcome], ['server-0', 'Dispatched']);
      assert.ok(dispatchedBefore.has(id), 'no request sent after its death is lost');
    }
    assert.ok(failed.length <= inFlight + LOOPS, `${failed.length} broken, ${inFlight} were in flight`);
    assert.equal(results.filter(({ status }) => status === 'rejected').length, failed.length);
    assert.ok(results.every((result) => result.status === 'rejected' || result.value === 20));
    assert.equal(endpoint!.up, false);
    house.assertEmpty();
    await house.close();
    for (const { child } of servers.slice(1)) {
      child.kill();
      await once(child, 'exit');
    }
  });
});
