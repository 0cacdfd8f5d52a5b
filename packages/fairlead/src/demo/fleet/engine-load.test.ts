// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { startModelServer } from '../../model-server/model-server.ts';
import { FleetMeter, parseEngineLoad, readEngineLoad, readFleetLoad } from './engine-load.ts';

test('engines of three kinds are understood, and their label sets summed', () => {
  const vllm = '# HELP x\nvllm:num_requests_running{engine="0"} 3.0\nvllm:num_requests_running{engine="1"} 2.0\n';
  assert.deepEqual(parseEngineLoad(`${vllm}vllm:num_requests_waiting{engine="0"} 7.0\n`), { running: 5, waiting: 7 });
  assert.deepEqual(parseEngineLoad('llamacpp:requests_processing 1\nllamacpp:requests_deferred 2\n'), {
    running: 1,
    waiting: 2,
  });
  assert.deepEqual(parseEngineLoad('sglang:num_running_reqs{a="b"} 4\n'), { running: 4, waiting: 0 });
  assert.equal(parseEngineLoad('up 1\n'), undefined);
  assert.equal(parseEngineLoad('vllm:num_requests_running many\n'), undefined);
});

test('a fleet is the sum of those that answer; the silent, the mute and the endless are left out', async () => {
  const server = await startModelServer();
  const mute = await startModelServer({ noMetrics: true });
  const gone = await startModelServer();
  await gone.destroy();
  const endless = createServer((_request, response) => {
    const chunk = 'x'.repeat(1024 * 1024);
    const more = (): void => void (response.write(chunk) && setImmediate(more));
    response.on('drain', more);
    response.on('error', () => undefined);
    more();
  });
  await new Promise<void>((resolve) => void endless.listen(0, '127.0.0.1', resolve));
  const endlessUrl = `http://127.0.0.1:${(endless.address() as AddressInfo).port}`;
  try {
    assert.equal(await readEngineLoad(endlessUrl), undefined);
    assert.deepEqual(await readFleetLoad([server.url, mute.url, gone.url]), { running: 0, waiting: 0 });
    assert.equal(await readFleetLoad([mute.url, gone.url]), undefined);
  } finally {
    await Promise.all([server.destroy(), mute.destroy()]);
    endless.closeAllConnections();
    await new Promise((resolve) => endless.close(resolve));
  }
});

test('the meter tells the mean of what it has seen since it was restarted', async () => {
  const seen = [{ running: 8, waiting: 0 }, undefined, { running: 4, waiting: 9 }];
  let read = 0;
  const all = Promise.withResolvers<void>();
  const meter = new FleetMeter(async () => {
    if (read === seen.length) all.resolve();
    return seen[read++];
  }, 1);
  assert.equal(meter.meanRunning, undefined);
  await all.promise;
  assert.equal(meter.meanRunning, 6);
  meter.restart();
  assert.equal(meter.meanRunning, undefined);
  meter.stop();
});
