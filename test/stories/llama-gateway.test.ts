// SPDX-License-Identifier: Apache-2.0

/** The whole gateway in front of a real engine, llama.cpp with four slots: whatever it does is not the client's problem. */

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { noLlamaServer, startLlama } from '../kit/llama-server.ts';
import { Loopback } from '../kit/loopback.ts';
import { serveText } from '../kit/served.ts';
import type { Served } from '../kit/served.ts';

const SLOTS = 4;

const loopback = new Loopback();

afterEach(() => loopback.end());

async function serve(url: string, more = ''): Promise<Served> {
  const source = 'plugins: [{type: metrics-data-source, parameters: {interval: 50ms}}]\n';
  const served = await serveText(`endpoints: [{url: '${url}', name: llama}]\n${source}${more}`, loopback);
  await served.until(([one]) => one?.up === true && one.models[0] === 'random' && one.running !== null);
  return served;
}

function completion(tokens: number, stream = false) {
  return { model: 'random', prompt: 'hello', max_tokens: tokens, stream };
}

/** Starts a stream and resolves with its first bytes read; `leave` goes away without the rest. */
async function beginStream(served: Served, tokens: number): Promise<{ leave(): void; rest: Promise<string> }> {
  const leaving = new AbortController();
  const answer = await fetch(`${served.url}/v1/completions`, {
    method: 'POST',
    body: JSON.stringify(completion(tokens, true)),
    signal: leaving.signal,
  });
  assert.equal(answer.status, 200);
  const reader = answer.body!.getReader();
  await reader.read();
  const all = async (): Promise<string> => {
    let text = '';
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      text += Buffer.from(piece.value as Uint8Array).toString();
    }
    return text;
  };
  const rest = all();
  rest.catch(() => undefined);
  return { leave: () => leaving.abort(), rest };
}

describe('a real llama-server behind the gateway', { skip: noLlamaServer }, () => {
  it('is flooded: everybody is answered, it is kept full, and hardly anything waits inside it', async () => {
    const { url } = await startLlama(loopback, SLOTS);
    const served = await serve(url);
    let deepest = 0;
    let isOver = false;
    const watching = (async () => {
      while (!isOver) {
        const [one] = await served.until(() => true);
        deepest = Math.max(deepest, one?.waiting ?? 0);
      }
    })();
    let left = 60;
    const loop = async (): Promise<void> => {
      while ((left -= 1) >= 0) assert.equal((await served.ask(completion(16), '/v1/completions')).status, 200);
    };
    await Promise.all(Array.from({ length: 20 }, loop));
    isOver = true;
    await watching;
    const [one] = await served.until(() => true);
    assert.ok(one!.limit! >= SLOTS && one!.limit! <= SLOTS + 2, `its limit is taken for ${one!.limit}`);
    assert.ok(deepest <= 2, `${deepest} waited inside it while 20 asked`);
  });

  it('closes its connections as it pleases: none of hundreds of requests notices', async () => {
    const { url } = await startLlama(loopback, SLOTS);
    const served = await serve(url);
    let left = 450;
    const loop = async (): Promise<void> => {
      while ((left -= 1) >= 0) assert.equal((await served.ask(completion(1), '/v1/completions')).status, 200);
    };
    await Promise.all(Array.from({ length: 3 }, loop));
  });

  it('stops working for clients that leave: its slots are free for others', async () => {
    const { url } = await startLlama(loopback, SLOTS);
    const served = await serve(url);
    const streams = await Promise.all(Array.from({ length: SLOTS }, () => beginStream(served, 4000)));
    await served.until(([one]) => one?.running === SLOTS);
    for (const { leave } of streams) leave();
    await served.until(([one]) => one?.inFlight === 0 && one.running === 0);
    assert.equal((await served.ask(completion(2), '/v1/completions')).status, 200);
  });

  it('dies and is started again: only what it was answering breaks, whoever waits is served', async () => {
    const llama = await startLlama(loopback, SLOTS);
    const served = await serve(llama.url, 'health: {slowStart: 1s}\n');
    const streams = await Promise.all(Array.from({ length: SLOTS }, () => beginStream(served, 4000)));
    await served.until(([one]) => one?.inFlight === SLOTS);
    const asked = Array.from({ length: 12 }, () => served.ask(completion(4), '/v1/completions'));
    // Some may be inside it by then: it is tried with one more than it has slots now and then.
    const held = async (): Promise<{ waiting: number; inFlight: number }> => (await served.state()).pools[0]!;
    let queue = await held();
    while (queue.waiting + queue.inFlight < SLOTS + asked.length) queue = await held();
    await llama.kill();
    await Promise.allSettled(streams.map(({ rest }) => rest));
    await served.until(([one]) => one?.up === false && one.inFlight === 0);
    llama.start();
    const answers = await Promise.all(asked);
    const lost = answers.filter(({ status }) => status !== 200);
    // Those that were let in before it died, while its limit was still being looked for, went down with it.
    assert.ok(lost.length <= SLOTS, `${lost.length} were lost, ${queue.waiting} had waited`);
    for (const { status, text } of lost) assert.ok(status >= 502 && text.includes('"error"'), `${status} ${text}`);
    await served.until(([one]) => one?.up === true && one.inFlight === 0 && one.problem === null);
  });
});
