// SPDX-License-Identifier: Apache-2.0

/** Health against real servers that refuse, load, talk nonsense and come back, under a virtual clock. */

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { Endpoint } from '@fairlead/core';
import { VirtualClock } from '@fairlead/core/testing';
import { Loopback } from '../../../../test/kit/loopback.ts';
import { WatchedGetter } from '../../../../test/kit/watched-getter.ts';
import { Health, MAX_BACKOFF_MS, PROBE_INTERVAL_MS } from './health.ts';
import type { Gets } from './getter.ts';
import { Problems } from './problems.ts';
import { UpstreamError } from './upstream-error.ts';

const loopback = new Loopback();

afterEach(() => loopback.end());

function watching(url: string) {
  const clock = new VirtualClock();
  const getter = new WatchedGetter(clock, loopback);
  const changes: boolean[] = [];
  const onChange = (endpoint: Endpoint): void => void changes.push(endpoint.up);
  const health = new Health({ getter, clock, random: () => 0.5, problems: new Problems(), onChange });
  loopback.atEnd(() => health.stop());
  const endpoint = new Endpoint({ name: 'a', url, labels: {} });
  health.add(endpoint);
  /** Lets time pass and waits for the probe that is due then. */
  const probed = async (afterMs: number): Promise<void> => {
    clock.advance(afterMs);
    await getter.answer();
  };
  return { clock, getter, changes, health, endpoint, probed };
}

