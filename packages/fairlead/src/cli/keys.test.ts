// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { loadConfig } from '../config/load.ts';
import { hashKey } from '../tenancy/hash-key.ts';
import { createIdentify } from '../tenancy/identify.ts';
import { createKeysCommand } from './keys.ts';
import { runProgram } from './program.ts';

async function keys(words: readonly string[], typed: string | Buffer = '', isTTY = false) {
  let stdout = '';
  let stderr = '';
  const stdin = Object.assign(new PassThrough(), { isTTY });
  stdin.end(typed);
  const code = await runProgram(['keys', ...words], {
    version: '0.0.0',
    commands: [{ name: 'keys', load: async () => createKeysCommand(stdin) }],
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    stop: new AbortController().signal,
  });
  return { code, stdout, stderr };
}

describe('fairlead keys new', () => {
  it('makes a key that nobody guesses, another one each time, with its hash', async () => {
    const made = await Promise.all([keys(['new', '--json']), keys(['new', '--json'])]);
    const documents = made.map(({ stdout }) => JSON.parse(stdout) as { key: string; sha256: string });
    for (const { key, sha256 } of documents) {
      assert.match(key, /^flk_[\w-]{43}$/);
      assert.equal(sha256, hashKey(key));
    }
    assert.notEqual(documents[0]?.key, documents[1]?.key);
  });

  it('prints an entry that the configuration takes as it is, and the key with it is let in', async () => {
    const flags = ['--tenant', '123', '--priority', '-5', '--weight', '0.5', '--max-in-flight', '4'];
    const { stdout } = await keys(['new', ...flags]);
    const entry = stdout.slice(stdout.indexOf('    - '));
    const text = `apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nidentity:\n  keys:\n${entry}`;
    const { ok, problems } = await loadConfig({ text, defaults: 'serve' });
    assert.deepEqual(problems, undefined);
    const key = /flk_[\w-]+/.exec(stdout)?.[0] ?? assert.fail();
    assert.equal(stdout.split(key).length, 2, 'it is printed once');
    const headers = { authorization: `Bearer ${key}` };
    const identity = createIdentify(ok.identity, [])({ headers }, '192.0.2.1', 0);
    assert.partialDeepStrictEqual(identity, { tenant: '123', priority: -5, weight: 0.5, cap: { max: 4 } });
  });
});

describe('fairlead keys hash', () => {
  it('hashes the bytes of one line from standard input', async () => {
    for (const typed of ['sk-ü', 'sk-ü\n', 'sk-ü\r\n']) {
      assert.deepEqual(await keys(['hash'], typed), { code: 0, stdout: `sha256: ${hashKey('sk-ü')}\n`, stderr: '' });
    }
    const { stdout } = await keys(['hash', '--tenant', 'alice', '--json'], 'sk-a');
    const sha256 = hashKey('sk-a');
    assert.deepEqual(JSON.parse(stdout), { schema: 1, sha256, entry: { sha256, tenant: 'alice' } });
  });

  it('asks at a terminal, and does not show what is typed', async () => {
    const { code, stdout, stderr } = await keys(['hash'], 'sk-a\n', true);
    assert.deepEqual([code, stdout, stderr], [0, `sha256: ${hashKey('sk-a')}\n`, 'API key: \n']);
    assert.equal((await keys(['hash'], '', true)).code, 2, 'the terminal went away');
  });

  it('takes no key from the command line, and does not repeat it', async () => {
    const { code, stdout, stderr } = await keys(['hash', 'sk-live-1234']);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /^fairlead keys: a key is not taken from the command line, .* give it on standard input/);
    assert.doesNotMatch(stderr, /sk-live/);
    assert.match((await keys(['sk-live'])).stderr, /^fairlead keys: ACTION: allowed is new or hash\n$/);
  });

  for (const [typed, message] of [
    ['', /there is no key/],
    ['\n', /there is no key/],
    ['a b', /one line without spaces/],
    ['a\nb\n', /one line without spaces/],
    ['a\u0000', /one line without spaces/],
    ['a'.repeat(8_193), /at most 8192 bytes/],
  ] as const) {
    it(`refuses ${JSON.stringify(typed.slice(0, 12))} as a key`, async () => {
      const { code, stdout, stderr } = await keys(['hash'], typed);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, message);
    });
  }
});

describe('the fields of an entry', () => {
  it('are checked as the configuration checks them, and need a tenant', async () => {
    for (const [flags, message] of [
      [['--priority', '1'], /--tenant is missing/],
      [['--tenant', 'a b'], /1 to 128 printable characters without spaces/],
      [['--tenant', 'a', '--priority', '1.5'], /an integer/],
      [['--tenant', 'a', '--weight', '0'], /more than 0/],
      [['--tenant', 'a', '--max-in-flight', ''], /an integer/],
    ] as const) {
      const { code, stderr } = await keys(['new', ...flags]);
      assert.equal(code, 2);
      assert.match(stderr, message);
    }
  });
});
