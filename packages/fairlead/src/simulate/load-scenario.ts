// SPDX-License-Identifier: Apache-2.0

/** Reads a scenario: all of what is wrong with it is told at once, with its place, as of a configuration. */

import { halfCheckParameters } from '@fairlead/core';
import type { Problem } from '@fairlead/core';
import { byPlace, configProblem } from '../config/config-problem.ts';
import type { ConfigProblem } from '../config/config-problem.ts';
import { fileProblem, readConfigFile } from '../config/load.ts';
import { readConfig } from '../config/read.ts';
import { DEFAULT_DURATION_MS, scenarioFields } from './scenario-fields.ts';
import type { Scenario } from './scenario-fields.ts';

export type LoadedScenario =
  | { readonly scenario: Scenario; readonly problems?: undefined }
  | { readonly scenario?: undefined; readonly problems: readonly ConfigProblem[] };

/** Never rejects. */
export async function loadScenario(file: string): Promise<LoadedScenario> {
  let text: string;
  try {
    text = await readConfigFile(file);
  } catch (error) {
    return { problems: [fileProblem(file, error)] };
  }
  return readScenario(text, file);
}

/** `file` is what messages call it. */
export function readScenario(text: string, file: string): LoadedScenario {
  const read = readConfig(text);
  if (read.problems.length > 0) return { problems: read.problems.map((each) => configProblem(each, file, each)) };
  const problems: Problem[] = [];
  const scenario = halfCheckParameters(scenarioFields, read.value, { path: [], problems }) as Scenario;
  if (problems.length === 0) problems.push(...contradictions(scenario));
  if (problems.length === 0) return { scenario };
  const placed = problems.map((problem) => configProblem(problem, file, read.locate(problem.path, problem.at)));
  return { problems: placed.sort(byPlace) };
}

/** What each field by itself does not show. */
function contradictions({ tenants, fleet, faults, duration = DEFAULT_DURATION_MS, warmUp }: Scenario): Problem[] {
  const problems: Problem[] = [];
  const say = (path: Problem['path'], message: string, allowed: string): void =>
    void problems.push({ path, message: `${message}; allowed is ${allowed}`, allowed });
  if (warmUp >= duration) say(['warmUp'], 'nothing is left to report', 'less than the duration');
  const names = new Set<string>();
  tenants.forEach(({ name, arrivals, promptTokens, outputTokens }, index) => {
    if (names.has(name)) say(['tenants', index, 'name'], `a second tenant '${name}'`, 'a name of its own');
    names.add(name);
    for (const [field, { kind, min, max }] of Object.entries({ promptTokens, outputTokens })) {
      if (kind !== 'fixed' && min > max)
        say(['tenants', index, field, 'min'], `${min} is more than max`, `at most ${max}`);
    }
    if (arrivals.kind === 'on-off' && arrivals.on + arrivals.off === 0) {
      say(['tenants', index, 'arrivals', 'on'], 'neither on nor off takes any time', 'more than 0s for one of them');
    }
  });
  faults.forEach(({ server }, index) => {
    if (server > fleet.servers)
      say(['faults', index, 'server'], `there is no server ${server}`, `1 to ${fleet.servers}`);
  });
  return problems;
}
