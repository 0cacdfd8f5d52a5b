// SPDX-License-Identifier: Apache-2.0

/** What a checkout's `npm run fairlead` starts, ends with it. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { test } from 'node:test';

const root = path.resolve(import.meta.dirname, '../..');

test('a server that npm started ends when npm alone is told to', { timeout: 60_000 }, async (t) => {
  const words = ['run', '--silent', 'fairlead', '--', 'model-server', '--port', '0'];
  const npm = spawn('npm', words, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  t.signal.addEventListener('abort', () => process.kill(-npm.pid!, 'SIGKILL'));
  npm.stdout.setEncoding('utf8');
  const [line] = (await once(npm.stdout, 'data')) as [string];
  const url = /http:\/\/\S+/.exec(line)?.[0];
  assert.ok(url, line);
  assert.equal((await fetch(`${url}/health`)).status, 200);
  const isSilent = once(npm.stdout.resume(), 'close');
  npm.kill('SIGTERM');
  // The pipe closes with the last process that holds it: the server.
  await isSilent;
  await assert.rejects(fetch(`${url}/health`));
});
