// SPDX-License-Identifier: Apache-2.0

/**
 * Command line in, exit code out. `commander` splits words and lays out help; everything it knows comes from the
 * `Command` data, and everything it complains about is turned into one line with the nearest name, exit code 2.
 * Nothing here touches the process: streams and the stop signal come in, so that tests run whole command lines.
 */

import { CommanderError, Command as Parser, InvalidArgumentError, Option } from 'commander';
import { UsageError } from './command.ts';
import type { Command, CommandInput, Flag } from './command.ts';
import type { CommandEntry } from './commands.ts';

/** What a command line runs in. */
export interface ProgramContext extends Pick<CommandInput, 'stdout' | 'stderr' | 'stop' | 'onHangup'> {
  readonly version: string;
  readonly commands: readonly CommandEntry[];
}

const exitCode = { done: 0, failed: 1, usage: 2 } as const;

/**
 * Runs one command line (`words` without the interpreter and script) and resolves to its exit code: the command's own,
 * 1 when it failed with an error, 2 when the command line is wrong. Never rejects.
 */
export async function runProgram(words: readonly string[], context: ProgramContext): Promise<number> {
  const chosen = context.commands.find((entry) => entry.name === words[0]);
  try {
    // Only the chosen command when there is one; all of them for `--help` and for finding the nearest name.
    const needed = await Promise.all((chosen === undefined ? context.commands : [chosen]).map((entry) => entry.load()));
    let run = () => Promise.resolve<number>(exitCode.done);
    const parser = rootParser(context);
    for (const command of needed) {
      parser.addCommand(commandParser(command, context, (input) => (run = () => command.run(input))));
    }
    parser.parse(words.length === 0 ? ['--help'] : words, { from: 'user' });
    return await run();
  } catch (error) {
    return report(error, chosen === undefined ? 'fairlead' : `fairlead ${chosen.name}`, context);
  }
}

function rootParser(context: ProgramContext): Parser {
  const parser = new Parser('fairlead')
    .description('Decides which LLM request goes next, and to which model server.')
    .usage('COMMAND [flags]')
    .version(context.version, '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', '\n`fairlead COMMAND --help` lists the flags of a command.');
  return withOutput(parser, context);
}

function commandParser(command: Command, context: ProgramContext, onChosen: (input: CommandInput) => void): Parser {
  const parser = withOutput(new Parser(command.name), context)
    .summary(command.summary.replace(/\.$/, ''))
    .description(command.summary)
    .helpOption('-h, --help', 'print this help')
    .usage(['[flags]', command.argument && argumentUsage(command.argument)].filter(Boolean).join(' '));
  if (command.details !== undefined) parser.addHelpText('after', `\n${command.details.replace(/^\n+|\s+$/g, '')}`);
  if (command.argument !== undefined) {
    parser.argument(argumentUsage(command.argument), command.argument.summary);
    parser.allowExcessArguments(command.argument.passesMore === true);
  }
  for (const flag of command.flags) parser.addOption(option(flag));
  return parser.action(() => {
    onChosen({
      options: optionsOf(command.flags, parser.opts()),
      arguments: parser.args,
      stdout: context.stdout,
      stderr: context.stderr,
      stop: context.stop,
      onHangup: context.onHangup,
    });
  });
}

function argumentUsage(argument: NonNullable<Command['argument']>): string {
  return argument.required ? `<${argument.name}>` : `[${argument.name}]`;
}

/** Streams instead of the process, errors thrown instead of an exit, suggestions on the same line as the mistake. */
function withOutput(parser: Parser, context: ProgramContext): Parser {
  return parser
    .exitOverride()
    .helpCommand(false)
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      // Reported once, by `report`.
      writeErr: () => undefined,
    })
    .configureHelp({ helpWidth: 100, subcommandTerm: (command) => command.name() });
}

function option(flag: Flag): Option {
  const declared = new Option(
    flag.value === undefined ? `--${flag.name}` : `--${flag.name} <${flag.value}>`,
    summary(flag),
  );
  if (flag.value === undefined) return declared;
  const given: unknown[] = [];
  return declared.argParser((text: string) => {
    const value = parseValue(flag, text);
    given.push(value);
    return flag.repeat === true ? [...given] : value;
  });
}

/** Defaults are filled in by `optionsOf`, so help has to say them itself. */
function summary(flag: Flag): string {
  const facts: string[] = [];
  if (flag.repeat === true) facts.push('may be repeated');
  if (typeof flag.default === 'number' || typeof flag.default === 'string') facts.push(`default: ${flag.default}`);
  return facts.length === 0 ? flag.summary : `${flag.summary} (${facts.join('; ')})`;
}

function parseValue(flag: Flag, text: string): unknown {
  try {
    return flag.parse === undefined ? text : flag.parse(text);
  } catch (error) {
    // commander puts the flag and the value before this message.
    if (error instanceof UsageError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/** One entry for every flag, under its camelCase name: what was given, else its default, else false or an empty list. */
function optionsOf(flags: readonly Flag[], parsed: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(flags.map((flag) => [camelCase(flag.name), optionValue(flag, parsed)]));
}

function optionValue(flag: Flag, parsed: Record<string, unknown>): unknown {
  if (flag.value === undefined && flag.name.startsWith('no-')) {
    // commander reads `--no-x` as "x is false"; to us it is a flag called no-x.
    return parsed[camelCase(flag.name.slice('no-'.length))] === false;
  }
  const absent = flag.value === undefined ? false : flag.repeat === true ? [] : undefined;
  return parsed[camelCase(flag.name)] ?? flag.default ?? absent;
}

function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function report(error: unknown, name: string, context: ProgramContext): number {
  if (error instanceof CommanderError && error.exitCode === 0) return exitCode.done;
  if (error instanceof CommanderError) {
    const message = error.message
      .replace(/^error: /, '')
      .replace(' is invalid. ', ' is invalid; ')
      .replace(/\s*\n\s*/g, ' ');
    const isStranger = error.code === 'commander.unknownCommand' && !message.includes('Did you mean');
    context.stderr.write(`${name}: ${message}${isStranger ? '; `fairlead --help` lists them' : ''}\n`);
    return exitCode.usage;
  }
  const isUsage = error instanceof UsageError;
  context.stderr.write(`${name}: ${isUsage ? error.message : failureText(error)}\n`);
  return isUsage ? exitCode.usage : exitCode.failed;
}

/** The environment's errors (they carry a code) are one line; anything else is a mistake of ours and needs its stack. */
function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error ? error.message : (error.stack ?? error.message);
}
