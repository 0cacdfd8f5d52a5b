// SPDX-License-Identifier: Apache-2.0

/** What stands behind the gateway against a real engine: llama.cpp's server. */

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { Fleet } from '../../packages/fairlead/src/model-servers/fleet.ts';
import type { UpstreamFailure } from '../../packages/fairlead/src/director/ports.ts';
import { HeaderBlock } from '../../packages/fairlead/src/sockets/header-block.ts';
import { systemClock } from '../../packages/fairlead/src/serve/system-clock.ts';
import { noLlamaServer, startLlamaServer } from '../kit/llama-server.ts';
import { Loopback } from '../kit/loopback.ts';
import { OUTLIERS } from '../kit/outlier-detection.ts';

const loopback = new Loopback();

afterEach(() => loopback.end());

const llamaServer = (): Promise<string> => startLlamaServer(loopback);

interface Completion {
  readonly text: string;
  readonly error: UpstreamFailure | undefined;
}

function complete(fleet: Fleet, tokens: number): { over: Promise<Completion>; abort(reason: string): void } {
  const chunks: Uint8Array[] = [];
  const { promise, resolve } = Promise.withResolvers<Completion>();
  // Streamed when it may be aborted: only then does this engine look whether its client is still there.
  const body = JSON.stringify({ model: 'random', prompt: 'hello', max_tokens: tokens, stream: tokens > 1 });
  const request = {
    endpoint: fleet.endpoints[0]!,
    method: 'POST',
    path: '/v1/completions',
    headers: new HeaderBlock(['content-type', 'application/json']),
    body: [Buffer.from(body)],
    firstByteTimeoutMs: 60_000,
    idleTimeoutMs: 60_000,
    freshConnection: false,
  };
  const done = (error?: UpstreamFailure): void => resolve({ text: Buffer.concat(chunks).toString(), error });
  const call = fleet.upstream.send(request, {
    onHeaders: () => undefined,
    onData: (chunk) => (chunks.push(Buffer.from(chunk)), true),
    onEnd: () => done(),
    onError: done,
  });
  return { over: promise, abort: (reason) => call.abort(reason) };
}

describe('a real llama-server', { skip: noLlamaServer }, () => {
  it('is waited for while it loads, asked, scraped, and notices an abort; its connections are used until it closes them', async () => {
    const url = await llamaServer();
    let lookAgain: (() => void) | undefined;
    const happened = (): void => lookAgain?.();
    const fleet = new Fleet({
      config: {
        endpoints: [{ name: 'llama', url, labels: {}, models: [] }],
        outlierDetection: OUTLIERS,
        metricsSource: { scheme: 'http', path: '/metrics', intervalMs: 100, engineLabelKey: 'engine' },
        gateway: { connectTimeoutMs: 2000 },
      },
      clock: systemClock,
      random: Math.random,
      environment: {},
      observer: { endpointHealth: happened, endpointModels: happened },
    });
    loopback.atEnd(() => fleet.stop());
    fleet.onRead(happened);
    await fleet.start();
    const endpoint = fleet.endpoints[0]!;
    const until = async (holds: () => boolean): Promise<void> => {
      while (!holds()) await new Promise<void>((resolve) => (lookAgain = resolve));
    };
    await until(() => fleet.poolFor('random') !== undefined && endpoint.metrics !== undefined);
    assert.equal(endpoint.up, true);

    const long = complete(fleet, 4000);
    await until(() => endpoint.metrics?.running === 1);
    long.abort('seen enough');
    assert.equal((await long.over).error?.kind, 'aborted');
    await until(() => endpoint.metrics?.running === 0);

    // It closes each connection after a hundred requests: none of these may notice.
    for (let count = 0; count < 150; count++) {
      const { text, error } = await complete(fleet, 1).over;
      assert.equal(error, undefined, `request ${count}`);
      assert.match(text, /"completion_tokens": ?1\b/);
    }
    assert.equal(endpoint.scrapeFailures, 0);
    assert.ok(fleet.upstream.connections(url).open <= 4);
  });
});
