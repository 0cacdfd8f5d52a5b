// SPDX-License-Identifier: Apache-2.0

/** The executable as a process: signals, exit codes, and a reader that goes away. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));

function start(t: TestContext, ...words: string[]): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, ['--conditions=development', main, ...words]);
  t.after(() => child.kill('SIGKILL'));
  return child;
}

/** Starts a model server that takes a second for each token, and resolves with its URL. */
async function startSlowServer(t: TestContext): Promise<{ child: ChildProcessWithoutNullStreams; url: string }> {
  const child = start(t, 'model-server', '--port', '0', '--token-ms', '1000', '--prefill-ms', '0');
  child.stdout.setEncoding('utf8');
  const [line] = (await once(child.stdout, 'data')) as [string];
  const url = /http:\/\/\S+/.exec(line)?.[0];
  assert.ok(url, `no address in: ${line}`);
  return { child, url };
}

describe('the fairlead process', () => {
  it('drains at the first SIGTERM and exits 0', async (t) => {
    const { child } = await startSlowServer(t);
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });

  it('leaves at once at the second signal, in the middle of draining, and exits 130', async (t) => {
    const { child, url } = await startSlowServer(t);
    const body = JSON.stringify({ model: 'demo-model', prompt: 'tea', stream: true, max_tokens: 1000 });
    const answer = await fetch(`${url}/v1/completions`, { method: 'POST', body });
    assert.equal(answer.status, 200);
    // Two different ones, as the system may merge two of a kind.
    child.kill('SIGTERM');
    child.kill('SIGINT');
    assert.deepEqual(await once(child, 'exit'), [130, null]);
    await answer.text().catch(() => 'cut, as it should be');
  });

  it('says nothing when the reader of its output goes away', async (t) => {
    const child = start(t, '--help');
    child.stdout.destroy();
    let complaint = '';
    child.stderr.on('data', (text) => (complaint += String(text)));
    assert.deepEqual(await once(child, 'close'), [0, null]);
    assert.equal(complaint, '');
  });
});
