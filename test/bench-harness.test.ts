// SPDX-License-Identifier: Apache-2.0

/**
 * The command line that all benchmarks share: its output for people and for programs, its exit codes, its history.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { measurement } from '../bench/harness/benchmark.ts';
import type { Benchmark } from '../bench/harness/benchmark.ts';
import { runBenchmark } from '../bench/harness/run-benchmark.ts';

const historyFolder = mkdtempSync(path.join(tmpdir(), 'bench-history-'));
after(() => rmSync(historyFolder, { recursive: true, force: true }));

function benchmark(name: string, latencyMs: number): Benchmark {
  return {
    name,
    summary: 'nothing in particular',
    seconds: 60,
    scenarios: ['quick', 'slow'],
    targets: [{ scenario: 'quick/latency', atMost: 300 }],
    async run(context) {
      if (context.wants('quick')) context.report(measurement('quick/latency', 'ms', [latencyMs, latencyMs + 20]));
      if (context.wants('slow')) context.report(measurement('slow/rate', 'tokens/s', [2301.4]));
    },
  };
}

async function run(subject: Benchmark, ...words: string[]): Promise<{ exitCode: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const exitCode = await runBenchmark(subject, words, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    historyFolder,
    stop: new AbortController().signal,
  });
  return { exitCode, out, err };
}

test('median and spread are those of the rounds', () => {
  assert.deepEqual(measurement('s', 'ms', [3, 1, 2]), { scenario: 's', unit: 'ms', value: 2, spread: 2 });
  assert.deepEqual(measurement('s', 'ms', [4, 1, 2, 3]), { scenario: 's', unit: 'ms', value: 2.5, spread: 3 });
  assert.throws(() => measurement('s', 'ms', []), /s: nothing was measured/);
});

test('with --json every line of stdout is one object', async () => {
  const { exitCode, out } = await run(benchmark('lines', 200), '--json');
  assert.equal(exitCode, 0);
  assert.deepEqual(
    out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    [
      { schema: 1, bench: 'lines', scenario: 'quick/latency', value: 210, unit: 'ms', spread: 20 },
      { schema: 1, bench: 'lines', scenario: 'slow/rate', value: 2301, unit: 'tokens/s', spread: 0 },
    ],
  );
});

test('for people it names the machine, the target and the last recorded run', async () => {
  const before = await run(benchmark('people', 100), '--record');
  assert.match(before.out, /\d+ cores, .*Node v\d+.*60 s\n/);
  assert.match(before.out, /quick\/latency +110 ms, spread 20 {2}\(meets at most 300\)\n/);
  const now = await run(benchmark('people', 400));
  assert.match(now.out, /quick\/latency +410 ms, spread 20 {2}\(MISSES at most 300; last recorded 110\)\n/);
});

test('a missed target is said in a long enough run, and is exit code 1 with --check only', async () => {
  assert.deepEqual(await exitAndErr(400), [0, 'missed: quick/latency is 410 ms, the target is at most 300\n']);
  assert.deepEqual(await exitAndErr(400, '--seconds', '10'), [0, '']);
  assert.equal((await exitAndErr(400, '--seconds', '10', '--check'))[0], 1);
  assert.deepEqual(await exitAndErr(400, '--check', '--scenario', 'slow'), [0, '']);
  assert.deepEqual(await exitAndErr(200, '--check'), [0, '']);
  assert.deepEqual(await exitAndErr(NaN, '--check'), [
    1,
    'missed: quick/latency is NaN ms, the target is at most 300\n',
  ]);
});

async function exitAndErr(latencyMs: number, ...words: string[]): Promise<[number, string]> {
  const { exitCode, err } = await run(benchmark('check', latencyMs), ...words);
  return [exitCode, err];
}

test('a wrong command line is one line, exit code 2', async () => {
  for (const [words, message] of [
    [['--seconds', '0'], /^bench wrong: --seconds 0: allowed is a number from 1 to 3600\n$/],
    [['--scenario', 'quik'], /^bench wrong: --scenario quik: allowed is one of quick, slow\n$/],
    [['--jason'], /^bench wrong: .*--jason.*\n$/],
  ] as const) {
    const { exitCode, out, err } = await run(benchmark('wrong', 1), ...words);
    assert.deepEqual([exitCode, out], [2, '']);
    assert.match(err, message);
  }
});

test('the history keeps the last twenty runs, and refuses a file that is none', async () => {
  for (let count = 0; count < 22; count++) await run(benchmark('kept', count), '--record', '--scenario', 'quick');
  const file = path.join(historyFolder, 'kept.json');
  const { runs } = JSON.parse(readFileSync(file, 'utf8')) as { runs: { measurements: { value: number }[] }[] };
  assert.deepEqual([runs.length, runs[0]?.measurements[0]?.value, runs.at(-1)?.measurements[0]?.value], [20, 12, 31]);
  writeFileSync(file, '{}');
  await assert.rejects(run(benchmark('kept', 1)), /kept\.json is not a history of runs/);
});
