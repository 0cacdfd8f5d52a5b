// SPDX-License-Identifier: Apache-2.0

/**
 * The demo itself, shortened: real processes, real sockets, real load. What the figures are is the machine's affair and
 * the benchmark's; here it is shown that they are there, add up, and that nothing is left behind.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startModelServer } from '../model-server/model-server.ts';
import { Loopback } from '../../../../test/kit/loopback.ts';
import { runDemo } from './demo.ts';
import type { DemoOptions } from './demo.ts';
import { checkServers } from './fleet/own-servers.ts';
import type { DemoResult } from './result.ts';

interface Run {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  readonly result: DemoResult;
}

/** Runs a demo; `onText` sees everything it prints. */
async function run(options: Partial<DemoOptions>, onText: (text: string) => void = () => undefined): Promise<Run> {
  const printed = { out: '', err: '' };
  const exitCode = await runDemo({
    durationS: 5,
    json: true,
    endpoints: [],
    model: undefined,
    slots: undefined,
    seed: 1,
    stop: new AbortController().signal,
    stdout: { write: (text) => (onText(text), (printed.out += text)) },
    stderr: { write: (text) => (onText(text), (printed.err += text)) },
    ...options,
  });
  const lastLine = printed.out.trimEnd().split('\n').at(-1) ?? '';
  const result = (lastLine.startsWith('{') ? JSON.parse(lastLine) : undefined) as DemoResult;
  return { exitCode, ...printed, result };
}

function urlsIn(text: string): string[] {
  return [...text.matchAll(/http:\/\/127\.0\.0\.1:\d+/g)].map(([url]) => url);
}

test('all phases are played, everything that was asked is accounted for, and nothing stays behind', async () => {
  const { exitCode, out, err, result } = await run({});
  assert.equal(exitCode, 0, err);
  assert.equal(out.trimEnd().split('\n').length, 1);
  assert.equal(result.schema, 1);
  assert.deepEqual(
    result.phases.map(({ name, fleet, tenants }) => [name, fleet.slots, tenants.length]),
    [
      ['alone', 24, 1],
      ['unprotected', 24, 3],
      ['protected', 24, 3],
      ['one server killed', 16, 3],
    ],
  );
  for (const { name, seconds, fleet, tenants } of result.phases) {
    assert.ok(seconds > 0 && fleet.tokensPerS > 0 && fleet.busyShare !== null, name);
    for (const tenant of tenants) {
      assert.equal(tenant.requests, tenant.ok + tenant.failed + tenant.cancelled, `${name}, ${tenant.name}`);
      if (name !== 'one server killed') assert.equal(tenant.failed, 0, `${name}, ${tenant.name}`);
      // Only what the killed server had received may fail, and all but what it had just received was being answered.
      for (const why of Object.keys(tenant.failures)) assert.match(why, /^(stream broken off|HTTP 502)/);
    }
    assert.notEqual(tenants[0]?.ttftMs.p99, null);
  }
  assert.match(err, /interactive p99 time to first token: alone .*, unprotected .*, protected .*, one server killed/);
  assert.ok(urlsIn(err).length >= 3);
  for (const url of urlsIn(err)) await assert.rejects(fetch(url), url);
});

test('Ctrl-C ends it at any time with the table so far, and takes everything down', async () => {
  const stop = new AbortController();
  const { exitCode, out } = await run({ json: false, durationS: 60, stop: stop.signal }, (text) => {
    if (text.startsWith('alone, 1 s')) stop.abort();
  });
  assert.equal(exitCode, 0);
  assert.match(out, /\nphase +tenant .*\nalone +interactive /);
  for (const url of urlsIn(out)) await assert.rejects(fetch(url), url);
});

test('after the table it serves on under the protected load until Ctrl-C', async () => {
  const stop = new AbortController();
  const { exitCode, out } = await run({ json: false, durationS: 3, stop: stop.signal }, (text) => {
    if (text.startsWith('serving on, 1 s')) stop.abort();
  });
  assert.equal(exitCode, 0);
  assert.match(out, /\none server killed +interactive [^]*serving on under the protected load.*\nserving on, 1 s: /);
});

test('the phases run against servers of the user, none of which is killed', async () => {
  const server = await startModelServer({ models: ['llama'], maxNumSeqs: 4 });
  try {
    const own = { endpoints: [server.url], model: 'llama', slots: 4 };
    const { exitCode, err, result } = await run({ ...own, durationS: 4 });
    assert.equal(exitCode, 0, err);
    assert.deepEqual(
      result.phases.map(({ name, fleet }) => [name, fleet.slots]),
      [
        ['alone', 4],
        ['unprotected', 4],
        ['protected', 4],
      ],
    );
    assert.equal((await fetch(`${server.url}/health`)).status, 200);
    const wrong = await run({ ...own, model: 'lama' });
    assert.equal(wrong.exitCode, 1);
    assert.match(wrong.err, /\nfairlead demo: http:\/\/\S+ does not serve "lama" \(--model\); it serves "llama"\n$/);
  } finally {
    await server.destroy();
  }
});

test('a server of the user at which nobody listens is said at once, each of them, and nothing is started', async () => {
  const loopback = new Loopback();
  try {
    const urls = [await loopback.nobody(), await loopback.nobody()];
    const { exitCode, out, err } = await run({ endpoints: urls, model: 'llama' });
    assert.equal(exitCode, 1);
    assert.equal(out, '');
    for (const url of urls) assert.ok(err.includes(`${url} cannot be reached: connect ECONNREFUSED`), err);
    assert.ok(!err.includes('gateway http'), err);
  } finally {
    await loopback.end();
  }
});

test('a server of the user that lists no models is left to the gateway to judge', async () => {
  const loopback = new Loopback();
  try {
    for (const [status, page] of [
      [503, 'loading'],
      [200, 'not JSON'],
      [200, '{"data": 1}'],
    ] as const) {
      const url = await loopback.http((_request, response) => response.writeHead(status).end(page));
      await checkServers([url], 'llama');
    }
    const url = await loopback.http((_request, response) => response.end('{"data": [null, {"id": "a"}]}'));
    await assert.rejects(checkServers([url], 'llama'), /does not serve "llama" \(--model\); it serves "a"$/);
  } finally {
    await loopback.end();
  }
});
