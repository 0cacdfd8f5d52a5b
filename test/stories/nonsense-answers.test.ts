// SPDX-License-Identifier: Apache-2.0

/** Model servers that answer a request with what is not HTTP: nobody is shown a byte of it, and they are looked at first. */

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { Loopback } from '../kit/loopback.ts';
import { serveText } from '../kit/served.ts';

const loopback = new Loopback();

afterEach(() => loopback.end());

const chat = { model: 'm', messages: [{ role: 'user', content: 'hi' }] };

/** A word that stands in every answer, and may stand nowhere else. */
const SECRET = 'xylophone';

/** Heads and bodies that cannot be read, each for another reason. */
const NONSENSE = [
  `${SECRET} is no HTTP\r\n\r\n`,
  `${SECRET}`,
  `HTTP/1.1 200 OK\r\n${SECRET} is no header\r\n\r\n`,
  `HTTP/1.1 200 OK\r\n ${SECRET}: folded\r\n\r\n`,
  `HTTP/1.1 200 OK\r\ncontent-length: ${SECRET}\r\n\r\n`,
  `HTTP/1.1 200 OK\r\ntransfer-encoding: ${SECRET}\r\n\r\n`,
  `HTTP/1.1 ${SECRET}\r\n\r\n`,
  `HTTP/1.1 200 OK\r\nx-a: ${SECRET}\u0001\r\n\r\n`,
  `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${SECRET}\r\n`,
];

/** Serves its health and its models, and answers each request with the next piece of nonsense. */
async function mostlyWell(): Promise<{ url: string; probes: () => number }> {
  let next = 0;
  let probes = 0;
  const url = await loopback.raw((socket) => {
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      const say = (body: string): void =>
        void socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
      if (text.startsWith('GET /health')) {
        probes += 1;
        say('');
      } else if (text.startsWith('GET /v1/models')) say('{"data":[{"id":"m"}]}');
      else if (text.startsWith('GET ')) socket.write('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n');
      else {
        socket.end(NONSENSE[next % NONSENSE.length] as string, 'latin1');
        next += 1;
      }
    });
  });
  return { url, probes: () => probes };
}

describe('a server that answers requests with what is not HTTP', () => {
  it('has no byte of that in the log, in /state or in what the client is told', async () => {
    const { url } = await mostlyWell();
    const served = await serveText(
      `endpoints: [{url: '${url}', name: s}]\noutlierDetection: {consecutiveFailures: 1}\n`,
      loopback,
    );
    await served.until(([one]) => one?.models.length === 1);
    for (const piece of NONSENSE) {
      const answer = await served.ask(chat).catch((error: unknown) => ({ status: 0, text: String(error) }));
      assert.doesNotMatch(answer.text, new RegExp(SECRET), piece);
      assert.notEqual(answer.status, 503, 'it is still asked');
      assert.doesNotMatch(JSON.stringify(await served.state()), new RegExp(SECRET), piece);
    }
    assert.doesNotMatch(JSON.stringify(served.logged), new RegExp(SECRET));
  });

  it('stays up while its health says that it is well, and is asked for that', async () => {
    const { url, probes } = await mostlyWell();
    const served = await serveText(`endpoints: [{url: '${url}', name: s}]\n`, loopback);
    await served.until(([one]) => one?.models.length === 1 && probes() === 1);
    assert.equal((await served.ask(chat)).status, 502);
    const [endpoint] = await served.until(() => probes() > 1);
    assert.equal(endpoint?.up, true);
    assert.ok(served.logged.every(({ msg }) => msg !== 'endpoint is down'));
  });
});
