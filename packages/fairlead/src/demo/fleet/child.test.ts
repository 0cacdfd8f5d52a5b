// SPDX-License-Identifier: Apache-2.0

/**
 * Children are real processes here: they start, fail clearly, are killed, and never outlive their parent.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { ChildError, startChild } from './child.ts';

const modelServer = {
  name: 'model server 1',
  words: ['model-server', '--port', '0'],
  listens: ['model server demo-model'],
};

test('a child is there when it listens, and gone when it was killed', async () => {
  const child = await startChild(modelServer);
  const url = child.urls.get('model server demo-model') ?? '';
  assert.equal((await fetch(`${url}/health`)).status, 200);
  await child.kill();
  await assert.rejects(fetch(`${url}/health`));
});

test('a child that cannot start is one clear line with its own last words', async () => {
  await assert.rejects(startChild({ ...modelServer, words: ['model-server', '--port', '99999'] }), (error) => {
    assert.ok(error instanceof ChildError);
    assert.match(error.message, /^model server 1 ended by itself \(exit code 2\): fairlead model-server: .*65535$/);
    return true;
  });
});

test('a child that ends by itself is told, one that was stopped is not', async () => {
  const words = [...modelServer.words, '--die-after', '0'];
  const child = await startChild({ ...modelServer, words });
  await assert.rejects(
    fetch(`${child.urls.get('model server demo-model')}/v1/completions`, { method: 'POST', body: '{}' }),
  );
  assert.match((await child.failed).message, /^model server 1 ended by itself \(SIGKILL\)/);
  const other = await startChild(modelServer);
  let told = false;
  void other.failed.then(() => (told = true));
  await other.stop();
  assert.equal(told, false);
});

test('a parent that is killed takes its children with it', async () => {
  const program = `
    import { startChild } from ${JSON.stringify(new URL('./child.ts', import.meta.url).href)};
    const child = await startChild(${JSON.stringify(modelServer)});
    console.log(child.urls.get('model server demo-model'));
  `;
  const parent = spawn(process.execPath, ['--conditions=development', '--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const { port } = new URL(line.toString().trim());
  // A connection to the child is closed with it.
  const socket = connect(Number(port), '127.0.0.1');
  await once(socket, 'connect');
  // However it ends, by a proper close or a reset, it ends: `once` would take the reset for a failure.
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  parent.kill('SIGKILL');
  await closed;
});
