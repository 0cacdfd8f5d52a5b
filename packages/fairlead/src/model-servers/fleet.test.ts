// SPDX-License-Identifier: Apache-2.0

/** The whole fleet over real sockets: model servers that serve, die, come back, talk nonsense and want keys. */

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, it } from 'node:test';
import type { Endpoint } from '@fairlead/core';
import { Loopback } from '../../../../test/kit/loopback.ts';
import { OUTLIERS } from '../../../../test/kit/outlier-detection.ts';
import type { EndpointConfig } from '../config/resolved.ts';
import { startModelServer } from '../model-server/model-server.ts';
import type { ModelServer, ModelServerOptions } from '../model-server/model-server.ts';
import { systemClock } from '../serve/system-clock.ts';
import { HeaderBlock } from '../sockets/header-block.ts';
import { Fleet } from './fleet.ts';
import type { FleetConfig } from './fleet.ts';

const loopback = new Loopback();

afterEach(() => loopback.end());

async function modelServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  const server = await startModelServer(options);
  loopback.atEnd(() => server.destroy());
  return server;
}

function at(name: string, url: string, more: Partial<EndpointConfig> = {}): EndpointConfig {
  return { name, url, labels: {}, models: [], ...more };
}

interface Watched {
  readonly fleet: Fleet;
  /** Resolves when `holds`, looked at now and after whatever happens to the fleet. */
  until(holds: () => boolean): Promise<void>;
  readonly problems: string[];
  endpoint(name: string): Endpoint;
}

function fleetOf(config: Partial<FleetConfig>, environment: Record<string, string> = {}): Watched {
  let lookAgain: (() => void) | undefined;
  const happened = (): void => lookAgain?.();
  const problems: string[] = [];
  const fleet = new Fleet({
    config: {
      endpoints: [],
      outlierDetection: OUTLIERS,
      metricsSource: { scheme: 'http', path: '/metrics', intervalMs: 50, engineLabelKey: 'engine' },
      gateway: { connectTimeoutMs: 2000 },
      ...config,
    },
    clock: systemClock,
    random: () => 0.5,
    environment,
    observer: {
      endpointAdded: happened,
      endpointRemoved: happened,
      endpointHealth: happened,
      endpointModels: happened,
      discoveryProblem(problem) {
        problems.push(problem);
        happened();
      },
    },
  });
  fleet.onRead(happened);
  loopback.atEnd(() => fleet.stop());
  return {
    fleet,
    problems,
    async until(holds) {
      while (!holds()) await new Promise<void>((resolve) => (lookAgain = resolve));
    },
    endpoint: (name) => fleet.endpoints.find((endpoint) => endpoint.name === name)!,
  };
}