describe('health', () => {
  it('sets an endpoint aside for as long as it is told, and asks it only then', async () => {
    const url = await loopback.http((_request, response) => void response.end());
    const { clock, getter, changes, endpoint, health, probed } = watching(url);
    await probed(0);
    health.setAside(endpoint, 5000, 'bad company');
    health.setAside(endpoint, 1, 'said twice');
    health.suspect(endpoint);
    clock.advance(4999);
    assert.deepEqual([changes, getter.asked.length, endpoint.problem], [[false], 1, 'bad company']);
    await probed(1);
    assert.deepEqual([changes, endpoint.problem], [[false, true], undefined]);
  });

  it('asks at the start and every ten seconds, and changes nothing while all is well', async () => {
    const { getter, changes, endpoint, probed } = watching(
      await loopback.http((_request, response) => void response.end()),
    );
    await probed(0);
    await probed(PROBE_INTERVAL_MS);
    assert.deepEqual(getter.asked, ['/health', '/health']);
    assert.deepEqual(changes, []);
    assert.equal(endpoint.problem, undefined);
  });

  it('takes an endpoint down that refuses, asks with growing pauses, and takes it up when it answers', async () => {
    const url = await loopback.nobody();
    const { clock, getter, changes, endpoint, probed } = watching(url);
    await probed(0);
    assert.equal(endpoint.up, false);
    assert.match(endpoint.problem ?? '', /^cannot be connected to: .*ECONNREFUSED/);
    for (const pauseMs of [100, 200, 400, 800, 1600, MAX_BACKOFF_MS, MAX_BACKOFF_MS]) {
      const before = getter.asked.length;
      clock.advance(pauseMs - 1);
      assert.equal(getter.asked.length, before);
      await probed(1);
    }
    await loopback.http((_request, response) => void response.end(), Number(new URL(url).port));
    await probed(MAX_BACKOFF_MS);
    assert.equal(endpoint.up, true);
    assert.equal(endpoint.problem, undefined);
    assert.deepEqual(changes, [false, true]);
  });

  it('takes an endpoint down the moment a request is refused, and asks after 100 ms', async () => {
    const url = await loopback.http((_request, response) => void response.end());
    const { changes, health, endpoint, probed } = watching(url);
    await probed(0);
    health.refused(endpoint, 'connect ECONNREFUSED');
    health.refused(endpoint, 'said twice');
    assert.equal(endpoint.up, false);
    assert.equal(endpoint.problem, 'cannot be connected to: connect ECONNREFUSED');
    await probed(100);
    assert.deepEqual(changes, [false, true]);
  });

  it('asks an endpoint that comes and goes as seldom as one that stays away', async () => {
    const url = await loopback.http((_request, response) => void response.end());
    const { getter, health, endpoint, probed } = watching(url);
    await probed(0);
    for (const pauseMs of [100, 200, 400]) {
      health.refused(endpoint, 'again');
      const before = getter.asked.length;
      await probed(pauseMs);
      assert.equal(getter.asked.length, before + 1);
      assert.equal(endpoint.up, true);
    }
  });

  it('keeps an endpoint down while it loads, and says what it answers', async () => {
    let status = 503;
    const url = await loopback.http((_request, response) => void response.writeHead(status).end());
    const { endpoint, probed } = watching(url);
    await probed(0);
    assert.equal(endpoint.up, false);
    assert.equal(endpoint.problem, 'answers 503 to /health');
    status = 200;
    await probed(100);
    assert.equal(endpoint.up, true);
  });

  it('asks for the models where there is no health page', async () => {
    const url = await loopback.http((request, response) => {
      response.writeHead(request.url === '/v1/models' ? 200 : 404).end();
    });
    const { getter, endpoint, probed } = watching(url);
    await probed(0);
    await getter.answer();
    await probed(PROBE_INTERVAL_MS);
    assert.deepEqual(getter.asked, ['/health', '/v1/models', '/v1/models']);
    assert.equal(endpoint.up, true);
  });

  it('leaves an endpoint up that wants another key, and says so', async () => {
    const { endpoint, probed } = watching(
      await loopback.http((_request, response) => void response.writeHead(401).end()),
    );
    await probed(0);
    assert.equal(endpoint.up, true);
    assert.equal(endpoint.problem, 'answers 401 to /health: check its API key');
  });

  it('takes an endpoint down that does not speak HTTP, and explains it', async () => {
    const { endpoint, probed } = watching(await loopback.raw((socket) => void socket.end('SSH-2.0-OpenSSH\r\n')));
    await probed(0);
    assert.equal(endpoint.up, false);
    assert.match(endpoint.problem ?? '', /^does not speak HTTP: not HTTP/);
  });

  it('forgives one connection closed without an answer, not two', async () => {
    const { endpoint, probed } = watching(await loopback.raw((socket) => socket.once('data', () => socket.end())));
    await probed(0);
    assert.equal(endpoint.up, true);
    await probed(1000);
    assert.equal(endpoint.up, false);
    assert.match(endpoint.problem ?? '', /^does not answer \/health: /);
  });

  it('forgives an endpoint that is too busy to answer twice, and takes it down the third time', async () => {
    let arrived = Promise.withResolvers<void>();
    const url = await loopback.http(() => arrived.resolve());
    const { clock, endpoint, probed } = watching(url);
    for (const isUp of [true, true, false]) {
      arrived = Promise.withResolvers();
      clock.advance(1000);
      await arrived.promise;
      await probed(7000);
      assert.equal(endpoint.up, isUp);
    }
    assert.equal(endpoint.problem, 'does not answer /health: no whole answer within 7000 ms');
  });

  it('looks at once at an endpoint at which a request failed, but not more than once a second', async () => {
    const { clock, getter, health, endpoint, probed } = watching(
      await loopback.http((_request, response) => void response.end()),
    );
    await probed(0);
    health.suspect(endpoint);
    clock.advance(999);
    health.suspect(endpoint);
    assert.equal(getter.asked.length, 1);
    await probed(1);
    clock.advance(5000);
    health.suspect(endpoint);
    await probed(0);
    assert.equal(getter.asked.length, 3);
  });

  it('asks nothing more once the endpoint is removed', async () => {
    const { clock, getter, health, endpoint, probed } = watching(
      await loopback.http((_request, response) => void response.end()),
    );
    await probed(0);
    health.remove(endpoint);
    health.refused(endpoint, 'late');
    assert.equal(endpoint.up, true);
    assert.equal(clock.pendingAlarms, 0);
    clock.advance(60_000);
    assert.equal(getter.asked.length, 1);
  });

  it('takes nobody down for a probe that could not be sent for want of something of our own', () => {
    const clock = new VirtualClock();
    let asked = 0;
    const getter: Gets = {
      get: (_options, onGot) => {
        asked += 1;
        onGot({ error: new UpstreamError('shortage', 'connect EMFILE', 'EMFILE') });
        return { cancel: () => undefined };
      },
    };
    const endpoint = new Endpoint({ name: 'a', url: 'http://a.test', labels: {} });
    const onChange = (): void => assert.fail('it went down');
    const health = new Health({ getter, clock, random: () => 0.5, problems: new Problems(), onChange });
    health.add(endpoint);
    clock.advance(10_000);
    assert.ok(asked > 5, 'and asks again soon');
    health.stop();
  });
});
