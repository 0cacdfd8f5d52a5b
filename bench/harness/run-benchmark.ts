// SPDX-License-Identifier: Apache-2.0

/**
 * The command line of every benchmark: `npm run bench -- NAME [--json] [--check] [--record] [--seconds N]
 * [--scenario NAME]…`. Prints the machine, then each figure with its spread, its target and the last recorded run
 * beside it.
 */

import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Benchmark, BenchmarkContext, Measurement, Target } from './benchmark.ts';
import { meets } from './benchmark.ts';
import type { RecordedRun } from './history.ts';
import { HistoryFile, thisMachine } from './history.ts';

/** Where output goes and recorded runs live. */
export interface BenchmarkHost {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly historyFolder: string;
  readonly stop: AbortSignal;
}

export interface BenchmarkFlags {
  readonly json: boolean;
  readonly check: boolean;
  readonly record: boolean;
  readonly seconds: number;
  /** Empty for all. */
  readonly scenarios: readonly string[];
}

const exitCode = { done: 0, missed: 1, usage: 2, interrupted: 130 } as const;

/** Runs the benchmark with the process's own words and streams; sets its exit code. */
export async function runAsMain(benchmark: Benchmark): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  process.exitCode = await runBenchmark(benchmark, process.argv.slice(2), {
    stdout: process.stdout,
    stderr: process.stderr,
    historyFolder: path.join(path.dirname(import.meta.dirname), 'history'),
    stop: stop.signal,
  });
}

/** Resolves to the exit code: 1 when a target is missed and `--check` was given, 2 for a wrong command line. */
export async function runBenchmark(
  benchmark: Benchmark,
  words: readonly string[],
  host: BenchmarkHost,
): Promise<number> {
  let flags: BenchmarkFlags;
  try {
    flags = readFlags(benchmark, words);
  } catch (error) {
    host.stderr.write(`bench ${benchmark.name}: ${(error as Error).message}\n`);
    return exitCode.usage;
  }
  const machine = thisMachine();
  const history = new HistoryFile(host.historyFolder, benchmark.name);
  const last = history.last(machine);
  const about = flags.json ? host.stderr : host.stdout;
  about.write(`${benchmark.name}: ${benchmark.summary}\n`);
  about.write(`${machine.cpu}, ${machine.cores} cores, ${machine.arch}; Node ${process.version}; ${flags.seconds} s\n`);
  const measurements: Measurement[] = [];
  await benchmark.run(
    contextFor(host, flags, (measured) => {
      measurements.push(measured);
      host.stdout.write(flags.json ? jsonLine(benchmark, measured) : textLine(benchmark, measured, last));
    }),
  );
  if (host.stop.aborted) return exitCode.interrupted;
  const run = { at: new Date().toISOString(), machine, node: process.version, seconds: flags.seconds, measurements };
  if (flags.record) history.append(run);
  return checked(benchmark, { flags, measurements, host });
}

/** @throws {Error} that says what is wrong and what is allowed. */
export function readFlags(benchmark: Benchmark, words: readonly string[]): BenchmarkFlags {
  const { values } = parseArgs({
    args: [...words],
    options: {
      json: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
      seconds: { type: 'string', default: String(benchmark.seconds) },
      scenario: { type: 'string', multiple: true, default: [] },
    },
  });
  const seconds = Number(values.seconds);
  if (!(seconds >= 1 && seconds <= 3600)) {
    throw new RangeError(`--seconds ${values.seconds}: allowed is a number from 1 to 3600`);
  }
  for (const scenario of values.scenario) {
    if (benchmark.scenarios.includes(scenario)) continue;
    throw new RangeError(`--scenario ${scenario}: allowed is one of ${benchmark.scenarios.join(', ')}`);
  }
  return { json: values.json, check: values.check, record: values.record, seconds, scenarios: values.scenario };
}

function contextFor(
  host: BenchmarkHost,
  flags: BenchmarkFlags,
  report: (measured: Measurement) => void,
): BenchmarkContext {
  return {
    seconds: flags.seconds,
    wants: (scenario) => flags.scenarios.length === 0 || flags.scenarios.includes(scenario),
    report,
    say: (line) => host.stderr.write(`${line}\n`),
    stop: host.stop,
  };
}

/** Targets are judged in a run as long as they are meant for, or when the check was asked for. */
function checked(
  benchmark: Benchmark,
  run: { flags: BenchmarkFlags; measurements: readonly Measurement[]; host: BenchmarkHost },
): number {
  const { flags, measurements, host } = run;
  if (!flags.check && flags.seconds < benchmark.seconds) return exitCode.done;
  let missed = 0;
  for (const target of benchmark.targets) {
    if (flags.scenarios.length > 0 && !flags.scenarios.some((name) => target.scenario.startsWith(name))) continue;
    const found = measurements.find(({ scenario }) => scenario === target.scenario);
    if (found !== undefined && meets(target, found.value)) continue;
    missed++;
    const value = found === undefined ? 'not measured' : `${figure(found.value)} ${found.unit}`;
    host.stderr.write(`missed: ${target.scenario} is ${value}, the target is ${bound(target)}\n`);
  }
  return flags.check && missed > 0 ? exitCode.missed : exitCode.done;
}

function jsonLine(benchmark: Benchmark, { scenario, value, unit, spread }: Measurement): string {
  return `${JSON.stringify({ schema: 1, bench: benchmark.name, scenario, value: rounded(value), unit, spread: rounded(spread) })}\n`;
}

function textLine(benchmark: Benchmark, measured: Measurement, last: RecordedRun | undefined): string {
  const { scenario, value, unit, spread } = measured;
  const target = benchmark.targets.find((candidate) => candidate.scenario === scenario);
  const before = last?.measurements.find((candidate) => candidate.scenario === scenario);
  const notes = [
    ...(target === undefined ? [] : [`${meets(target, value) ? 'meets' : 'MISSES'} ${bound(target)}`]),
    ...(before === undefined ? [] : [`last recorded ${figure(before.value)}`]),
  ];
  const text = `${figure(value).padStart(12)} ${unit}, spread ${figure(spread)}`;
  return `${scenario.padEnd(44)}${text}${notes.length === 0 ? '' : `  (${notes.join('; ')})`}\n`;
}

function bound(target: Target): string {
  return [
    ...(target.atMost === undefined ? [] : [`at most ${figure(target.atMost)}`]),
    ...(target.atLeast === undefined ? [] : [`at least ${figure(target.atLeast)}`]),
  ].join(', ');
}

function figure(value: number): string {
  return String(rounded(value));
}

/** Four significant digits: more than any of these figures can be repeated to. */
function rounded(value: number): number {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4));
}
