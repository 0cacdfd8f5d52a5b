// SPDX-License-Identifier: Apache-2.0

/**
 * Commands and flags as data. One definition yields the parser, `--help` and the reference page, so that none of
 * them can drift from the others.
 */

/** One `--flag` of a command. */
export interface Flag<T = unknown> {
  /** Kebab-case, without dashes; the parsed value is found under the camelCase name. */
  readonly name: string;
  /** Placeholder of the value (`N`, `URL`); absent for a boolean flag. */
  readonly value?: string;
  /** May be given several times; the parsed value is then an array. */
  readonly repeat?: boolean;
  readonly default?: T;
  /** One sentence for `--help`, with the unit of the value. */
  readonly summary: string;
  /** Text to value; throws `UsageError` saying what was allowed (the flag's own name is added by the caller). */
  readonly parse?: (text: string) => T;
}

/** What a command is run with. */
export interface CommandInput {
  readonly options: Readonly<Record<string, unknown>>;
  readonly arguments: readonly string[];
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly stderr: { write(text: string | Buffer): unknown; readonly writableLength?: number };
  /** Aborted by the first Ctrl-C or SIGTERM: the command drains, then returns. */
  readonly stop: AbortSignal;
  /** Takes over SIGHUP, which is a stop signal otherwise; absent where there are no signals. */
  readonly onHangup?: ((act: () => void) => void) | undefined;
}

/** One subcommand of `fairlead`. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Further paragraphs and examples for `fairlead NAME --help`. */
  readonly details?: string;
  readonly argument?: {
    readonly name: string;
    readonly summary: string;
    readonly required: boolean;
    /** More arguments than one reach the command, which says itself why it takes none of them. */
    readonly passesMore?: boolean;
  };
  readonly flags: readonly Flag[];
  /** Resolves to the exit code. */
  run(input: CommandInput): Promise<number>;
}

/** A mistake on the command line: printed as one line, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
