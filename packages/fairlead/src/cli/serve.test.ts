// SPDX-License-Identifier: Apache-2.0

/** `fairlead serve` as whole command lines: what stops it from starting, where it listens, and how it stops. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { startModelServer } from '../model-server/model-server.ts';
import { runProgram } from './program.ts';
import { serveCommand } from './serve.ts';

const chat = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 30 });

/** A command line under way. */
class Running {
  readonly #stop = new AbortController();
  readonly code: Promise<number>;
  out = '';
  err = '';
  #changed: (() => void)[] = [];

  constructor(words: readonly string[]) {
    const append = (to: 'out' | 'err') => ({
      write: (text: string) => {
        this[to] += text;
        for (const look of this.#changed.splice(0)) look();
      },
    });
    this.code = runProgram(['serve', ...words], {
      version: '0',
      commands: [{ name: 'serve', load: async () => serveCommand }],
      stdout: append('out'),
      stderr: append('err'),
      stop: this.#stop.signal,
    });
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Resolves when both addresses are printed. */
  async urls(): Promise<{ gateway: string; admin: string }> {
    for (;;) {
      const [, gateway, admin] = /^gateway listening on (\S+)\nadmin listening on (\S+)\n$/.exec(this.out) ?? [];
      if (gateway !== undefined && admin !== undefined) return { gateway, admin };
      await new Promise<void>((resolve) => this.#changed.push(resolve));
    }
  }

  async logged(message: string): Promise<void> {
    while (!this.err.includes(`"msg":"${message}"`)) await new Promise<void>((resolve) => this.#changed.push(resolve));
  }
}

const anyPort = ['--port', '0', '--admin-port', '0'];

describe('a start that cannot be', () => {
  it('says all problems of the configuration at once and exits 1', async () => {
    const text = 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nendpoints: 3\ngateway: {maxBodyByte: 1}\n';
    const running = new Running([...anyPort, '--config-text', text]);
    assert.equal(await running.code, 1);
    assert.match(running.err, /--config-text:3:\d+: endpoints/);
    assert.match(running.err, /--config-text:4:\d+: gateway\.maxBodyByte/);
    assert.match(running.err, /fairlead serve: 2 problems in the configuration\n$/);
    assert.equal(running.out, '');
  });

  it('says that there is nothing to serve', async () => {
    const running = new Running(anyPort);
    assert.equal(await running.code, 1);
    assert.match(running.err, /^fairlead serve: no model server to serve; .*--endpoint URL/);
  });

  it('says that an endpoint is the gateway itself', async () => {
    for (const flag of ['port', 'admin-port']) {
      const running = new Running(['--endpoint', 'http://localhost:9', ...anyPort, `--${flag}`, '9']);
      assert.equal(await running.code, 1);
      const why = `endpoint http://localhost:9 is this gateway itself; name a model server, or choose another --${flag}`;
      assert.equal(running.err, `fairlead serve: ${why}\n`);
    }
  });

  it('says in one line which port is taken', async () => {
    const taken = net.createServer();
    await once(taken.listen(0, '127.0.0.1'), 'listening');
    const { port } = taken.address() as AddressInfo;
    for (const flag of ['port', 'admin-port']) {
      const quiet = ['--endpoint', 'http://127.0.0.1:9', '--log-level', 'silent'];
      const running = new Running([...anyPort, ...quiet, `--${flag}`, String(port)]);
      assert.equal(await running.code, 1);
      const said = `fairlead serve: port ${port} of 127.0.0.1 is taken by another program; choose another with --${flag}\n`;
      assert.equal(running.err, said);
      assert.equal(running.out, '');
    }
    taken.close();
  });

  it('says that an address is none of this machine, and before that warns that it would have been open to all', async () => {
    // 192.0.2.0/24 is for documentation: no machine has it.
    const running = new Running([...anyPort, '--endpoint', 'http://127.0.0.1:9', '--host', '192.0.2.1']);
    assert.equal(await running.code, 1);
    assert.match(running.err, /"level":"warn".*no keys are configured/);
    assert.match(
      running.err,
      /fairlead serve: 192\.0\.2\.1 is not an address of this machine; choose another with --host\n/,
    );
  });

  it('says why the file of --record cannot be written', async () => {
    const file = '/no-such-folder/requests.jsonl';
    const running = new Running([...anyPort, '--endpoint', 'http://127.0.0.1:9', '--record', file]);
    assert.equal(await running.code, 1);
    assert.equal(running.err, `fairlead serve: --record ${file}: its folder is not there\n`);
  });

  it('takes no value that makes no sense', async () => {
    for (const [flag, value, says] of [
      ['--port', '65536', /allowed is an integer from 0 to 65535/],
      ['--drain-timeout', '30', /allowed is a duration such as 30s or 1m30s, at least 0s/],
      ['--drain-timeout', '-1s', /allowed is a duration such as 30s or 1m30s, at least 0s/],
      ['--log-level', 'loud', /allowed is one of debug, info, warn, error, silent/],
    ] as const) {
      const running = new Running([flag, value]);
      assert.equal(await running.code, 2);
      assert.match(running.err, says);
    }
  });
});

describe('a gateway that serves', () => {
  it('is ready, tells its state, and when stopped answers what it has accepted and exits 0', async () => {
    const server = await startModelServer({ models: ['m'], prefillMs: 1, tokenMs: 1 });
    const running = new Running([...anyPort, '--endpoint', server.url]);
    const { gateway, admin } = await running.urls();
    await running.logged('endpoint added');
    await poll(`${admin}/readyz`);
    const first = await fetch(`${gateway}/v1/chat/completions`, { method: 'POST', body: chat });
    assert.equal(first.status, 200);
    await first.text();
    server.set({ stallAfter: 1 });
    const accepted = fetch(`${gateway}/v1/chat/completions`, { method: 'POST', body: chat.replace('hi', 'canary') });
    await poll(`${admin}/state`, (body) => /"inFlight":1/.test(body));
    running.stop();
    await running.logged('draining');
    assert.equal((await fetch(`${admin}/readyz`)).status, 503);
    server.set({ stallAfter: null });
    const answer = await accepted;
    assert.equal(answer.headers.get('connection'), 'close');
    assert.equal(((await answer.json()) as { usage: { completion_tokens: number } }).usage.completion_tokens, 30);
    assert.equal(await running.code, 0);
    assert.doesNotMatch(running.err, /canary/);
    await server.destroy();
  });

  it('cuts what does not end within the drain timeout, says so, and exits 1', async () => {
    const server = await startModelServer({ models: ['m'], prefillMs: 1, tokenMs: 1, stallAfter: 1 });
    const running = new Running([...anyPort, '--endpoint', server.url, '--drain-timeout', '50ms']);
    const { gateway, admin } = await running.urls();
    await poll(`${admin}/readyz`);
    const cut = fetch(`${gateway}/v1/chat/completions`, { method: 'POST', body: chat });
    await poll(`${admin}/state`, (body) => /"inFlight":1/.test(body));
    running.stop();
    await assert.rejects(cut);
    assert.equal(await running.code, 1);
    assert.match(running.err, /what is still under way is cut/);
    await server.destroy();
  });

  it('tells who still waits when the drain timeout is over that it is shutting down', async () => {
    const server = await startModelServer({ models: ['m'], prefillMs: 1, tokenMs: 1, stallAfter: 1 });
    const config = [
      'apiVersion: llm-d.ai/v1alpha1',
      'kind: EndpointPickerConfig',
      'plugins: [{type: concurrency-detector, parameters: {maxConcurrency: 1}}]',
      'flowControl: {saturationDetector: {pluginRef: concurrency-detector}}',
    ].join('\n');
    const running = new Running([
      ...anyPort,
      ...['--endpoint', server.url, '--drain-timeout', '100ms', '--config-text', config],
    ]);
    const { gateway, admin } = await running.urls();
    await poll(`${admin}/readyz`);
    const runs = fetch(`${gateway}/v1/chat/completions`, { method: 'POST', body: chat });
    await poll(`${admin}/state`, (body) => /"inFlight":1/.test(body));
    const waits = fetch(`${gateway}/v1/chat/completions`, { method: 'POST', body: chat });
    await poll(`${admin}/state`, (body) => /"waiting":1/.test(body));
    running.stop();
    const refused = await waits;
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get('x-llm-d-request-dropped-reason'), 'rejected-shutting-down');
    await assert.rejects(runs.then((answer) => answer.text()));
    assert.equal(await running.code, 1);
    await server.destroy();
  });

  it('stops before it starts when it is told to', async () => {
    const running = new Running([...anyPort, '--endpoint', 'http://127.0.0.1:9']);
    running.stop();
    assert.equal(await running.code, 0);
    assert.equal(running.out, '');
  });
});

/** Asks until the answer is as it should be. */
async function poll(url: string, isRight: (body: string) => boolean = () => true): Promise<void> {
  for (;;) {
    const response = await fetch(url);
    if (isRight(await response.text()) && response.ok) return;
  }
}
