// SPDX-License-Identifier: Apache-2.0

/** `fairlead status` and `fairlead bypass` as command lines, against a real admin port. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { startAdmin } from '../admin/server.ts';
import type { StateDocument } from '../admin/state.ts';
import { startModelServer } from '../model-server/model-server.ts';
import { bypassCommand } from './bypass.ts';
import { runProgram } from './program.ts';
import { statusCommand } from './status.ts';
import { unreloaded } from '../../../../test/kit/config-status.ts';

const flow = { bytes: 2_048, oldestWaitMs: 3_200, inFlight: 4, capped: true, throttled: false, parked: false };

const busy: StateDocument = {
  schema: 1,
  version: '1.2.3',
  uptimeS: 3_720,
  draining: false,
  bypass: false,
  buffered: { bytes: 3 * 1024 * 1024, limitBytes: 512 * 1024 * 1024 },
  config: unreloaded,
  pools: [
    {
      name: 'llama',
      models: ['llama', 'ada'],
      detector: 'adaptive-concurrency-detector',
      bandSelection: 'strict-band-selection-policy',
      saturation: 1,
      gated: { priority: 0, saturation: 1, ceiling: 1, forMs: 1_500 },
      waiting: 7,
      bytes: 4_096,
      inFlight: 24,
      heldWhileIdleMs: 0,
      retryAfterS: 2,
      bands: [
        {
          priority: 0,
          waiting: 7,
          maxRequests: 5_000,
          bytes: 4_096,
          maxBytes: null,
          ceiling: 1,
          gated: true,
          lagTokens: 0,
          lagBoundTokens: null,
          fairnessFacts: null,
          fairness: 'round-robin-fairness-policy',
          ordering: 'fcfs-ordering-policy',
          share: { promised: 0.05, recent: 0.951 },
          flows: [
            { fairnessId: 'acme\u001b[31m', waiting: 7, ...flow },
            { fairnessId: 'idle', ...flow, waiting: 0, inFlight: 0 },
          ],
          otherFlows: { count: 3, waiting: 0, inFlight: 0 },
        },
      ],
      endpoints: [
        {
          name: 'gpu-1',
          url: 'http://127.0.0.1:8001',
          up: true,
          problem: null,
          limit: 8.7,
          inFlight: 8,
          tokensInFlight: 800,
          waiting: 0,
          running: 8,
          kvUsage: 0.424,
          scrapeAgeMs: 310,
          models: ['llama', 'ada'],
        },
        {
          name: 'gpu-2',
          url: 'http://127.0.0.1:8002',
          up: false,
          problem: 'connection refused',
          limit: null,
          inFlight: 0,
          tokensInFlight: 0,
          waiting: null,
          running: null,
          kvUsage: null,
          scrapeAgeMs: null,
          models: ['llama'],
        },
      ],
    },
  ],
  unassigned: [],
};

const loaded = [statusCommand, bypassCommand].map((command) => ({
  name: command.name,
  load: () => Promise.resolve(command),
}));

async function run(words: readonly string[], options: { stop?: AbortController; isTTY?: boolean } = {}) {
  const output = { out: '', err: '' };
  const stop = options.stop ?? new AbortController();
  const exitCode = await runProgram(words, {
    version: '0',
    commands: loaded,
    stdout: {
      isTTY: options.isTTY ?? false,
      write(text: string) {
        output.out += text;
        options.stop?.abort();
      },
    },
    stderr: { write: (text: string) => (output.err += text) },
    stop: stop.signal,
  });
  return { exitCode, ...output };
}

async function withAdmin(use: (url: string, switched: boolean[]) => Promise<void>): Promise<void> {
  const switched: boolean[] = [];
  const admin = await startAdmin({
    host: '127.0.0.1',
    port: 0,
    metrics: { contentType: 'text/plain', render: () => Promise.resolve('') },
    state: () => ({ ...busy, bypass: switched.at(-1) ?? false }),
    notReadyReason: () => undefined,
    setBypass: (on) => void switched.push(on),
  });
  try {
    await use(admin.url, switched);
  } finally {
    await admin.close();
  }
}

test('status prints pools, why they are held, bands, flows and endpoints as tables', async () => {
  await withAdmin(async (url) => {
    const { exitCode, out, err } = await run(['status', '--admin', url]);
    assert.deepEqual([exitCode, err], [0, '']);
    assert.equal(
      out,
      `fairlead 1.2.3 · up 1 h 2 min · 3.0 MiB of 512 MiB buffered

Pool llama · saturation 1.00 · 7 waiting · 24 in flight
  models: llama, ada
  held for 1.5 s: priority 0 and below, saturation 1.00 has reached ceiling 1.00

  ENDPOINT  URL                    STATE  IN FLIGHT  LIMIT  WAITING  RUNNING  KV    METRICS     PROBLEM
  gpu-1     http://127.0.0.1:8001  up     8          8      0        8        42 %  310 ms ago
  gpu-2     http://127.0.0.1:8002  DOWN   0          -      ?        ?        ?     never       connection refused

  PRIORITY  WAITING  BYTES    CEILING        SHARE  PROMISED  FAIRNESS                     ORDERING
  0         7/5000   4.0 KiB  1.00     held  95 %   5 %       round-robin-fairness-policy  fcfs-ordering-policy

  FLOW       PRIORITY  WAITING  BYTES    OLDEST  IN FLIGHT
  acme?[31m  0         7        2.0 KiB  3.2 s   4          at its limit
  and 3 more
`,
    );
  });
});

test('status --json prints the document of /state as it is', async () => {
  await withAdmin(async (url) => {
    const { exitCode, out } = await run(['status', '--json', '--admin', url]);
    assert.equal(exitCode, 0);
    assert.deepEqual(JSON.parse(out), busy);
  });
});

test('status --watch goes on until it is stopped, and clears the screen of a terminal only', async () => {
  await withAdmin(async (url) => {
    const onTerminal = await run(['status', '--watch', '--admin', url], { stop: new AbortController(), isTTY: true });
    assert.equal(onTerminal.exitCode, 0);
    assert.ok(onTerminal.out.startsWith('\u001b[H\u001b[Jfairlead 1.2.3'));
    const piped = await run(['status', '--watch', '--admin', url], { stop: new AbortController() });
    assert.ok(piped.out.startsWith('fairlead 1.2.3'));
  });
});

test('nobody there is one clear line and exit code 1', async () => {
  let url = '';
  await withAdmin((used) => {
    url = used;
    return Promise.resolve();
  });
  for (const words of [['status'], ['status', '--watch'], ['bypass', 'on']]) {
    const { exitCode, out, err } = await run([...words, '--admin', url]);
    assert.deepEqual([exitCode, out], [1, '']);
    assert.match(err, /^fairlead \w+: cannot ask http:\/\/127\.0\.0\.1:\d+: nothing listens there; is .* running.*\n$/);
  }
});

test('something that is not a fairlead is one clear line, too', async () => {
  const other = createServer((_, response) => response.end('<html>')).listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  try {
    const { exitCode, err } = await run([
      'status',
      '--admin',
      `http://127.0.0.1:${(other.address() as AddressInfo).port}`,
    ]);
    assert.equal(exitCode, 1);
    assert.match(err, /does not answer like a fairlead admin port\n$/);
  } finally {
    other.close();
  }
});

test('a port that has no /state, as that of the gateway itself, is asked about in one line', async () => {
  const server = await startModelServer({});
  try {
    const { exitCode, out, err } = await run(['status', '--admin', server.url]);
    assert.deepEqual([exitCode, out], [1, '']);
    assert.equal(
      err,
      `fairlead status: ${server.url} has no /state; is --admin the admin port of a \`fairlead serve\`?\n`,
    );
  } finally {
    await server.destroy();
  }
});

test('bypass on and off switch it and say what that means', async () => {
  await withAdmin(async (url, switched) => {
    const on = await run(['bypass', 'on', '--admin', url]);
    assert.deepEqual([on.exitCode, on.out], [0, 'bypass is on: everything is dispatched at once, 7 waiting\n']);
    const shown = await run(['status', '--admin', url]);
    assert.match(shown.out, /BYPASS ON/);
    const off = await run(['bypass', 'off', '--admin', url]);
    assert.deepEqual([off.exitCode, off.out], [0, 'bypass is off: flow control decides, 7 waiting\n']);
    assert.deepEqual(switched, [true, false]);
  });
});

test('a word that is no switch, a missing one and a wrong address are usage mistakes: exit code 2, nothing sent', async () => {
  for (const words of [
    ['bypass', 'maybe'],
    ['bypass'],
    ['status', '--admin', 'nowhere'],
    ['bypass', 'on', '--admin', 'ftp://x'],
  ]) {
    const { exitCode, err } = await run(words);
    assert.equal(exitCode, 2, words.join(' '));
    assert.match(err, /^fairlead \w+: .*\n$/);
  }
});
