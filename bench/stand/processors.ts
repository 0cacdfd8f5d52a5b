// SPDX-License-Identifier: Apache-2.0

/**
 * Who runs on which processor while something is measured, and how much of it others take: what `/proc/stat` counts as
 * busy, less what processes of this benchmark took. Linux only; elsewhere nothing is known, and nobody is moved.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { cpuSeconds } from './process-figures.ts';

/** Ticks of `/proc` a second. */
const TICKS_PER_S = 100;

/** One processor, counted from 0; undefined for all. */
export type Processor = number | undefined;

interface Taken {
  readonly atS: number;
  readonly busyS: number;
  /** By the machine below this one. */
  readonly stolenS: number;
  readonly ownS: number;
}

export class ForeignLoad {
  readonly #processor: Processor;
  readonly #own: () => number;
  readonly #from: Taken | undefined;

  /** Measures from now on; `own` is what processes of the benchmark have taken of these processors, in seconds. */
  constructor(processor: Processor, own: () => number) {
    this.#processor = processor;
    this.#own = own;
    this.#from = this.#taken();
  }

  /** Processors that others took, on average; NaN where that cannot be known. */
  get processors(): number {
    const to = this.#taken();
    if (this.#from === undefined || to === undefined) return NaN;
    const { atS, busyS, stolenS, ownS } = this.#from;
    return Math.max(0, (to.busyS - busyS + to.stolenS - stolenS - (to.ownS - ownS)) / (to.atS - atS));
  }

  #taken(): Taken | undefined {
    if (!existsSync('/proc/stat')) return undefined;
    const name = `cpu${this.#processor ?? ''}`;
    const line = readFileSync('/proc/stat', 'utf8')
      .split('\n')
      .find((text) => text.startsWith(`${name} `));
    // The second is of processes that stand back for others.
    const [user = 0, , system = 0, , , irq = 0, softIrq = 0, stolen = 0] = (line ?? '')
      .trim()
      .split(/\s+/)
      .slice(1)
      .map((ticks) => Number(ticks) / TICKS_PER_S);
    const busyS = user + system + irq + softIrq;
    return { atS: performance.now() / 1000, busyS, stolenS: stolen, ownS: this.#own() };
  }
}

/** CPU time in seconds of this process, of its children that have ended, and of those that run. */
export function ownSeconds(children: readonly number[]): number {
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
    .slice(11, 15)
    .map((ticks) => Number(ticks) / TICKS_PER_S);
  return user + system + childrenUser + childrenSystem + children.reduce((total, pid) => total + cpuSeconds(pid), 0);
}

/**
 * Gives a server the last processor, and this process with all that it starts from now on the others: two that take turns
 * on one make each other slower than either is by itself. The processor of the server; undefined where there is one only,
 * or no `taskset`.
 */
export function setApart(serverPid: number): Processor {
  const last = cpus().length - 1;
  if (last < 1) return undefined;
  try {
    setAffinity(serverPid, String(last));
    setAffinity(process.pid, `0-${last - 1}`);
    return last;
  } catch {
    return undefined;
  }
}

/** Undoes that for this process. */
export function together(processor: Processor): void {
  if (processor !== undefined) setAffinity(process.pid, `0-${cpus().length - 1}`);
}

function setAffinity(pid: number, processors: string): void {
  execFileSync('taskset', ['--all-tasks', '--pid', '--cpu-list', processors, String(pid)], { stdio: 'ignore' });
}
