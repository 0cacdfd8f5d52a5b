// SPDX-License-Identifier: Apache-2.0

/** A configuration file that changes under a running gateway. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, it } from 'node:test';
import type { StateDocument } from '../../packages/fairlead/src/admin/state.ts';
import { hashKey } from '../../packages/fairlead/src/tenancy/hash-key.ts';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServer, ModelServerOptions } from '../../packages/fairlead/src/model-server/model-server.ts';
import { Loopback } from '../kit/loopback.ts';
import { RawClient } from '../kit/raw-client.ts';
import { serveText } from '../kit/served.ts';

const loopback = new Loopback();
const body = { model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 3 };

async function modelServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  const server = await startModelServer({ prefillMs: 1, tokenMs: 1, models: ['m'], ...options });
  loopback.atEnd(() => server.destroy());
  return server;
}

const endpoints = (...urls: readonly string[]): string =>
  `endpoints:\n${urls.map((url) => `  - {url: ${url}, models: [m]}\n`).join('')}`;
const keyed = (...keys: readonly string[]): string =>
  `identity:\n  keys:\n${keys.map((key) => `    - {sha256: ${hashKey(Buffer.from(key))}, tenant: t-${key}}\n`).join('')}`;

async function statusFor(url: string, key: string): Promise<number> {
  const headers = { authorization: `Bearer ${key}` };
  const answer = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body: JSON.stringify(body) });
  await answer.arrayBuffer();
  return answer.status;
}

describe('a configuration file', () => {
  afterEach(() => loopback.end());

  it('counts as soon as it is another: who had a key is a stranger, a larger body passes', async () => {
    const { url } = await modelServer();
    const served = await serveText(`${endpoints(url)}${keyed('old')}gateway: {maxBodyBytes: 20}\n`, loopback);
    assert.deepEqual([await statusFor(served.url, 'old'), await statusFor(served.url, 'new')], [413, 401]);
    await served.rewrite(endpoints(url) + keyed('new'));
    const reload = await served.untilReloaded(1);
    assert.deepEqual([reload.trigger, reload.result, reload.problems], ['file', 'success', []]);
    assert.deepEqual([await statusFor(served.url, 'old'), await statusFor(served.url, 'new')], [401, 200]);
  });

  it('may be mounted from a ConfigMap, whose folder is a link that is replaced', async () => {
    const { url } = await modelServer();
    const served = await serveText(endpoints(url), loopback);
    const folder = path.dirname(served.file);
    const text = `apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n${endpoints(url)}`;
    for (const [version, extra] of [
      ['..1', ''],
      ['..2', keyed('k')],
    ] as const) {
      await mkdir(path.join(folder, version));
      await writeFile(path.join(folder, version, 'config.yaml'), text + extra);
    }
    await symlink('..1', path.join(folder, '..data'));
    await symlink('..data/config.yaml', `${served.file}.new`);
    await rename(`${served.file}.new`, served.file);
    await symlink('..2', path.join(folder, '..data_tmp'));
    await rename(path.join(folder, '..data_tmp'), path.join(folder, '..data'));
    await served.untilReloaded(1);
    assert.equal(await statusFor(served.url, 'unknown'), 401);
  });

  it('with a mistake changes nothing, and log, metrics and state say so', async () => {
    const { url } = await modelServer();
    const served = await serveText(endpoints(url), loopback);
    const before = (await served.state()).config;
    const reload = await served.reload('endpoints: 3\ngateway: {maxBodyByte: 1}\n');
    assert.equal(reload.result, 'failure');
    assert.deepEqual(
      reload.problems.map(({ path: field, line }) => [field, line]),
      [
        ['endpoints', 3],
        ['gateway.maxBodyByte', 4],
      ],
    );
    const { config } = await served.state();
    assert.deepEqual(
      [config.sha256, config.since, config.reloads],
      [before.sha256, before.since, { success: 0, failure: 1 }],
    );
    assert.deepEqual(config.lastReload, reload);
    assert.equal(served.logged.filter(({ msg }) => msg === 'a problem of the configuration').length, 2);
    assert.equal(await served.metric('fairlead_config_reloads_total{result="failure"}'), 1);
    assert.equal(await served.metric('fairlead_config_last_reload_success'), 0);
    assert.equal(await statusFor(served.url, 'any'), 200);
    await served.reload(endpoints(url));
    assert.equal(await served.metric('fairlead_config_last_reload_success'), 1);
    assert.equal(await served.metric(`fairlead_config_info{hash="${before.sha256}"}`), 1);
  });

  it('that asks for what cannot be had changes nothing either', async () => {
    const [first, second] = [await modelServer(), await modelServer()];
    const served = await serveText(endpoints(first.url), loopback);
    const reload = await served.reload(`${keyed('k')}endpoints:\n  - {url: ${second.url}, apiKeyEnv: NOT_SET}\n`);
    assert.equal(reload.result, 'failure');
    assert.match(reload.problems[0]?.message ?? '', /NOT_SET, named by apiKeyEnv, is not set/);
    assert.equal(await statusFor(served.url, 'any'), 200);
    assert.deepEqual(
      (await served.until(() => true)).map(({ url }) => url),
      [first.url],
    );
  });

  it('that names a pipe or a device where files of keys and certificates should be changes nothing, and waits for none', async () => {
    const { url } = await modelServer();
    const served = await serveText(endpoints(url), loopback);
    const pipe = path.join(path.dirname(served.file), 'pipe');
    execFileSync('mkfifo', [pipe]);
    for (const file of [pipe, '/dev/zero']) {
      for (const text of [
        `identity: {jwt: {issuer: 'https://issuer.test', audience: [a], algorithms: [RS256], jwksFile: '${file}'}}\n${endpoints(url)}`,
        `endpoints: [{url: 'https://127.0.0.1:1', tls: {caFile: '${file}'}}]\n`,
      ]) {
        const reload = await served.reload(text);
        assert.equal(reload.result, 'failure');
        assert.match(reload.problems[0]?.message ?? '', /(jwksFile|caFile).* is not a regular file/);
      }
    }
    assert.equal(await statusFor(served.url, 'any'), 200);
  });

  it('that names other model servers sends what comes next there, and lets the old ones finish', async () => {
    const [first, second] = [await modelServer({ tokenMs: 5 }), await modelServer()];
    const served = await serveText(endpoints(first.url), loopback);
    const slow = served.ask({ ...body, max_tokens: 100 });
    while (first.stats().running === 0) await served.state();
    await served.reload(endpoints(second.url));
    assert.equal((await served.ask(body)).status, 200);
    assert.deepEqual([first.stats().finished, second.stats().finished], [0, 1]);
    assert.equal((await slow).status, 200);
  });

  it('widens and narrows the limits of heads and connections while it serves', async () => {
    const { url } = await modelServer();
    const served = await serveText(`${endpoints(url)}gateway: {maxHeaderBytes: 2Ki, keepAliveTimeout: 1h}\n`, loopback);
    const statusOf = async (padding: number): Promise<number> => {
      const client = new RawClient(served.url);
      client.write(`GET /v1/models HTTP/1.1\r\nhost: x\r\nx-padding: ${'x'.repeat(padding)}\r\n\r\n`);
      const { status } = await client.answer();
      client.destroy();
      return status;
    };
    assert.deepEqual([await statusOf(100), await statusOf(4000)], [200, 431]);
    await served.reload(`${endpoints(url)}gateway: {maxHeaderBytes: 8Ki, keepAliveTimeout: 20ms}\n`);
    assert.deepEqual([await statusOf(4000), await statusOf(10_000)], [200, 431]);
    const idle = new RawClient(served.url).write('GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n');
    await idle.answer();
    await once(idle.socket, 'close');
  });

  it('keeps what waits, and lets a band that is gone serve what is in it', async () => {
    const server = await modelServer({ maxNumSeqs: 1 });
    const { url } = server;
    server.set({ stallAfter: 1 });
    const full = 'plugins:\n  - {name: full, type: concurrency-detector, parameters: {maxConcurrency: 1}}\n';
    const flowControl = 'flowControl:\n  saturationDetector: {pluginRef: full}\n';
    const withBand = `${endpoints(url)}${keyed('k').replace('}', ', priority: 7}')}${full}${flowControl}`;
    const events: string[] = [];
    const served = await serveText(withBand, loopback, { onFlowEvent: (_pool, { kind }) => events.push(kind) });
    const answers = [1, 2, 3].map(() => statusFor(served.url, 'k'));
    const waiting = async (): Promise<readonly (readonly [number, number])[]> =>
      (await served.state()).pools[0]!.bands.map((band) => [band.priority, band.waiting] as const);
    while (events.filter((kind) => kind === 'enqueued').length < 3) await served.state();
    await served.reload(`${endpoints(url)}${keyed('k')}${full}${flowControl}`);
    assert.deepEqual(await waiting(), [
      [7, 2],
      [0, 0],
    ]);
    server.set({ stallAfter: null });
    assert.deepEqual(await Promise.all(answers), [200, 200, 200]);
  });

  it('names a module whose code is another by now: it counts after a restart', async () => {
    const { url } = await modelServer();
    const policy = (summary: string): string =>
      `export default { type: 'mine', kinds: ['ordering'], stability: 'stable', summary: '${summary}', parameters: {},
        create: ({ type, name }) => ({ type, name, rank: ({ sequence }) => sequence }) };\n`;
    const text = `${endpoints(url)}plugins: [{module: ./policy.mjs}]
flowControl: {defaultPriorityBand: {orderingPolicyRef: mine}}\n`;
    const served = await serveText(text, loopback, { files: { 'policy.mjs': policy('One.') } });
    assert.deepEqual((await served.reload(text)).needsRestart, []);
    await writeFile(path.join(path.dirname(served.file), 'policy.mjs'), policy('Another.'));
    const reload = await served.reload(text);
    assert.deepEqual([reload.result, reload.needsRestart], ['success', ['plugins[0].module']]);
    assert.deepEqual((await served.state()).config.lastReload, reload);
    assert.equal(await statusFor(served.url, 'any'), 200);
  });
});

/** `fairlead serve` as a process of its own. */
class Process {
  readonly child: ChildProcess;
  readonly code: Promise<number | null>;
  #out = '';

