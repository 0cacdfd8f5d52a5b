// SPDX-License-Identifier: Apache-2.0

/** Whole command lines against made-up commands: what is parsed, what help says, and how mistakes are answered. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UsageError } from './command.ts';
import type { Command, CommandInput } from './command.ts';
import { commands } from './commands.ts';
import { runProgram } from './program.ts';

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535) throw new UsageError('a port is 0 to 65535');
  return value;
}

/** Runs `words` against a `pour` command that records its input, and a `boil` command that `fails`. */
async function run(words: readonly string[], fails = new Error('unused')) {
  let input: CommandInput | undefined;
  const loaded: string[] = [];
  let out = '';
  let err = '';
  const pour: Command = {
    name: 'pour',
    summary: 'Pour tea.',
    details: 'Example:\n  fairlead pour --port 1',
    argument: { name: 'CUP', summary: 'Where to.', required: false },
    flags: [
      { name: 'port', value: 'N', default: 8080, summary: 'Port to listen on.', parse: port },
      { name: 'drain-timeout', value: 'SECONDS', summary: 'Longest drain.', parse: Number },
      { name: 'model', value: 'NAME', repeat: true, summary: 'A model.' },
      { name: 'json', summary: 'JSON.' },
      { name: 'no-metrics', summary: 'No metrics.' },
    ],
    run: async (given) => {
      input = given;
      return 7;
    },
  };
  const boil: Command = { name: 'boil', summary: 'Boil water.', flags: [], run: () => Promise.reject(fails) };
  const code = await runProgram(words, {
    version: '1.2.3',
    commands: [pour, boil].map((command) => ({
      name: command.name,
      load: async () => {
        loaded.push(command.name);
        return command;
      },
    })),
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += String(text)) },
    stop: new AbortController().signal,
  });
  return { code, out, err, input, loaded };
}

describe('a command line', () => {
  it('fills every flag, under its camelCase name, with what was given or its default', async () => {
    const { code, input, loaded } = await run(['pour', 'mug', '--model', 'a', '--model=b', '--json', '--no-metrics']);
    assert.equal(code, 7);
    assert.deepEqual(input?.options, {
      port: 8080,
      drainTimeout: undefined,
      model: ['a', 'b'],
      json: true,
      noMetrics: true,
    });
    assert.deepEqual(input?.arguments, ['mug']);
    assert.deepEqual(loaded, ['pour'], 'only the chosen command is loaded');
  });

  it('leaves an absent repeatable flag an empty list and absent booleans false', async () => {
    const { input } = await run(['pour', '--port', '0', '--drain-timeout', '-1']);
    assert.deepEqual(input?.options, { port: 0, drainTimeout: -1, model: [], json: false, noMetrics: false });
    assert.deepEqual(input?.arguments, []);
  });

  it('prints help of all commands, of one command, and the version', async () => {
    const all = await run(['--help']);
    assert.equal(all.code, 0);
    assert.match(all.out, /pour .*Pour tea\n.*boil .*Boil water\n/);
    assert.deepEqual(await run([]).then(({ code, out }) => ({ code, out })), { code: 0, out: all.out });
    const one = await run(['pour', '--help']);
    assert.equal(one.code, 0);
    assert.match(one.out, /--port <N> +Port to listen on\. \(default: 8080\)/);
    assert.match(one.out, /--model <NAME> +A model\. \(may be repeated\)/);
    assert.match(one.out, /Example:\n {2}fairlead pour --port 1\n$/);
    assert.equal((await run(['--version'])).out, '1.2.3\n');
  });
});

describe('a mistake on the command line', () => {
  const mistakes: { words: string[]; says: RegExp }[] = [
    { words: ['puor'], says: /^fairlead: unknown command 'puor' \(Did you mean pour\?\)\n$/ },
    { words: ['dance'], says: /^fairlead: unknown command 'dance'; `fairlead --help` lists them\n$/ },
    { words: ['--verison'], says: /^fairlead: unknown option '--verison' \(Did you mean --version\?\)\n$/ },
    { words: ['pour', '--prot', '1'], says: /^fairlead pour: unknown option '--prot' \(Did you mean --port\?\)\n$/ },
    {
      words: ['pour', '--port', '99999'],
      says: /^fairlead pour: .*--port <N>.*'99999' is invalid; a port is 0 to 65535\n$/,
    },
    { words: ['pour', '--port'], says: /^fairlead pour: .*--port <N>.* argument missing\n$/ },
    { words: ['pour', 'mug', 'bowl'], says: /^fairlead pour: too many arguments.*\n$/ },
  ];
  for (const { words, says } of mistakes) {
    it(`is one line and exit code 2: fairlead ${words.join(' ')}`, async () => {
      const { code, out, err, input } = await run(words);
      assert.equal(code, 2);
      assert.match(err, says);
      assert.equal(out, '');
      assert.equal(input, undefined);
    });
  }
});

describe('a command that fails', () => {
  it('with a usage error is one line and exit code 2', async () => {
    const { code, err } = await run(['boil'], new UsageError('--config-file and --config-text exclude each other'));
    assert.deepEqual(
      { code, err },
      { code: 2, err: 'fairlead boil: --config-file and --config-text exclude each other\n' },
    );
  });

  it('with an error of the environment is one line and exit code 1', async () => {
    const refused = Object.assign(new Error('listen EADDRINUSE: address already in use'), { code: 'EADDRINUSE' });
    const { code, err } = await run(['boil'], refused);
    assert.deepEqual({ code, err }, { code: 1, err: 'fairlead boil: listen EADDRINUSE: address already in use\n' });
  });

  it('with a mistake of ours shows where it happened', async () => {
    const { code, err } = await run(['boil'], new TypeError('x is not a function'));
    assert.equal(code, 1);
    assert.match(err, /^fairlead boil: TypeError: x is not a function\n +at /);
  });
});

describe('the commands of fairlead', () => {
  it('are loaded under the name they are listed by, with flag names and summaries in the shape help needs', async () => {
    for (const entry of commands) {
      const command = await entry.load();
      assert.equal(command.name, entry.name);
      assert.match(command.summary, /^[A-Z].*\.$/, `${entry.name}: the summary is one sentence`);
      const names = command.flags.map((flag) => flag.name);
      assert.deepEqual([...new Set(names)], names, `${entry.name}: no flag twice`);
      for (const flag of command.flags) {
        assert.match(flag.name, /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, `${entry.name} --${flag.name}`);
        const isMidLine = /^(?![A-Z][a-z]+\b)\S.*[^.]$/;
        assert.match(flag.summary, isMidLine, `${entry.name} --${flag.name} has a summary for the middle of a line`);
      }
    }
  });
});
