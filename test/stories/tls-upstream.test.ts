// SPDX-License-Identifier: Apache-2.0

/** Model servers behind TLS: an authority of one's own, certificates of both sides, and everything that can be wrong with them. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import tls from 'node:tls';
import type { TlsOptions } from 'node:tls';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { Authority } from '../kit/certificates.ts';
import { Loopback } from '../kit/loopback.ts';
import { serveText } from '../kit/served.ts';

const loopback = new Loopback();

afterEach(() => loopback.end());

const authority = new Authority('Test authority');
const server = authority.certify({ name: 'server', hosts: ['127.0.0.1'] });
const ours = authority.certify({ name: 'gateway' });
const chat = { model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 3 };

/** A real model server behind a real TLS listener; its https URL, and the server names it was asked for. */
async function secure(options: TlsOptions): Promise<{ url: string; names: (string | false | undefined)[] }> {
  const engine = await startModelServer({ models: ['m'], prefillMs: 1, tokenMs: 1 });
  loopback.atEnd(() => engine.destroy());
  const names: (string | false | undefined)[] = [];
  const sockets = new Set<net.Socket>();
  const listener = tls.createServer(options, (socket) => {
    names.push((socket as tls.TLSSocket & { servername?: string | false }).servername);
    const inner = net.connect(Number(new URL(engine.url).port), '127.0.0.1');
    for (const [one, other] of [
      [socket, inner],
      [inner, socket],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => (sockets.delete(one), other.destroy()));
      one.pipe(other);
    }
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  loopback.atEnd(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => listener.close(resolve));
  });
  return { url: `https://127.0.0.1:${(listener.address() as AddressInfo).port}`, names };
}

function endpoint(url: string, settings: string): string {
  return `endpoints: [{url: '${url}', name: one, tls: {${settings}}}]\n`;
}

/** What /state says of an endpoint that cannot be spoken to. */
async function problemOf(url: string, settings: string, files: Record<string, string> = {}): Promise<string> {
  const served = await serveText(endpoint(url, settings), loopback, { files });
  const [state] = await served.until(([one]) => one?.up === false);
  return state?.problem ?? '';
}

