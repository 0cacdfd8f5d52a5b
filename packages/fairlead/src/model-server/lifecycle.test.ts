// SPDX-License-Identifier: Apache-2.0

/**
 * Clients that leave or read slowly, stopping, and each injected failure, over real sockets.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request as httpRequest } from 'node:http';
import { describe, test } from 'node:test';
import type { ModelServer, ModelServerOptions } from './model-server.ts';
import { startModelServer } from './model-server.ts';

const FAST: ModelServerOptions = { prefillMs: 1, tokenMs: 0.1 };
const FOREVER_MS = 1e6;

async function withServer(options: ModelServerOptions, use: (server: ModelServer) => Promise<void>): Promise<void> {
  const server = await startModelServer(options);
  try {
    await use(server);
  } finally {
    await server.destroy();
  }
}

function ask(server: ModelServer, body: Record<string, unknown> = {}, signal?: AbortSignal): Promise<Response> {
  const text = JSON.stringify({ prompt: 'x', max_tokens: 4, ...body });
  return fetch(`${server.url}/v1/completions`, { method: 'POST', body: text, ...(signal && { signal }) });
}

/** Resolves once `probe` holds; the event loop turns in between, no time is waited for. */
async function until(probe: () => boolean): Promise<void> {
  while (!probe()) await new Promise((resolve) => setImmediate(resolve));
}

/** `200`, or the code of the connection error. */
async function outcome(answer: Promise<Response>): Promise<number | string> {
  try {
    const response = await answer;
    await response.text();
    return response.status;
  } catch (error) {
    const cause = error instanceof Error ? (error.cause as { code?: string } | undefined) : undefined;
    return cause?.code ?? String(error);
  }
}

describe('clients', () => {
  test('a client that leaves frees its slots at once, running or waiting, streamed or not', async () => {
    await withServer({ maxNumSeqs: 2, prefillMs: FOREVER_MS }, async (server) => {
      const leave = new AbortController();
      const answers = [ask(server, { n: 3, stream: true }, leave.signal), ask(server, {}, leave.signal)].map(outcome);
      await until(() => server.stats().running + server.stats().waiting === 4);
      leave.abort();
      await Promise.all(answers);
      await until(() => server.stats().aborted === 4);
      assert.deepEqual([server.stats().running, server.stats().waiting, server.stats().kvUsage], [0, 0, 0]);
    });
  });

  test('a client that does not read costs nothing but its answer, which comes whole when it does', async () => {
    const maxTokens = 50_000;
    await withServer({ prefillMs: 0, tokenMs: 0.01, maxModelLen: 60_000 }, async (server) => {
      const request = httpRequest(`${server.url}/v1/completions`, { method: 'POST' });
      request.end(JSON.stringify({ prompt: 'x', max_tokens: maxTokens, stream: true }));
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      await until(() => server.stats().finished === 1);
      assert.equal(await outcome(ask(server)), 200);
      let text = '';
      for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
      assert.equal(text.split('"text":').length - 1, maxTokens);
      assert(text.endsWith('data: [DONE]\n\n'));
    });
  });

  test('the header of a stream is sent before the first token', async () => {
    await withServer({ prefillMs: FOREVER_MS }, async (server) => {
      const response = await ask(server, { stream: true });
      assert.equal(response.status, 200);
      await response.body?.cancel();
    });
  });
});

describe('stopping', () => {
  test('close lets what runs and waits finish, lifts stalls, and refuses new connections', async () => {
    await withServer({ ...FAST, maxNumSeqs: 1, stallAfter: 2 }, async (server) => {
      const answers = [ask(server, { stream: true }), ask(server)];
      await until(() => server.stats().running + server.stats().waiting === 2 && server.stats().generationTokens === 2);
      const closed = server.close();
      const texts = await Promise.all(answers.map(async (answer) => (await answer).text()));
      assert(texts[0]?.endsWith('[DONE]\n\n'));
      assert.match(texts[1] ?? '', /"completion_tokens":4/);
      await closed;
      assert.equal(await outcome(ask(server)), 'ECONNREFUSED');
    });
  });

  test('close cuts what is still under way after the drain timeout', async () => {
    await withServer({ prefillMs: FOREVER_MS, drainTimeoutMs: 0 }, async (server) => {
      const answer = outcome(ask(server));
      await until(() => server.stats().running === 1);
      await server.close();
      assert.notEqual(await answer, 200);
    });
  });

  test('destroy ends everything now, and both may be called again', async () => {
    await withServer({ prefillMs: FOREVER_MS }, async (server) => {
      const answer = outcome(ask(server));
      await until(() => server.stats().running === 1);
      await server.destroy();
      await Promise.all([server.destroy(), server.close()]);
      assert.notEqual(await answer, 200);
      assert.deepEqual([server.stats().running, server.stats().connections], [0, 0]);
    });
  });
});

