// SPDX-License-Identifier: Apache-2.0

/** `fairlead simulate SCENARIO`: what would happen, from the code that would make it happen, in a fraction of the time. */

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { seededRandom } from '@fairlead/core/testing';
import { problemLine } from '../config/config-problem.ts';
import type { ConfigProblem } from '../config/config-problem.ts';
import { loadConfig } from '../config/load.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import { counted } from '../config/summary.ts';
import { comparisonText, exceeded } from '../simulate/compare.ts';
import { htmlReport } from '../simulate/html-report.ts';
import type { ReportedRun } from '../simulate/html-report.ts';
import { loadScenario } from '../simulate/load-scenario.ts';
import { notModelled } from '../simulate/not-modelled.ts';
import { resultText } from '../simulate/result-text.ts';
import type { SimulationResult } from '../simulate/result.ts';
import { simulate } from '../simulate/simulate.ts';
import { Timeline } from '../simulate/timeline.ts';
import { loadTrace } from '../simulate/trace.ts';
import { workloadOf } from '../simulate/workload.ts';
import type { Workload } from '../simulate/workload.ts';
import { UsageError } from './command.ts';
import type { Command, CommandInput } from './command.ts';
import { fit, parseServer } from './fit.ts';
import { writeFault } from './write-fault.ts';

const exitCode = { ok: 0, problems: 1, worse: 1 } as const;

/** Between two words of progress. */
const PROGRESS_MS = 500;

interface SimulateFlags {
  readonly config: string | undefined;
  readonly seed: number | undefined;
  readonly trace: string | undefined;
  readonly against: string | undefined;
  readonly maxShareLoss: number | undefined;
  readonly maxWaitGrowth: number | undefined;
  readonly maxThroughputLoss: number | undefined;
  readonly json: boolean | undefined;
  readonly html: string | undefined;
  readonly fit: string | undefined;
  readonly allowExperimentalPlugins: boolean | undefined;
}

export const simulateCommand: Command = {
  name: 'simulate',
  summary: 'Play a scenario through flow control and scheduling as they serve, in virtual time.',
  details: `
Tenants, when they ask and for how much, and the model servers stand in SCENARIO (docs/simulate.md); policies, limits and
keys in the configuration, whose endpoints are replaced by the scenario's. Director, flow control, scheduling and plugins
are the ones of \`fairlead serve\`. The same seed gives the same result.
With --against the same is played under a second configuration, so that a change of one can be gated.
Exit code: 0; 1 when the scenario or a configuration has problems, or a limit of --max-… is exceeded.

Examples:
  fairlead simulate examples/scenarios/noisy-neighbour.yaml
  fairlead simulate scenario.yaml --config fairlead.yaml --seed 7 --json | tail -n 1
  fairlead simulate scenario.yaml --config now.yaml --against next.yaml --max-wait-growth 1.2
  fairlead simulate --fit http://10.0.0.1:8000 > fleet.yaml`,
  argument: { name: 'SCENARIO', summary: 'the scenario, YAML or JSON; not with --fit', required: false },
  flags: [
    { name: 'config', value: 'FILE', summary: 'configuration, as for `fairlead serve`; its defaults when left out' },
    { name: 'seed', value: 'N', summary: "of all chance, in place of the scenario's", parse: parseSeed },
    {
      name: 'trace',
      value: 'FILE',
      summary: 'requests to play: of `fairlead serve --record`, Azure CSV, or Mooncake JSON lines',
    },
    {
      name: 'against',
      value: 'FILE',
      summary: 'another configuration: play the same under it, and print what is different',
    },
    {
      name: 'max-share-loss',
      value: 'POINTS',
      summary: 'with --against: exit 1 when a tenant loses more points of its share',
      parse: parseLimit,
    },
    {
      name: 'max-wait-growth',
      value: 'FACTOR',
      summary: 'with --against: exit 1 when a tenant waits (p99) more times as long',
      parse: parseLimit,
    },
    {
      name: 'max-throughput-loss',
      value: 'PERCENT',
      summary: 'with --against: exit 1 when the fleet makes that much fewer tokens a second',
      parse: parseLimit,
    },
    {
      name: 'fit',
      value: 'URL',
      summary: 'play nothing: ask a model server for a minute, with real load, and print it as the fleet of a scenario',
      parse: parseServer,
    },
    { name: 'html', value: 'FILE', summary: 'write a page with plots over time as well, complete in itself' },
    { name: 'json', summary: 'print one JSON object, on the last line, instead of a table' },
    { name: 'allow-experimental-plugins', summary: 'allow plugins of alpha stability' },
  ],
  run,
};

function parseSeed(text: string): number {
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (seed <= 4_294_967_295) return seed;
  throw new UsageError('allowed is a whole number from 0 to 4294967295');
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (text.trim() !== '' && limit >= 0 && limit < Infinity) return limit;
  throw new UsageError('allowed is a number, 0 or more');
}

