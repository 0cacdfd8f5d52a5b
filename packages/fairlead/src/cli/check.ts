// SPDX-License-Identifier: Apache-2.0

/**
 * `fairlead check FILE`: is this configuration right, and what does it come to? Reads, checks and resolves as the
 * servers do, and opens no socket.
 */

import { stringify } from 'yaml';
import { loadConfig } from '../config/load.ts';
import type { LoadedConfig, LoadOptions } from '../config/load.ts';
import { problemLine } from '../config/config-problem.ts';
import { DEFAULTS } from '../config/defaults.ts';
import type { DefaultSet } from '../config/defaults.ts';
import { MAX_CONFIG_BYTES } from '../config/read.ts';
import { counted, summaryOf } from '../config/summary.ts';
import { UsageError } from './command.ts';
import type { Command, CommandInput } from './command.ts';
import { missingHere } from './surroundings.ts';

const exitCode = { ok: 0, problems: 1, unreadable: 2 } as const;

export const checkCommand: Command = createCheckCommand(() => process.stdin, process.env);

type Environment = Readonly<Record<string, string | undefined>>;

/** `stdin` is only asked for when FILE is `-`; in `environment` API keys are looked for. */
export function createCheckCommand(stdin: () => AsyncIterable<Uint8Array>, environment: Environment): Command {
  return {
    name: 'check',
    summary: 'Check a configuration file: every problem with its line, or what would run.',
    details: `
Exit code: 0 when the configuration is right, 1 when it has problems, 2 when it cannot be read.
Warnings go to stderr and change no exit code: what is deprecated, an unset variable that an \`apiKeyEnv\` names, a file
of \`file-discovery\` that is not there.
Modules that the file names as plugins are run, as they would be by the servers.

Examples:
  fairlead check fairlead.yaml
  fairlead check fairlead.yaml --json
  fairlead check fairlead.yaml --resolved > everything.yaml
  kubectl get configmap picker -o jsonpath='{.data.config}' | fairlead check - --defaults reference`,
    argument: { name: 'FILE', summary: 'the configuration, YAML or JSON; - reads standard input', required: true },
    flags: [
      { name: 'json', summary: 'print {"schema":1,"problems":[…]} instead, empty when all is well' },
      { name: 'resolved', summary: 'print the whole configuration as it will run, every default written out' },
      {
        name: 'defaults',
        value: 'SET',
        default: 'serve',
        summary: 'whose defaults fill what the file leaves out: serve or reference',
        parse: parseDefaults,
      },
      { name: 'allow-experimental-plugins', summary: 'allow plugins of alpha stability' },
    ],
    run: (input) => run(input, { stdin, environment }),
  };
}

function parseDefaults(text: string): DefaultSet {
  if (Object.hasOwn(DEFAULTS, text)) return text as DefaultSet;
  throw new UsageError('allowed is serve or reference');
}

interface Here {
  readonly stdin: () => AsyncIterable<Uint8Array>;
  readonly environment: Environment;
}

async function run(input: CommandInput, { stdin, environment }: Here): Promise<number> {
  const { options } = input;
  const [file = ''] = input.arguments;
  if (options['json'] === true && options['resolved'] === true) {
    throw new UsageError('--json and --resolved cannot be given at the same time');
  }
  const source: Pick<LoadOptions, 'file' | 'text' | 'textName'> =
    file === '-' ? { text: await readAll(stdin()), textName: '<stdin>' } : { file };
  const loaded = await loadConfig({
    ...source,
    defaults: options['defaults'] as DefaultSet,
    allowExperimental: options['allowExperimentalPlugins'] === true,
  });
  for (const warning of loaded.warnings) input.stderr.write(`warning: ${problemLine(warning)}\n`);
  for (const missing of loaded.ok === undefined ? [] : missingHere(loaded.ok, environment)) {
    input.stderr.write(`warning: ${source.textName ?? file}: ${missing}\n`);
  }
  // What is redirected into a file by --resolved is a configuration or nothing.
  const output = options['resolved'] === true && loaded.ok === undefined ? input.stderr : input.stdout;
  output.write(answer(loaded, options, source.textName ?? file));
  if (loaded.ok !== undefined) return exitCode.ok;
  return loaded.unreadable ? exitCode.unreadable : exitCode.problems;
}

function answer(loaded: LoadedConfig, options: CommandInput['options'], file: string): string {
  const problems = loaded.problems ?? [];
  if (options['json'] === true) return `${JSON.stringify({ schema: 1, problems })}\n`;
  if (loaded.ok === undefined) {
    return `${[...problems.map(problemLine), `${counted(problems.length, 'problem')} in ${file}`].join('\n')}\n`;
  }
  if (options['resolved'] === true) return stringify(loaded.document, { aliasDuplicateObjects: false, lineWidth: 0 });
  return `${file}: ok: ${summaryOf(loaded.ok)}\n`;
}

/** Stops one byte past what a configuration may have: the reader then says that it is too large. */
async function readAll(input: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of input) {
    chunks.push(chunk);
    sizeBytes += chunk.byteLength;
    if (sizeBytes > MAX_CONFIG_BYTES) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}
