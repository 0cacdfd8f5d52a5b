// SPDX-License-Identifier: Apache-2.0

/**
 * Mistakes on the command line of `fairlead demo`; the demo itself is shown in `demo/demo.test.ts`.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { demoCommand } from './demo.ts';
import { runProgram } from './program.ts';

test('a mistake on the command line ends with 2 and one line, before anything is started', async () => {
  for (const [words, message] of [
    [['--duration', '5'], /--duration.*'5'.*an integer from 10 to 86400/],
    [['--duration', 'soon'], /--duration.*'soon'.*an integer from 10 to 86400/],
    [['--endpoint', 'localhost:8000', '--model', 'm'], /--endpoint.*'localhost:8000'.*http:\/\/ or https:\/\/ URL/],
    [['--endpoint', 'http://127.0.0.1:1'], /--endpoint needs --model NAME/],
    [['--model', 'm'], /--model is about your own servers: it needs --endpoint URL/],
    [['--slots', '8'], /--slots is about your own servers/],
    [['--slots', '0', '--endpoint', 'http://127.0.0.1:1'], /--slots.*'0'.*an integer from 1 to 1000000/],
  ] as const) {
    let [out, err] = ['', ''];
    const exitCode = await runProgram(['demo', ...words], {
      version: '0',
      commands: [{ name: 'demo', load: async () => demoCommand }],
      stdout: { write: (text: string) => (out += text) },
      stderr: { write: (text: string) => (err += text) },
      stop: new AbortController().signal,
    });
    assert.deepEqual([exitCode, out], [2, ''], err);
    assert.match(err, message);
    assert.equal(err.trim().split('\n').length, 1);
  }
});