async function run(input: CommandInput): Promise<number> {
  const given = input.options as unknown as SimulateFlags;
  const [file] = input.arguments;
  if (given.fit !== undefined) {
    if (file !== undefined) throw new UsageError('--fit plays no scenario: leave SCENARIO away');
    return fit({ url: given.fit, json: given.json === true, seed: given.seed ?? 1 }, input);
  }
  if (file === undefined) throw new UsageError('SCENARIO is missing');
  const { scenario, problems = [] } = await loadScenario(file);
  const trace = given.trace === undefined ? { requests: [] } : await loadTrace(given.trace);
  const seed = given.seed ?? scenario?.seed ?? 1;
  const files = given.against === undefined ? [given.config] : [given.config, given.against];
  const loaded = await Promise.all(files.map((each) => loadConfigFor(each, { seed, given, input })));
  const wrong = [...problems, ...(trace.problems ?? []), ...loaded.flatMap((each) => each.problems ?? [])];
  if (scenario === undefined || wrong.length > 0) return refused(wrong, input);
  const workload = workloadOf(scenario, trace.requests);
  if (workload.tenants.length === 0) {
    input.stderr.write(`fairlead simulate: nobody asks: ${file} has no tenants, and there is no --trace\n`);
    return exitCode.problems;
  }
  for (const [index, { ok }] of loaded.entries()) {
    const fields = notModelled(ok as ResolvedConfig);
    if (fields.length > 0) input.stderr.write(`note: ${files[index]}: not simulated: ${fields.join(', ')}\n`);
  }
  const runs: ReportedRun[] = [];
  for (const [index, { ok }] of loaded.entries()) {
    const progress = progressOf(workload, input);
    const config = ok as ResolvedConfig;
    const timeline = new Timeline(workload.duration);
    const result = await simulate({ workload, config, seed, onProgress: progress.tell, timeline, stop: input.stop });
    progress.end();
    runs.push({ config: files[index] ?? 'the defaults of fairlead serve', result, timeline });
  }
  const isWritten =
    given.html === undefined || (await written(given.html, htmlReport(path.basename(file), runs), input));
  const results = runs.map(({ result }) => result);
  return isWritten ? told(results, given, input) : exitCode.problems;
}

/** Whether the page could be written; said when not. */
async function written(file: string, page: string, { stderr }: CommandInput): Promise<boolean> {
  try {
    await writeFile(file, page);
    return true;
  } catch (error) {
    stderr.write(`fairlead simulate: --html ${file} cannot be written: ${writeFault(error)}\n`);
    return false;
  }
}

/** The bare result, or with `--against` both. */
function told([result, against]: readonly SimulationResult[], given: SimulateFlags, input: CommandInput): number {
  const first = result as SimulationResult;
  const worse = against === undefined ? [] : exceeded(first, against, given);
  const { stdout, stderr } = input;
  if (given.json === true) {
    stdout.write(`${JSON.stringify(against === undefined ? first : { ...first, against, exceeded: worse })}\n`);
  } else {
    stdout.write(`${resultText(first).join('\n')}\n`);
    if (against !== undefined) stdout.write(`${comparisonText(first, against).join('\n')}\n`);
  }
  for (const sentence of worse) stderr.write(`fairlead simulate: ${sentence}\n`);
  return worse.length === 0 ? exitCode.ok : exitCode.worse;
}

interface LoadContext {
  readonly seed: number;
  readonly given: SimulateFlags;
  readonly input: CommandInput;
}

async function loadConfigFor(file: string | undefined, { seed, given, input }: LoadContext): Promise<LoadedConfig> {
  const loaded = await loadConfig({
    file,
    defaults: 'serve',
    random: seededRandom(seed),
    allowExperimental: given.allowExperimentalPlugins === true,
  });
  for (const warning of loaded.warnings) input.stderr.write(`warning: ${problemLine(warning)}\n`);
  return loaded;
}

function refused(problems: readonly ConfigProblem[], { stderr }: CommandInput): number {
  for (const problem of problems) stderr.write(`${problemLine(problem)}\n`);
  stderr.write(`fairlead simulate: ${counted(problems.length, 'problem')}\n`);
  return exitCode.problems;
}

/** One line that is written over, while it takes long enough for anybody to wonder. */
function progressOf({ duration }: Workload, { stderr }: CommandInput): { tell(doneMs: number): void; end(): void } {
  let toldMs = performance.now();
  let hasTold = false;
  return {
    tell(doneMs) {
      if (performance.now() - toldMs < PROGRESS_MS) return;
      toldMs = performance.now();
      hasTold = true;
      stderr.write(`\rsimulated ${Math.floor(doneMs / 1000)} of ${Math.ceil(duration / 1000)} s`);
    },
    end: () => void (hasTold && stderr.write('\r\u001b[K')),
  };
}
