// SPDX-License-Identifier: Apache-2.0

/** Servers that are healthy by their own word and yet bad to requests: set aside, explained, and let back in. */

import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { afterEach, describe, it } from 'node:test';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServerOptions } from '../../packages/fairlead/src/model-server/model-server.ts';
import { Loopback } from '../kit/loopback.ts';
import { serveText } from '../kit/served.ts';

const loopback = new Loopback();

afterEach(() => loopback.end());

async function modelServer(options: ModelServerOptions = {}): Promise<string> {
  const server = await startModelServer({ prefillMs: 1, tokenMs: 1, models: ['m'], ...options });
  loopback.atEnd(() => server.destroy());
  return server.url;
}

const chat = { model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 2 };

/** Well by its own word; what it does to requests is up to the test. */
function sick(onRequest: RequestListener): RequestListener {
  return (request, response) => {
    if (request.url === '/health') response.end();
    else if (request.url === '/v1/models') response.end('{"data":[{"id":"m"}]}');
    else if (request.method === 'GET') response.writeHead(404).end();
    else request.resume().on('end', () => void onRequest(request, response));
  };
}

async function serve(urls: readonly string[], section = '') {
  const endpoints = urls.map((url, index) => `{url: '${url}', name: s${index}}`).join(', ');
  const served = await serveText(`endpoints: [${endpoints}]\n${section}`, loopback);
  await served.until((all) => all.length === urls.length && all.every(({ models }) => models.length > 0));
  return served;
}

describe('a server that answers every request with 500', () => {
  it('is set aside after five of them, which /state, the log and a metric tell; and comes back when it is well', async () => {
    let isSick = true;
    let answered = 0;
    const bad = await loopback.http(
      sick((_request, response) => {
        answered += 1;
        response.writeHead(isSick ? 500 : 200).end('{}');
      }),
    );
    const served = await serve([bad, await modelServer()], 'outlierDetection: {baseEjectionTime: 100ms}\n');
    let failed = 0;
    let asked = 0;
    while (failed < 5) {
      asked += 1;
      if ((await served.ask(chat)).status === 500) failed += 1;
      assert.ok(asked < 100, 'it is asked again and again');
    }
    const told = served.logged.find(({ msg }) => msg === 'endpoint is down');
    assert.equal(told?.['problem'], 'set aside for 0.1 s: it failed 5 requests in a row, the last: answered 500');
    const series = 'fairlead_endpoint_ejections_total{endpoint="s0",reason="failures-in-a-row"}';
    assert.equal(await served.metric(series), 1);
    isSick = false;
    await served.until((all) => all.every(({ up, problem }) => up && problem === null));
    const before = answered;
    while (answered === before) assert.equal((await served.ask(chat)).status, 200);
  });

  it('is kept when it is all there is', async () => {
    const bad = await loopback.http(sick((_request, response) => void response.writeHead(500).end('{}')));
    const served = await serve([bad]);
    for (let count = 0; count < 7; count += 1) assert.equal((await served.ask(chat)).status, 500);
    const [state] = await served.until(() => true);
    assert.equal(state?.up, true);
    assert.match(state?.problem ?? '', /failed 7 requests in a row, .*; kept, because too few others/);
  });
});

describe('a tenant whose requests no server can answer', () => {
  it('takes no server from the others', async () => {
    const picky = (): Promise<string> =>
      loopback.http(
        sick((request, response) => {
          response.writeHead(request.headers['x-poison'] === undefined ? 200 : 500).end('{}');
        }),
      );
    const served = await serve([await picky(), await picky()]);
    const send = async (key: string, headers: Record<string, string> = {}): Promise<number> => {
      const answer = await fetch(`${served.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, ...headers },
        body: JSON.stringify(chat),
      });
      await answer.text();
      return answer.status;
    };
    assert.equal(await send('good'), 200);
    for (let count = 0; count < 60; count += 1) assert.equal(await send('mallory', { 'x-poison': '1' }), 500);
    const endpoints = await served.until(() => true);
    assert.deepEqual(
      endpoints.map(({ up }) => up),
      [true, true],
    );
    assert.ok(
      endpoints.every(({ problem }) => problem?.includes('one tenant')),
      'both are told to fail one tenant',
    );
    assert.equal(await send('good'), 200);
    assert.ok(served.logged.every(({ msg }) => msg !== 'endpoint is down'));
  });
});

describe('a server whose first bytes take far longer than those of its pool', () => {
  it('is set aside', async () => {
    const urls = [await modelServer({ prefillMs: 120 }), await modelServer(), await modelServer()];
    const served = await serve(
      urls,
      'outlierDetection: {slowFirstByte: 50ms, slowFirstByteFactor: 4, baseEjectionTime: 1h, maxEjectionTime: 1h}\n',
    );
    let isOver = false;
    const loop = async (): Promise<void> => {
      while (!isOver) assert.equal((await served.ask({ ...chat, stream: true })).status, 200);
    };
    const loops = Array.from({ length: 9 }, loop);
    const [slow] = await served.until(([one]) => one?.up === false);
    isOver = true;
    await Promise.all(loops);
    assert.match(
      slow?.problem ?? '',
      /^set aside for 3600 s: its first bytes take 0\.\d+ s, those of the others 0\.0\d+ s$/,
    );
  });
});
