// SPDX-License-Identifier: Apache-2.0

/** A real resolver against a real name server on loopback, under a virtual clock. */

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { VirtualClock } from '@fairlead/core/testing';
import { startDns } from '../../../../test/kit/dns-server.ts';
import type { DnsServer } from '../../../../test/kit/dns-server.ts';
import { Loopback } from '../../../../test/kit/loopback.ts';
import type { DnsEndpointsConfig, EndpointConfig } from '../config/resolved.ts';
import { DnsDiscovery } from './dns.ts';

const loopback = new Loopback();

afterEach(() => loopback.end());

const NAME = 'vllm.test';

function a(address: string, ttl = 10) {
  return { type: 'A', address, ttl } as const;
}

async function discovering(server: DnsServer, config: Partial<DnsEndpointsConfig> & { url?: string } = {}) {
  const { url = `http://${NAME}:8000/prefix`, ...more } = config;
  const clock = new VirtualClock();
  const template: EndpointConfig = { url, name: 'pool', labels: { gpu: 'a' }, models: ['m'] };
  const servers = [server.address];
  const dns: DnsEndpointsConfig = {
    template,
    records: 'address',
    refreshIntervalMs: 30_000,
    servers,
    maxEndpoints: 10,
    ...more,
  };
  const told: string[][] = [];
  const problems: string[] = [];
  let wake: (() => void) | undefined;
  const discovery = new DnsDiscovery(dns, clock);
  loopback.atEnd(() => discovery.stop());
  await discovery.start({
    onEndpoints: (wanted) => {
      told.push(wanted.map((each) => each.url));
      wake?.();
    },
    onProblem: (problem) => {
      problems.push(problem);
      wake?.();
    },
  });
  /** Lets time pass and waits for what is told then. */
  const after = async (ms: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    clock.advance(ms);
    await promise;
  };
  return { clock, discovery, told, problems, after };
}

