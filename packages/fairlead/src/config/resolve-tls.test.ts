// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { problemLine } from './config-problem.ts';
import { loadConfig } from './load.ts';

const head = 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n';

async function messages(text: string): Promise<string[]> {
  const { problems = [] } = await loadConfig({ text: head + text, defaults: 'serve', textName: 'f' });
  return problems.map(problemLine);
}

async function tlsMessage(settings: string, url = 'https://h'): Promise<string[]> {
  return messages(`endpoints: [{url: '${url}', tls: {${settings}}}]\n`);
}

describe('the tls of an endpoint', () => {
  it('is for https, and must not contradict itself', async () => {
    assert.deepEqual(await tlsMessage('caFile: a', 'http://h'), [
      'f:3:31: endpoints[0].tls: is of no use: the URL is not https://',
    ]);
    assert.match((await tlsMessage('certFile: a'))[0]!, /tls: has a certFile without its keyFile$/);
    assert.match((await tlsMessage('keyFile: a'))[0]!, /tls: has a keyFile without its certFile$/);
    assert.match((await tlsMessage('caFile: a, insecureSkipVerify: true'))[0]!, /has a caFile, and insecureSkipVerify/);
    assert.match((await tlsMessage('serverName: a b'))[0]!, /tls\.serverName: .*a host name/);
    assert.match((await tlsMessage('ca: a'))[0]!, /tls\.ca: .*caFile/);
  });

  it('has absolute paths once it is resolved, and loads again as the same', async () => {
    const text = `${head}endpoints: [{url: 'https://h', tls: {caFile: ca.pem, serverName: model.test}}]\n`;
    const loaded = await loadConfig({ text, defaults: 'serve' });
    const tls = loaded.ok?.endpoints[0]?.tls;
    const caFile = `${process.cwd()}/ca.pem`;
    assert.deepEqual(tls, { caFile, serverName: 'model.test', insecureSkipVerify: false });
    const again = await loadConfig({ text: stringify(loaded.ok && loaded.document), defaults: 'serve' });
    assert.deepEqual(again.ok?.endpoints[0]?.tls, tls);
  });
});

describe('the certificates of metrics-data-source', () => {
  it('need each other, and a CA is looked at unless somebody says otherwise', async () => {
    const source = (parameters: string): string =>
      `plugins: [{type: metrics-data-source, parameters: {${parameters}}}]\n`;
    assert.match(
      (await messages(source('clientKeyPath: a')))[0]!,
      /`clientCertPath` and `clientKeyPath` need each other/,
    );
    const both = await messages(source('caCertPath: a, insecureSkipVerify: true'));
    assert.match(both[0]!, /`caCertPath` would not be looked at/);
    const loaded = await loadConfig({ text: head + source('caCertPath: /a'), defaults: 'serve' });
    assert.deepEqual(loaded.ok?.metricsSource?.tls, { caFile: '/a', insecureSkipVerify: false });
    const plain = await loadConfig({ text: head, defaults: 'serve' });
    assert.deepEqual(plain.ok?.metricsSource?.tls, { insecureSkipVerify: true });
  });
});
