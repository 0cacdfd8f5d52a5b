// SPDX-License-Identifier: Apache-2.0

/** A gateway whose servers stand behind a name: they come, go and come back as DNS says. */

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { loadConfig } from '../../packages/fairlead/src/config/load.ts';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { startDns } from '../kit/dns-server.ts';
import type { DnsRecord } from '../kit/dns-server.ts';
import { Loopback } from '../kit/loopback.ts';
import { serveText } from '../kit/served.ts';

const loopback = new Loopback();

afterEach(() => loopback.end());

async function modelServer(): Promise<number> {
  const server = await startModelServer({ models: ['m'], prefillMs: 1, tokenMs: 1 });
  loopback.atEnd(() => server.destroy());
  return Number(new URL(server.url).port);
}

const here: DnsRecord = { type: 'A', address: '127.0.0.1', ttl: 1 };

describe('a name in the configuration', () => {
  it('is as many endpoints as it stands for, while it changes and while the name server is away', async () => {
    const dns = await startDns(loopback);
    const [one, two] = [await modelServer(), await modelServer()];
    const srv = (port: number): DnsRecord => ({ type: 'SRV', target: 'pod.test', port, ttl: 1 });
    dns.set('pod.test', [here]);
    dns.set('_llm._tcp.test', [srv(one)]);
    const served = await serveText(
      `endpoints: [{url: 'http://_llm._tcp.test', name: pool, dns: {records: srv, refreshInterval: 1s, servers: ['${dns.address}']}}]\n`,
      loopback,
    );
    const are = (...ports: number[]) =>
      served.until((all) => {
        const known = all.filter(({ models }) => models[0] === 'm').map(({ url }) => Number(new URL(url).port));
        return known.sort().join() === [...ports].sort().join();
      });
    await are(one);
    const ask = () => served.ask({ model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 2 });
    assert.equal((await ask()).status, 200);
    dns.set('_llm._tcp.test', [srv(one), srv(two)]);
    const [first] = await are(one, two);
    assert.match(first!.name, /^pool\/127\.0\.0\.1:\d+$/);
    dns.set('_llm._tcp.test', 'server failure');
    const before = dns.asked.length;
    while (dns.asked.length < before + 2) assert.equal((await ask()).status, 200);
    await are(one, two);
    dns.set('_llm._tcp.test', [srv(two)]);
    await are(two);
    assert.equal((await ask()).status, 200);
  });

  it('is refused where it cannot be one', async () => {
    const problems = async (entry: string): Promise<string> => {
      const text = `apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nendpoints: [${entry}]\n`;
      return ((await loadConfig({ text, defaults: 'serve' })).problems ?? []).map(({ message }) => message).join('\n');
    };
    assert.match(await problems("{url: 'http://127.0.0.1:80', dns: {}}"), /the host of the URL is an address/);
    assert.match(await problems("{url: 'http://[::1]:80', dns: {}}"), /the host of the URL is an address/);
    assert.match(await problems("{url: 'http://a:8000', dns: {records: srv}}"), /must not have a port/);
    assert.match(await problems("{url: 'http://a', dns: {servers: [ns.test]}}"), /the address of a name server/);
    assert.match(await problems("{url: 'http://a', dns: {refreshInterval: 1ms}}"), /at least 1s/);
    assert.equal(
      await problems("{url: 'http://a', dns: {servers: ['10.0.0.10', '10.0.0.10:53', '[::1]:53', '::1']}}"),
      '',
    );
  });
});