describe('a model server behind TLS', () => {
  it('is asked for its models, health and metrics and sent requests, when its authority is known', async () => {
    const { url } = await secure(server);
    const served = await serveText(endpoint(url, 'caFile: ca.pem'), loopback, { files: { 'ca.pem': authority.cert } });
    const [one] = await served.until(([state]) => state?.models[0] === 'm' && state.running !== null);
    assert.deepEqual([one?.up, one?.problem], [true, null]);
    assert.equal((await served.ask(chat)).status, 200);
  });

  it('that wants to know who we are is shown our certificate', async () => {
    const { url } = await secure({ ...server, requestCert: true, rejectUnauthorized: true, ca: authority.cert });
    const files = { 'ca.pem': authority.cert, 'our.pem': ours.cert, 'our.key': ours.key };
    const settings = 'caFile: ca.pem, certFile: our.pem, keyFile: our.key';
    const served = await serveText(endpoint(url, settings), loopback, { files });
    await served.until(([state]) => state?.models[0] === 'm');
    assert.equal((await served.ask(chat)).status, 200);
    assert.match(await problemOf(url, 'caFile: ca.pem', files), /does not accept our certificate, or wants one/);
  });

  it('is asked for the name that its certificate holds', async () => {
    const named = authority.certify({ name: 'server', hosts: ['model.test'] });
    const { url, names } = await secure(named);
    const files = { 'ca.pem': authority.cert };
    const served = await serveText(endpoint(url, 'caFile: ca.pem, serverName: model.test'), loopback, { files });
    await served.until(([state]) => state?.models[0] === 'm');
    assert.deepEqual([...new Set(names)], ['model.test']);
    assert.match(await problemOf(url, 'caFile: ca.pem', files), /its certificate is not accepted: .*altnames/);
  });

  it('is told apart from impostors: unknown, expired and plain ones are down, and /state says why', async () => {
    const { url } = await secure(server);
    assert.match(await problemOf(url, ''), /cannot be connected to: its certificate is not accepted: unable to/);
    const other = new Authority('Another').cert;
    assert.match(await problemOf(url, 'caFile: ca.pem', { 'ca.pem': other }), /its certificate is not accepted/);
    const old = await secure(authority.certify({ name: 'old', hosts: ['127.0.0.1'], isExpired: true }));
    const files = { 'ca.pem': authority.cert };
    assert.match(await problemOf(old.url, 'caFile: ca.pem', files), /not accepted: certificate has expired/);
    const plain = await loopback.http((_request, response) => response.end());
    assert.match(await problemOf(plain.replace('http:', 'https:'), ''), /it does not speak TLS/);
  });

  it('is not verified by who says so', async () => {
    const { url } = await secure(server);
    const served = await serveText(endpoint(url, 'insecureSkipVerify: true'), loopback);
    await served.until(([state]) => state?.models[0] === 'm' && state.running !== null);
    assert.equal((await served.ask(chat)).status, 200);
  });

  it('may have its metrics behind TLS only, with certificates of their own', async () => {
    const engine = await startModelServer({ models: ['m'] });
    loopback.atEnd(() => engine.destroy());
    const { url } = await secure({ ...server, requestCert: true, rejectUnauthorized: true, ca: authority.cert });
    const parameters = `scheme: https, port: ${new URL(url).port}, caCertPath: ca.pem, clientCertPath: our.pem, clientKeyPath: our.key`;
    const text = `endpoints: [{url: '${engine.url}'}]\nplugins: [{type: metrics-data-source, parameters: {${parameters}}}]\n`;
    const files = { 'ca.pem': authority.cert, 'our.pem': ours.cert, 'our.key': ours.key };
    const served = await serveText(text, loopback, { files });
    await served.until(([state]) => state?.running === 0);
  });

  it('is not believed to have answered in whole when only the end of the connection says so', async () => {
    for (const isCut of [true, false]) {
      const sockets = new Set<net.Socket>();
      const listener = tls.createServer(server, (socket) => {
        socket.on('error', () => undefined);
        socket.on('data', (bytes: Buffer) => {
          const text = bytes.toString('latin1');
          const models = '{"data":[{"id":"m"}]}';
          if (text.startsWith('GET ')) {
            socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${models.length}\r\n\r\n${models}`);
            return;
          }
          const inner = [...sockets].find((each) => each.remotePort === socket.remotePort);
          socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"half":', () => {
            // A cut is a FIN without the word of TLS that nothing follows.
            if (isCut) inner?.end();
            else socket.end();
          });
        });
      });
      listener.on('connection', (socket: net.Socket) => void sockets.add(socket));
      await once(listener.listen(0, '127.0.0.1'), 'listening');
      loopback.atEnd(async () => {
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => listener.close(resolve));
      });
      const url = `https://127.0.0.1:${(listener.address() as AddressInfo).port}`;
      const files = { 'ca.pem': authority.cert };
      const served = await serveText(endpoint(url, 'caFile: ca.pem'), loopback, { files });
      await served.until(([one]) => one?.models[0] === 'm');
      await assert.rejects(served.ask(chat), isCut ? 'cut' : 'closed');
    }
  });

  it('stops the start when a certificate cannot be used, with endpoint, field and file', async () => {
    const refused = async (settings: string, files: Record<string, string>, why: RegExp): Promise<void> => {
      await assert.rejects(serveText(endpoint('https://127.0.0.1:1', settings), loopback, { files }), why);
    };
    await refused('caFile: none.pem', {}, /^Error: endpoint one: tls\.caFile \/\S+none\.pem: cannot be read: ENOENT/);
    await refused('caFile: ca.pem', { 'ca.pem': 'hello' }, /tls\.caFile \S+ca\.pem: is not PEM/);
    const files = { 'our.pem': ours.cert, 'our.key': server.key };
    await refused('certFile: our.pem, keyFile: our.key', files, /tls\.keyFile \S+our\.key: cannot be used: .*mismatch/);
  });
});
