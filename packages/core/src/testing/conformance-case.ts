// SPDX-License-Identifier: Apache-2.0

/** What the conformance suites are made of: cases to run as tests, and the reasons for which one is left out. */

export interface ConformanceCase {
  /** A sentence. */
  readonly title: string;
  /** Why it is not run; undefined when it is. */
  readonly skip?: string | undefined;
  /** @throws Error when the plugin does not conform. */
  run(): void;
}

/** Reasons for leaving out cases, by their titles. */
export type Skips = Readonly<Record<string, string>>;

/** The cases, those with a reason marked to be skipped. @throws Error when a reason is blank or for no case at all. */
export function skipping(cases: readonly ConformanceCase[], reasons: Skips): readonly ConformanceCase[] {
  for (const [title, reason] of Object.entries(reasons)) {
    if (reason.trim() === '') throw new Error(`the case "${title}" is skipped without a reason`);
    if (!cases.some((known) => known.title === title)) throw new Error(`there is no case "${title}" to skip`);
  }
  return cases.map((known) => ({ ...known, skip: reasons[known.title] }));
}

/** Runs a check with each of the seeds from 0; says which of them failed. @throws what the check throws, with its seed. */
export function eachSeed(seeds: number, check: (seed: number) => void): void {
  for (let seed = 0; seed < seeds; seed += 1) {
    try {
      check(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
}

/** @throws Error naming what differs, when two answers are not the same number by number or name by name. */
export function expectSameList(expected: readonly unknown[], found: readonly unknown[], who: string): void {
  const length = Math.max(expected.length, found.length);
  for (let index = 0; index < length; index += 1) {
    if (!Object.is(expected[index], found[index])) {
      throw new Error(`${who} answered [${found.join(', ')}], not [${expected.join(', ')}]`);
    }
  }
}

/** @throws Error naming the first step at which something else was served. */
export function expectSameServed(expected: readonly unknown[], served: readonly unknown[], who: string): void {
  const index = expected.findIndex((each, at) => each !== served[at]);
  if (index >= 0)
    throw new Error(`step ${index}: ${who} served ${String(served[index])}, not ${String(expected[index])}`);
}
