// SPDX-License-Identifier: Apache-2.0

/**
 * What every benchmark prints: the machine, the Node version, a line for each figure with median and spread, how it
 * stands to the last recorded run, and, with `--check`, whether it keeps its target. Flags are the same everywhere:
 * `--json` (one object a line), `--check` (exit 1 past a target), `--record` (write `bench/history/NAME.json`).
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import path from 'node:path';

/** One measured figure. */
export interface Figure {
  readonly scenario: string;
  /** One number for each round. */
  readonly rounds: readonly number[];
  readonly unit: string;
  /** What it has to keep, if anything. */
  readonly target?: { readonly atLeast: number } | { readonly atMost: number } | undefined;
}

/** `spread` is the largest less the smallest round, in the figure's unit. */
interface Line {
  readonly schema: 1;
  readonly bench: string;
  readonly scenario: string;
  readonly value: number;
  readonly unit: string;
  readonly spread: number;
}

const HISTORY = path.join(import.meta.dirname, '..', 'history');

export class Report {
  readonly #bench: string;
  readonly #json: boolean;
  readonly #check: boolean;
  readonly #record: boolean;
  readonly #before: ReadonlyMap<string, number>;
  readonly #lines: Line[] = [];
  readonly #missed: string[] = [];

  constructor(bench: string, argv: readonly string[] = process.argv.slice(2)) {
    this.#bench = bench;
    this.#json = argv.includes('--json');
    this.#check = argv.includes('--check');
    this.#record = argv.includes('--record');
    this.#before = lastRun(bench);
    if (!this.#json) console.log(`${bench}: ${machine()}`);
  }

  /** A note that is not a figure; to stderr, so that `--json` stays a stream of objects. */
  note(text: string): void {
    console.error(text);
  }

  add(figure: Figure): void {
    const sorted = [...figure.rounds].sort((a, b) => a - b);
    const value = round(sorted[Math.floor(sorted.length / 2)] ?? Number.NaN);
    const spread = round((sorted.at(-1) ?? 0) - (sorted[0] ?? 0));
    const { scenario, unit, target } = figure;
    const line: Line = { schema: 1, bench: this.#bench, scenario, value, unit, spread };
    this.#lines.push(line);
    const kept = target === undefined || ('atLeast' in target ? value >= target.atLeast : value <= target.atMost);
    if (!kept) this.#missed.push(`${scenario}: ${value} ${unit}, wanted ${targetText(target)}`);
    if (this.#json) console.log(JSON.stringify(line));
    else
      console.log(this.#text(line, target === undefined ? '' : `  ${kept ? 'keeps' : 'MISSES'} ${targetText(target)}`));
  }

  /** To be called last: records, and sets the exit code. */
  finish(): void {
    if (this.#record) {
      mkdirSync(HISTORY, { recursive: true });
      const run = {
        machine: machine(),
        figures: this.#lines.map(({ scenario, value, unit, spread }) => ({ scenario, value, unit, spread })),
      };
      writeFileSync(path.join(HISTORY, `${this.#bench}.json`), `${JSON.stringify(run, null, 2)}\n`);
    }
    if (!this.#check) return;
    for (const missed of this.#missed) console.error(`target missed: ${missed}`);
    if (this.#missed.length > 0) process.exitCode = 1;
  }

  #text({ scenario, value, unit, spread }: Line, verdict: string): string {
    const before = this.#before.get(scenario);
    const change = before === undefined ? '' : `  ${(value / before).toFixed(2)}× the last recorded`;
    return `  ${scenario.padEnd(44)} ${String(value).padStart(10)} ${unit.padEnd(12)} spread ${spread}${change}${verdict}`;
  }
}

function targetText(target: Figure['target']): string {
  if (target === undefined) return 'nothing';
  return 'atLeast' in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`;
}

function round(value: number): number {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4));
}

function machine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  return `${model}, ${availableParallelism()} cores, Node ${process.version}`;
}

function lastRun(bench: string): ReadonlyMap<string, number> {
  try {
    const run = JSON.parse(readFileSync(path.join(HISTORY, `${bench}.json`), 'utf8')) as {
      figures: readonly { scenario: string; value: number }[];
    };
    return new Map(run.figures.map(({ scenario, value }) => [scenario, value]));
  } catch {
    return new Map();
  }
}
