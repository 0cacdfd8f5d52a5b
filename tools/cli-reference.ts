// SPDX-License-Identifier: Apache-2.0

/**
 * Writes docs/cli.md from the commands' own definitions. `test/cli-reference.test.ts` fails when the page is not what
 * this would write.
 *
 *     node --conditions=development tools/cli-reference.ts
 */

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import prettier from 'prettier';
import type { Command, Flag } from '../packages/fairlead/src/cli/command.ts';
import { commands } from '../packages/fairlead/src/cli/commands.ts';

/** Where the page is kept. */
export const cliReferencePath = path.join(path.dirname(import.meta.dirname), 'docs', 'cli.md');

const introduction = `# Command line

<!-- Written by tools/cli-reference.ts from the commands' own definitions: change those, then run it. -->

\`fairlead COMMAND --help\` says the same. In the workspace it is \`npm run fairlead -- COMMAND …\`. A mistake on the command
line is one line on standard error and exit code 2. The first Ctrl-C or SIGTERM ends a command in good order, the second at once.`;

/** The text of the page. */
export async function cliReference(all: readonly Command[]): Promise<string> {
  const page = [introduction, ...all.map(describe)].join('\n\n');
  return prettier.format(page, { parser: 'markdown', printWidth: 120 });
}

/** The commands, loaded. */
export function loadedCommands(): Promise<Command[]> {
  return Promise.all(commands.map((entry) => entry.load()));
}

function describe({ name, summary, details, argument, flags }: Command): string {
  const operand = argument === undefined ? '' : ` ${argument.required ? argument.name : `[${argument.name}]`}`;
  const parts = [`## fairlead ${name}`, `\`fairlead ${name}${operand} [flags]\``, `${summary.replace(/\.$/, '')}.`];
  if (argument !== undefined) parts.push(`\`${argument.name}\`: ${argument.summary.replace(/\.$/, '')}.`);
  if (flags.length > 0)
    parts.push(['| Flag | Default | Meaning |', '| --- | --- | --- |', ...flags.map(row)].join('\n'));
  if (details !== undefined) parts.push(`\`\`\`text\n${details}\n\`\`\``);
  return parts.join('\n\n');
}

function row(flag: Flag): string {
  const value = flag.value === undefined ? '' : ` ${flag.value}`;
  const summary = `${flag.summary}${flag.repeat === true ? '; may be repeated' : ''}`;
  const standard = typeof flag.default === 'string' || typeof flag.default === 'number' ? `\`${flag.default}\`` : '';
  return `| \`--${flag.name}${value}\` | ${standard} | ${summary.replaceAll('|', '\\|')} |`;
}

if (import.meta.main) writeFileSync(cliReferencePath, await cliReference(await loadedCommands()));
