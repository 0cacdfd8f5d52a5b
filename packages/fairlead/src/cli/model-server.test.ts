// SPDX-License-Identifier: Apache-2.0

/**
 * `fairlead model-server` as a command line: its one line when ready, its flags, its mistakes, and in a process of its
 * own the abrupt death it can be asked for.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { modelServerCommand } from './model-server.ts';
import { runProgram } from './program.ts';

/** Runs a command line; `ready` gets the first line of output, then the command is stopped. */
async function runLine(words: readonly string[], ready: (line: string) => Promise<void> = async () => undefined) {
  const stop = new AbortController();
  const output = { out: '', err: '' };
  let used = Promise.resolve();
  const exitCode = await runProgram(['model-server', ...words], {
    version: '0',
    commands: [{ name: 'model-server', load: async () => modelServerCommand }],
    stdout: {
      write(text: string) {
        output.out += text;
        if (text.includes(' listening on ')) used = ready(text.trim()).finally(() => stop.abort());
      },
    },
    stderr: { write: (text: string) => (output.err += text) },
    stop: stop.signal,
  });
  await used;
  return { exitCode, ...output };
}

test('it says where it listens, serves what its flags name, and ends with 0 when stopped', async () => {
  const words = [
    '--port',
    '0',
    '--model',
    'one',
    '--model',
    'two',
    '--lora',
    'ada',
    '--control',
    '--max-num-seqs',
    '3',
  ];
  const ended = await runLine(words, async (line) => {
    const [, url = ''] = /^model server one listening on (http:\/\/127\.0\.0\.1:\d+)$/.exec(line) ?? [];
    const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] };
    assert.deepEqual(
      data.map(({ id }) => id),
      ['one', 'two', 'ada'],
    );
    const settings = (await (await fetch(`${url}/control`)).json()) as Record<string, unknown>;
    assert.deepEqual([settings['maxNumSeqs'], settings['stallAfter'], settings['noMetrics']], [3, null, false]);
  });
  assert.deepEqual([ended.exitCode, ended.err], [0, '']);
});

test('a bad flag value ends with 2 and one line that says what is allowed', async () => {
  for (const [words, message] of [
    [['--fail-rate', '2'], /--fail-rate.*'2'.*a number from 0 to 1/],
    [['--port', '70000'], /--port.*'70000'.*an integer from 0 to 65535/],
    [['--nonsense', 'some'], /--nonsense.*'some'.*one of off, http, metrics, all/],
    [['--kv-blocks', '1', '--max-model-len', '99'], /maxModelLen: got 99, allowed is at most the 16 tokens/],
  ] as const) {
    const ended = await runLine(words);
    assert.equal(ended.exitCode, 2);
    assert.match(ended.err, message);
    assert.equal(ended.err.trim().split('\n').length, 1);
  }
});

test('a port in use ends with 1 and one line', async () => {
  await runLine(['--port', '0'], async (line) => {
    const port = new URL(line.slice(line.indexOf('http'))).port;
    const ended = await runLine(['--port', port]);
    assert.equal(ended.exitCode, 1);
    const why = `port ${port} of 127.0.0.1 is taken by another program; choose another with --port`;
    assert.equal(ended.err, `fairlead model-server: ${why}\n`);
  });
});

test('with --die-after the process is gone with the request that was one too many', async () => {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    ['--conditions=development', main, 'model-server', '--port', '0', '--die-after', '0'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    const exited = once(child, 'exit');
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    const url = /http:\S+/.exec(chunk.toString())?.[0] ?? '';
    await assert.rejects(fetch(`${url}/v1/completions`, { method: 'POST', body: '{"prompt":"x"}' }));
    assert.deepEqual(await exited, [null, 'SIGKILL']);
  } finally {
    child.kill('SIGKILL');
  }
});
