// SPDX-License-Identifier: Apache-2.0

/**
 * What a benchmark is: a name, targets as data, and a function that reports measurements. Everything around that (flags,
 * output, history, exit code) is the same for all of them and lives in `run-benchmark.ts`.
 */

/** One figure. */
export interface Measurement {
  /** What was measured, in which circumstances: `configured/interactive-ttft-p99`. Unique in its benchmark. */
  readonly scenario: string;
  /** The median, or the figure over the whole run. */
  readonly value: number;
  readonly unit: string;
  /** Largest less smallest of the rounds (or parts of the run) behind `value`; 0 when there was one. */
  readonly spread: number;
}

/** What a measurement has to reach. */
export interface Target {
  readonly scenario: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** What a benchmark runs with. */
export interface BenchmarkContext {
  /** Length of each scenario. */
  readonly seconds: number;
  /** Whether a scenario was asked for; everything was when no `--scenario` was given. */
  wants(scenario: string): boolean;
  report(measurement: Measurement): void;
  /** Progress, to stderr. */
  say(line: string): void;
  /** Aborted by Ctrl-C. */
  readonly stop: AbortSignal;
}

export interface Benchmark {
  /** That of its file. */
  readonly name: string;
  readonly summary: string;
  /** Default of `--seconds`; targets are meant for runs at least this long. */
  readonly seconds: number;
  /** What `--scenario` may name. */
  readonly scenarios: readonly string[];
  readonly targets: readonly Target[];
  /** Reports as it goes; ends everything it started. */
  run(context: BenchmarkContext): Promise<void>;
}

/** Median and spread of the rounds of one scenario. @throws {RangeError} without a round. */
export function measurement(scenario: string, unit: string, rounds: readonly number[]): Measurement {
  const sorted = rounds.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
  if (low === undefined || high === undefined) throw new RangeError(`${scenario}: nothing was measured`);
  return { scenario, unit, value: (low + high) / 2, spread: sorted.at(-1)! - sorted[0]! };
}

/** Whether a value reaches its target. */
export function meets(target: Target, value: number): boolean {
  return value <= (target.atMost ?? Infinity) && value >= (target.atLeast ?? -Infinity);
}
