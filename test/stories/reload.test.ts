// SPDX-License-Identifier: Apache-2.0

/** A configuration file that changes under a running gateway. */

import assert from 'node:assert/strict';
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { hashKey } from '../../packages/fairlead/src/tenancy/hash-key.ts';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServer, ModelServerOptions } from '../../packages/fairlead/src/model-server/model-server.ts';
import { Loopback } from '../kit/loopback.ts';
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
});