describe('injected failures', () => {
  test('the fail rate strikes the same requests for the same seed', async () => {
    const statuses = async (): Promise<(number | string)[]> => {
      const seen: (number | string)[] = [];
      await withServer({ ...FAST, failRate: 0.5, seed: 7 }, async (server) => {
        for (let turn = 0; turn < 12; turn++) seen.push(await outcome(ask(server)));
      });
      return seen;
    };
    const first = await statuses();
    assert.deepEqual(new Set(first), new Set([200, 500]));
    assert.deepEqual(await statuses(), first);
  });

  test('a reset comes before any answer, and only inference is struck', async () => {
    await withServer({ ...FAST, resetRate: 1 }, async (server) => {
      assert.equal(await outcome(ask(server)), 'ECONNRESET');
      assert.equal(await outcome(fetch(`${server.url}/health`)), 200);
      assert.equal(server.requests.length, 0);
    });
  });

  test('an idle reset spares the first request of a connection and cuts the second, unlogged', async () => {
    await withServer({ ...FAST, resetIdle: true }, async (server) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const send = async (): Promise<number | string> => {
        const request = httpRequest(`${server.url}/v1/completions`, { method: 'POST', agent });
        request.end(JSON.stringify({ prompt: 'x', max_tokens: 1 }));
        try {
          const [response] = (await once(request, 'response')) as [IncomingMessage];
          await once(response.resume(), 'end');
          return response.statusCode ?? 0;
        } catch (error) {
          return (error as { code: string }).code;
        }
      };
      assert.deepEqual([await send(), await send(), await send()], [200, 'ECONNRESET', 200]);
      assert.equal(server.requests.length, 2);
      agent.destroy();
    });
  });

  test('after N requests the next one kills the server with all that is under way', async () => {
    await withServer({ prefillMs: FOREVER_MS, dieAfter: 1 }, async (server) => {
      const first = outcome(ask(server));
      await until(() => server.stats().running === 1);
      assert.deepEqual(await Promise.all([outcome(ask(server)), first]), ['ECONNRESET', 'ECONNRESET']);
      assert.equal(await outcome(ask(server)), 'ECONNREFUSED');
    });
  });

  test('nonsense is not HTTP, or a metrics page no parser should trust', async () => {
    await withServer({ nonsense: 'http' }, async (server) => {
      const code = await outcome(fetch(`${server.url}/health`));
      assert.notEqual(code, 200);
      server.set({ nonsense: 'metrics' });
      assert.equal(await outcome(fetch(`${server.url}/health`)), 200);
      assert.match(await (await fetch(`${server.url}/metrics`)).text(), /over 9000/);
    });
  });

  test('metrics can be missing, health can fail, and start-up answers everything with 503', async () => {
    await withServer({ noMetrics: true, unhealthy: true }, async (server) => {
      const statuses = (): Promise<(number | string)[]> =>
        Promise.all(['/metrics', '/health'].map((path) => outcome(fetch(server.url + path))));
      assert.deepEqual(await statuses(), [404, 503]);
      server.set({ noMetrics: false, unhealthy: false });
      assert.deepEqual(await statuses(), [200, 200]);
    });
    await withServer({ startupMs: FOREVER_MS }, async (server) => {
      assert.equal(await outcome(fetch(`${server.url}/health`)), 503);
      assert.equal(await outcome(ask(server)), 503);
    });
  });

  test('control changes settings over HTTP, and names what it does not accept', async () => {
    await withServer({ control: true }, async (server) => {
      const change = async (body: unknown): Promise<string> =>
        (await fetch(`${server.url}/control`, { method: 'POST', body: JSON.stringify(body) })).text();
      assert.match(await change({ unhealthy: true, maxNumSeqs: 3 }), /"maxNumSeqs":3.*"unhealthy":true/);
      assert.equal(await outcome(fetch(`${server.url}/health`)), 503);
      assert.match(await change({ failRate: 2 }), /failRate: got 2, allowed is a number from 0 to 1/);
      assert.match(await change({ kvBlocks: 2 }), /kvBlocks: cannot be changed at run time; allowed are maxNumSeqs/);
      assert.match(await (await fetch(`${server.url}/control`)).text(), /"failRate":0,/);
    });
  });

  test('options out of range and ports in use stop the start', async () => {
    await assert.rejects(startModelServer({ tokenMs: 0 }), /tokenMs: got 0, allowed is a number from 0\.01/);
    await assert.rejects(
      startModelServer({ kvBlocks: 1, maxModelLen: 17 }),
      /maxModelLen: got 17, allowed is at most the 16/,
    );
    await withServer({}, async (server) => {
      await assert.rejects(startModelServer({ port: server.port }), /EADDRINUSE/);
    });
  });
});
