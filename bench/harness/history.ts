// SPDX-License-Identifier: Apache-2.0

/**
 * Recorded runs of a benchmark, `bench/history/NAME.json`: what a later run on the same machine is compared with.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus } from 'node:os';
import path from 'node:path';
import type { Measurement } from './benchmark.ts';

/** Older runs are dropped; the repository has them. */
const KEPT_RUNS = 20;

/** What figures depend on besides the code. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly arch: string;
}

export interface RecordedRun {
  readonly at: string;
  readonly machine: Machine;
  readonly node: string;
  readonly seconds: number;
  readonly measurements: readonly Measurement[];
}

interface History {
  readonly schema: 1;
  /** Oldest first. */
  readonly runs: readonly RecordedRun[];
}

/** The machine this runs on. */
export function thisMachine(): Machine {
  const all = cpus();
  return { cpu: all[0]?.model.trim() ?? 'unknown', cores: all.length, arch: arch() };
}

export class HistoryFile {
  readonly path: string;

  constructor(folder: string, name: string) {
    this.path = path.join(folder, `${name}.json`);
  }

  /** The latest run on such a machine. @throws {Error} when the file is not a history. */
  last(machine: Machine): RecordedRun | undefined {
    return this.#read().runs.findLast(
      (run) =>
        run.machine.cpu === machine.cpu && run.machine.cores === machine.cores && run.machine.arch === machine.arch,
    );
  }

  append(run: RecordedRun): void {
    const runs = [...this.#read().runs, run].slice(-KEPT_RUNS);
    mkdirSync(path.dirname(this.path), { recursive: true });
    writeFileSync(this.path, `${JSON.stringify({ schema: 1, runs } satisfies History, null, 2)}\n`);
  }

  #read(): History {
    if (!existsSync(this.path)) return { schema: 1, runs: [] };
    const history = JSON.parse(readFileSync(this.path, 'utf8')) as Partial<History>;
    if (history.schema !== 1 || !Array.isArray(history.runs)) throw new Error(`${this.path} is not a history of runs`);
    return { schema: 1, runs: history.runs };
  }
}