describe('the fleet', () => {
  it('learns models and load of its servers, and pools those that serve the same', async () => {
    const servers = await Promise.all([
      modelServer({ models: ['m'] }),
      modelServer({ models: ['m'], adapters: ['lora'] }),
      modelServer({ models: ['other'] }),
    ]);
    const { fleet, until } = fleetOf({ endpoints: servers.map(({ url }, index) => at(`s${index}`, url)) });
    const told: string[] = [];
    fleet.onPools((added) => void told.push(...added.map((pool) => pool.name)));
    assert.equal(fleet.modelsKnown, true, 'nobody is waited for before the start');
    await fleet.start();
    assert.equal(fleet.modelsKnown, false);
    await until(() => fleet.modelsKnown && fleet.endpoints.every((endpoint) => endpoint.metrics !== undefined));
    assert.deepEqual(told.sort(), ['m', 'other']);
    assert.deepEqual(
      fleet
        .poolFor('m')
        ?.available.map((endpoint) => endpoint.name)
        .sort(),
      ['s0', 's1'],
    );
    assert.equal(fleet.poolFor('lora'), fleet.poolFor('m'));
    assert.deepEqual(
      fleet
        .models()
        .map((model) => model.id)
        .sort(),
      ['lora', 'm', 'other'],
    );
    assert.equal(fleet.endpoints[0]?.metrics?.running, 0);
  });

  it('takes a server that dies out of its pool, and back in when it is there again', async () => {
    const [steady, dying] = await Promise.all([modelServer(), modelServer()]);
    const { fleet, until, endpoint } = fleetOf({ endpoints: [at('steady', steady.url), at('dying', dying.url)] });
    await fleet.start();
    await until(() => fleet.modelsKnown);
    const pool = fleet.pools[0]!;
    await dying.destroy();
    await until(() => !endpoint('dying').up);
    assert.match(endpoint('dying').problem ?? '', /^cannot be connected to/);
    assert.deepEqual(pool.available, [endpoint('steady')]);
    await modelServer({ port: dying.port });
    await until(() => endpoint('dying').up);
    assert.equal(pool.available.length, 2);
    assert.equal(endpoint('dying').problem, undefined);
  });

  it('does not know all models while a server has never told, and serves the configured ones at once', async () => {
    const { fleet } = fleetOf({
      endpoints: [at('dead', await loopback.nobody()), at('named', await loopback.nobody(), { models: ['m'] })],
    });
    await fleet.start();
    assert.equal(fleet.poolFor('m')?.endpoints.length, 1);
    assert.equal(fleet.modelsKnown, false);
  });

  it('takes a server down that does not speak HTTP, and only explains one whose metrics make no sense', async () => {
    const [http, metrics] = await Promise.all([
      modelServer({ nonsense: 'http' }),
      modelServer({ nonsense: 'metrics' }),
    ]);
    const { fleet, until, endpoint } = fleetOf({ endpoints: [at('http', http.url), at('metrics', metrics.url)] });
    await fleet.start();
    await until(() => !endpoint('http').up);
    assert.match(endpoint('http').problem ?? '', /^does not speak HTTP/);
    await until(() => fleet.pools.length > 0);
    assert.equal(endpoint('metrics').up, true);
    assert.equal(endpoint('metrics').metrics, undefined);
  });

  it('looks at a server at which a request failed, without being told by anyone', async () => {
    const server = await modelServer();
    const { fleet, until, endpoint } = fleetOf({ endpoints: [at('a', server.url)], metricsSource: undefined });
    await fleet.start();
    await until(() => fleet.modelsKnown);
    server.set({ stallAfter: 1 });
    const begun = Promise.withResolvers<void>();
    const over = Promise.withResolvers<string>();
    const body = JSON.stringify({ model: 'demo-model', prompt: 'x', max_tokens: 100, stream: true });
    const request = {
      endpoint: endpoint('a'),
      method: 'POST',
      path: '/v1/completions',
      headers: new HeaderBlock(['content-type', 'application/json']),
      body: [Buffer.from(body)],
      firstByteTimeoutMs: 0,
      idleTimeoutMs: 0,
      freshConnection: false,
    };
    fleet.upstream.send(request, {
      onHeaders: () => undefined,
      onData: () => (begun.resolve(), true),
      onEnd: () => over.resolve('ended'),
      onError: (error) => over.resolve(error.kind),
    });
    await begun.promise;
    await server.destroy();
    assert.equal(await over.promise, 'died');
    await until(() => !endpoint('a').up);
  });

  it('sends an endpoint its key with requests, probes, models and metrics, and shows it to nobody', async () => {
    const seen = new Map<string, string | undefined>();
    const url = await loopback.http((request, response) => {
      seen.set(request.url ?? '', request.headers.authorization);
      response.end(
        request.url === '/v1/models'
          ? '{"data":[{"id":"m"}]}'
          : 'vllm:num_requests_running 0\nvllm:num_requests_waiting 0\n',
      );
    });
    const config = { endpoints: [at('a', url, { apiKeyEnv: 'ENGINE_KEY' })] };
    const { fleet, until, endpoint } = fleetOf(config, { ENGINE_KEY: 'sk-canary\n' });
    await fleet.start();
    await until(() => fleet.modelsKnown && endpoint('a').metrics !== undefined && seen.has('/health'));
    assert.deepEqual([...seen.values()], ['Bearer sk-canary', 'Bearer sk-canary', 'Bearer sk-canary']);
    assert.ok(!JSON.stringify([fleet.endpoints, fleet.pools, fleet]).includes('canary'));
    assert.throws(
      () => fleetOf(config),
      /endpoint a: the environment variable ENGINE_KEY, named by apiKeyEnv, is not set/,
    );
    assert.throws(
      () => fleetOf(config, { ENGINE_KEY: 'sk-canary\r\nx: y' }),
      (error: Error) => /more than printable ASCII/.test(error.message) && !error.message.includes('canary'),
    );
  });

  it('keeps the endpoints that a changed file leaves as they are', async () => {
    const servers = await Promise.all([modelServer(), modelServer(), modelServer()]);
    const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-'));
    loopback.atEnd(() => rm(folder, { recursive: true, force: true }));
    const file = path.join(folder, 'endpoints.json');
    const write = (...entries: [string, number, object?][]): Promise<void> =>
      writeFile(
        file,
        JSON.stringify({
          endpoints: entries.map(([name, index, labels = {}]) => ({
            name,
            address: '127.0.0.1',
            port: servers[index]!.port,
            labels,
          })),
        }),
      );
    await write(['a', 0], ['b', 1]);
    const { fleet, until, endpoint, problems } = fleetOf({ fileDiscovery: { path: file, watchFile: true } });
    await fleet.start();
    await until(() => fleet.modelsKnown);
    const [a, pool] = [endpoint('a'), fleet.pools[0]];
    await write(['a', 0], ['b', 1, { zone: 'x' }], ['c', 2]);
    await until(() => fleet.endpoints.length === 3 && fleet.modelsKnown);
    assert.equal(endpoint('a'), a);
    assert.deepEqual(endpoint('b').labels, { zone: 'x' });
    assert.deepEqual(fleet.pools, [pool]);
    assert.equal(pool?.endpoints.length, 3);
    await writeFile(file, 'endpoints: [');
    await until(() => problems.length > 0);
    assert.equal(fleet.endpoints.length, 3);
    await writeFile(file, 'endpoints: []');
    await until(() => fleet.endpoints.length === 0);
    assert.equal(fleet.poolFor('demo-model'), pool);
  });

  it('knows what still runs at an endpoint that a file relabels, or drops and brings back', async () => {
    const server = await modelServer();
    const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-'));
    loopback.atEnd(() => rm(folder, { recursive: true }));
    const file = path.join(folder, 'endpoints.yaml');
    const { port } = new URL(server.url);
    const entry = (role: string): string =>
      JSON.stringify({ name: 'a', address: '127.0.0.1', port: Number(port), labels: { role } });
    await writeFile(file, `endpoints: [${entry('decode')}]`);
    const { fleet, until, endpoint } = fleetOf({ fileDiscovery: { path: file, watchFile: true } });
    await fleet.start();
    const before = endpoint('a');
    before.take(3);
    await writeFile(file, `endpoints: [${entry('prefill')}]`);
    await until(() => endpoint('a').labels['role'] === 'prefill');
    assert.equal(endpoint('a').inFlight, 3);
    await writeFile(file, 'endpoints: []');
    await until(() => fleet.endpoints.length === 0);
    await writeFile(file, `endpoints: [${entry('prefill')}]`);
    await until(() => fleet.endpoints.length === 1);
    assert.equal(endpoint('a'), before);
    before.release(3);
    await writeFile(file, `endpoints: [${entry('decode')}]`);
    await until(() => endpoint('a').labels['role'] === 'decode');
    assert.notEqual(endpoint('a'), before, 'nothing runs there any more');
    await until(() => fleet.modelsKnown);
    assert.equal(fleet.pools[0]?.available.length, 1);
  });

  it('takes the first of two endpoints that are discovered twice, and says so', async () => {
    const server = await modelServer();
    const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-'));
    loopback.atEnd(() => rm(folder, { recursive: true, force: true }));
    const file = path.join(folder, 'endpoints.json');
    await writeFile(file, JSON.stringify({ endpoints: [{ name: 'twin', address: '127.0.0.1', port: server.port }] }));
    const { fleet, problems } = fleetOf({
      endpoints: [at('a', server.url)],
      fileDiscovery: { path: file, watchFile: false },
    });
    await fleet.start();
    assert.deepEqual(
      fleet.endpoints.map((endpoint) => endpoint.name),
      ['a'],
    );
    assert.match(problems.join(), /^endpoint twin at .* is discovered twice; the first counts$/);
  });
});
