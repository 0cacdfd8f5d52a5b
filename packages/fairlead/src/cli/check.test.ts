// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { CommandEntry } from './commands.ts';
import { createCheckCommand } from './check.ts';
import { runProgram } from './program.ts';

const folder = path.join(import.meta.dirname, '..', 'config', 'golden');
const good = path.join(folder, 'reference.yaml');
const bad = path.join(folder, 'mistakes.yaml');

async function check(words: readonly string[], stdin = '', environment: Record<string, string> = {}) {
  let stdout = '';
  let stderr = '';
  const input = async function* () {
    for (let start = 0; start < stdin.length; start += 1000) yield Buffer.from(stdin.slice(start, start + 1000));
  };
  const entry: CommandEntry = { name: 'check', load: async () => createCheckCommand(input, environment) };
  const code = await runProgram(['check', ...words], {
    version: '0.0.0',
    commands: [entry],
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    stop: new AbortController().signal,
  });
  return { code, stdout, stderr };
}

describe('fairlead check', () => {
  it('says in one line what a right configuration would run', async () => {
    const { code, stdout, stderr } = await check([good]);
    assert.equal(code, 0);
    const discovered = path.resolve('endpoints.yaml');
    assert.equal(
      stderr,
      `warning: ${good}: file-discovery: ${discovered} cannot be read here (a relative path starts from the working directory)\n`,
    );
    assert.equal(
      stdout,
      `${good}: ok: endpoints from endpoints.yaml; flow control on (fair, fcfs-ordering-policy, full); 2 priority bands; no API keys\n`,
    );
  });

  it('prints every problem on a line of its own, then how many, and fails', async () => {
    const { code, stdout } = await check([bad]);
    assert.equal(code, 1);
    const lines = stdout.trimEnd().split('\n');
    assert.equal(lines.length, 12);
    assert.equal(
      lines[4],
      `${bad}:15:3: flowControl.maxRequest: unknown field "maxRequest"; did you mean \`maxRequests\`?`,
    );
    assert.equal(lines.at(-1), `11 problems in ${bad}`);
  });

  it('tells programs the same as JSON, with nothing in it when all is well', async () => {
    assert.deepEqual(JSON.parse((await check([good, '--json'])).stdout), { schema: 1, problems: [] });
    const { code, stdout } = await check([bad, '--json']);
    assert.equal(code, 1);
    const { schema, problems } = JSON.parse(stdout) as { schema: number; problems: unknown[] };
    assert.equal(schema, 1);
    assert.equal(problems.length, 11);
    assert.deepEqual(problems[4], {
      file: bad,
      line: 15,
      column: 3,
      path: 'flowControl.maxRequest',
      value: 'maxRequest',
      message: 'unknown field "maxRequest"; did you mean `maxRequests`?',
      allowed: (problems[4] as { allowed: string }).allowed,
      suggestion: 'maxRequests',
    });
  });

  it('prints the whole configuration, which it accepts again and prints the same', async () => {
    const first = await check([good, '--resolved']);
    const second = await check(['-', '--resolved', '--defaults', 'reference'], first.stdout);
    assert.deepEqual([first.code, second.code], [0, 0]);
    assert.equal(second.stdout, first.stdout);
    assert.match(first.stdout, /defaultRequestTTL: 1m30s\n/);
  });

  it('reads standard input, no more of it than a configuration may have', async () => {
    const { code, stdout } = await check(['-'], 'a: 1');
    assert.equal(code, 1);
    assert.match(stdout, /^<stdin>:1:1: a: unknown field "a"/);
    assert.match((await check(['-'], ' '.repeat(1024 * 1024 + 10))).stdout, /is larger than 1048576 bytes/);
  });

  it('fails in another way when there is nothing to read', async () => {
    const { code, stdout } = await check([path.join(folder, 'none.yaml')]);
    assert.equal(code, 2);
    assert.match(stdout, /none\.yaml:1:1: cannot be read: there is no such file\n/);
    assert.equal((await check([path.join(folder, 'none.yaml'), '--json'])).code, 2);
  });

  it('prints deprecations beside the answer, not in it', async () => {
    const { code, stdout, stderr } = await check([path.join(folder, 'old-group.yaml')]);
    assert.equal(code, 0);
    assert.equal(stdout.split('\n').length, 2);
    assert.match(stderr, /^warning: .*old-group\.yaml:1:13: apiVersion: is deprecated/);
  });

  it('warns of variables that are not set here, without their values, and fails because of none', async () => {
    const text = [
      'apiVersion: llm-d.ai/v1alpha1',
      'kind: EndpointPickerConfig',
      'endpoints:',
      '  - { url: http://a:1, name: a, apiKeyEnv: KEY_A }',
      '  - { url: http://b:1, name: b, apiKeyEnv: KEY_B }',
      '  - { url: http://c:1, name: c, apiKeyEnv: KEY_C, dns: {} }',
    ].join('\n');
    const { code, stdout, stderr } = await check(['-'], text, { KEY_A: 'sk-live', KEY_B: ' ' });
    assert.equal(code, 0);
    assert.match(stdout, /^<stdin>: ok: /);
    assert.equal(
      stderr,
      ['b', 'c']
        .map((name) => `endpoint ${name}: the environment variable KEY_${name.toUpperCase()}, named by apiKeyEnv,`)
        .map((missing) => `warning: <stdin>: ${missing} is not set here\n`)
        .join(''),
    );
  });

  it('says that a configuration without endpoints is not yet enough to serve', async () => {
    const { code, stdout } = await check(['-'], 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n');
    assert.equal(code, 0);
    assert.match(stdout, /^<stdin>: ok: no endpoints, so `fairlead serve` needs --endpoint; flow control on /);
  });

  it('refuses flags that contradict each other or name no set of defaults', async () => {
    assert.equal((await check([good, '--json', '--resolved'])).code, 2);
    assert.match((await check([good, '--defaults', 'mine'])).stderr, /allowed is serve or reference/);
  });
});