  constructor(...words: readonly string[]) {
    const main = path.join(import.meta.dirname, '../../packages/fairlead/src/cli/main.ts');
    const flags = ['--conditions=development', main, 'serve', '--port', '0', '--admin-port', '0', ...words];
    this.child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.code = once(this.child, 'exit').then(([code]) => code as number | null);
    loopback.atEnd(async () => {
      this.child.kill('SIGKILL');
      await this.code;
    });
  }

  /** Where its admin port is, once it listens. */
  async adminUrl(): Promise<string> {
    for await (const chunk of this.child.stdout!.setEncoding('utf8')) {
      this.#out += chunk as string;
      const [, url] = /^admin listening on (\S+)$/m.exec(this.#out) ?? [];
      if (url !== undefined) return url;
    }
    throw new Error('it never listened');
  }
}

describe('SIGHUP', () => {
  afterEach(() => loopback.end());

  it('reloads where there is a file, and SIGTERM drains', async () => {
    const { url } = await modelServer();
    const { file } = await serveText(endpoints(url), loopback);
    const served = new Process('--config-file', file);
    const adminUrl = await served.adminUrl();
    served.child.kill('SIGHUP');
    let config: StateDocument['config'];
    do config = ((await (await fetch(`${adminUrl}/state`)).json()) as StateDocument).config;
    while (config.lastReload === null);
    assert.deepEqual([config.lastReload.trigger, config.lastReload.result, config.file], ['signal', 'success', file]);
    served.child.kill('SIGTERM');
    assert.equal(await served.code, 0);
  });

  it('drains where there is none', async () => {
    const { url } = await modelServer();
    const served = new Process('--endpoint', url);
    await served.adminUrl();
    served.child.kill('SIGHUP');
    assert.equal(await served.code, 0);
  });
});