describe('a name that stands for many', () => {
  it('is an endpoint for each address, with everything that the entry says', async () => {
    const server = await startDns(loopback);
    server.set(NAME, [a('127.0.0.3'), a('127.0.0.2'), a('127.0.0.3')]);
    const template = { url: `http://${NAME}:8000/prefix`, name: 'pool', labels: { gpu: 'a' }, models: ['m'] };
    const dns = { template, records: 'address', refreshIntervalMs: 1000, maxEndpoints: 9 } as const;
    const discovery = new DnsDiscovery({ ...dns, servers: [server.address] }, new VirtualClock());
    loopback.atEnd(() => discovery.stop());
    const told: (readonly EndpointConfig[])[] = [];
    await discovery.start({ onEndpoints: (wanted) => void told.push(wanted), onProblem: assert.fail });
    const at = (host: string) => ({ ...template, url: `http://${host}:8000/prefix`, name: `pool/${host}:8000` });
    assert.deepEqual(told, [[at('127.0.0.2'), at('127.0.0.3')]]);
  });

  it('is asked again when its answer expires, at the refresh interval at the latest, and once a second at most', async () => {
    const server = await startDns(loopback);
    server.set(NAME, [a('127.0.0.2', 10)]);
    const { clock, told, after } = await discovering(server);
    clock.advance(9_999);
    assert.equal(server.asked.length, 1);
    server.set(NAME, [a('127.0.0.2', 86_400), a('127.0.0.3', 3600)]);
    await after(1);
    server.set(NAME, [a('127.0.0.3', 0)]);
    clock.advance(29_999);
    assert.equal(server.asked.length, 2);
    await after(1);
    server.set(NAME, [a('127.0.0.4', 10)]);
    clock.advance(999);
    assert.equal(server.asked.length, 3);
    await after(1);
    assert.deepEqual(told, [
      ['http://127.0.0.2:8000/prefix'],
      ['http://127.0.0.2:8000/prefix', 'http://127.0.0.3:8000/prefix'],
      ['http://127.0.0.3:8000/prefix'],
      ['http://127.0.0.4:8000/prefix'],
    ]);
  });

  it('stands for its IPv6 addresses where it has no others', async () => {
    const server = await startDns(loopback);
    server.set(NAME, [{ type: 'AAAA', address: '::1', ttl: 10 }]);
    const six = await discovering(server);
    assert.deepEqual(six.told, [['http://[::1]:8000/prefix']]);
    server.set(NAME, [{ type: 'AAAA', address: '::1', ttl: 10 }, a('127.0.0.2')]);
    const both = await discovering(server);
    assert.deepEqual(both.told, [['http://127.0.0.2:8000/prefix']]);
  });

  it('has its ports in SRV records, of which the best priority counts', async () => {
    const server = await startDns(loopback);
    const srv = (target: string, port: number, priority: number) =>
      ({ type: 'SRV', target, port, priority, ttl: 10 }) as const;
    server.set('_http._tcp.vllm.test', [
      srv('one.test', 9001, 1),
      srv('two.test', 9002, 1),
      srv('spare.test', 9003, 2),
    ]);
    server.set('one.test', [a('127.0.0.2')]);
    server.set('two.test', [a('127.0.0.2'), a('127.0.0.3')]);
    const { told } = await discovering(server, { records: 'srv', url: 'http://_http._tcp.vllm.test' });
    assert.deepEqual(told, [['http://127.0.0.2:9001', 'http://127.0.0.2:9002', 'http://127.0.0.3:9002']]);
  });

  it('keeps what it stood for when the answer is bad, says so once, and goes on when it is good', async () => {
    const server = await startDns(loopback);
    server.set(NAME, [a('127.0.0.2')]);
    const { told, problems, after, clock } = await discovering(server);
    server.set(NAME, 'server failure');
    await after(10_000);
    assert.match(problems[0]!, /^pool: vllm\.test cannot be resolved, what it stood for stays: .*ESERVFAIL/);
    server.set(NAME, 'no such name');
    await after(1000);
    assert.match(problems[1]!, /ENOTFOUND/);
    server.set(NAME, []);
    await after(2000);
    assert.match(problems[2]!, /ENODATA/);
    server.set(NAME, [a('0.0.0.0'), a('169.254.169.254'), a('224.0.0.1'), a('255.255.255.255')]);
    await after(4000);
    assert.match(problems[3]!, /no address of its answer can be used/);
    server.set(NAME, [a('127.0.0.3')]);
    await after(8000);
    assert.deepEqual(told, [['http://127.0.0.2:8000/prefix'], ['http://127.0.0.3:8000/prefix']]);
    clock.advance(9_999);
    assert.equal(problems.length, 4);
  });

  it('that gets no answer, or bytes that are none, is no endpoint yet', async () => {
    for (const answer of ['garbage', 'silence'] as const) {
      const server = await startDns(loopback);
      server.set(NAME, answer);
      const { told, problems, after } = await discovering(server);
      assert.deepEqual([told, problems.length], [[[]], 1], answer);
      server.set(NAME, [a('127.0.0.2')]);
      await after(1000);
      assert.deepEqual(told.at(-1), ['http://127.0.0.2:8000/prefix']);
    }
  });

  it('is taken for so many and no more, and without addresses at which nobody can be', async () => {
    const server = await startDns(loopback);
    server.set(
      NAME,
      Array.from({ length: 12 }, (_, index) => a(`127.0.1.${index + 10}`)),
    );
    const many = await discovering(server);
    assert.equal(many.told[0]?.length, 10);
    assert.match(many.problems[0]!, /stands for 12 endpoints, of which maxEndpoints \(10\) are taken/);
    server.set(NAME, [a('127.0.0.2'), a('169.254.169.254')]);
    const some = await discovering(server);
    assert.deepEqual(some.told, [['http://127.0.0.2:8000/prefix']]);
    assert.match(some.problems[0]!, /169\.254\.169\.254 of its answer is no address of a server/);
  });

  it('is not asked any more when that is over', async () => {
    const server = await startDns(loopback);
    server.set(NAME, [a('127.0.0.2')]);
    const { clock, discovery } = await discovering(server);
    discovery.stop();
    clock.advance(100_000);
    assert.equal(server.asked.length, 1);
  });
});
