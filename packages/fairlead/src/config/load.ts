// SPDX-License-Identifier: Apache-2.0

/**
 * Configuration from a file, a text or nothing at all, to what runs: read → check → resolve → freeze. Either all of it
 * is right, or every problem there is comes back with its file, line and column.
 */

import { createHash } from 'node:crypto';
import path from 'node:path';
import { dotted, halfCheckParameters } from '@fairlead/core';
import type { PluginRecord, PluginRegistry, Problem, Random } from '@fairlead/core';
import { readBoundedOfAny } from './bounded-file.ts';
import { byPlace, configProblem } from './config-problem.ts';
import type { ConfigProblem } from './config-problem.ts';
import { createDefaultRegistry } from './default-registry.ts';
import type { DefaultSet } from './defaults.ts';
import { MAX_CONFIG_BYTES, readConfig } from './read.ts';
import type { ReadConfig } from './read.ts';
import { resolveConfig } from './resolve.ts';
import { ENDPOINT_FLAG } from './resolve-endpoints.ts';
import type { ResolvedConfig } from './resolved.ts';
import { API_VERSION, configFields, KIND } from './schema.ts';

export interface LoadOptions {
  /** Path of the file; not together with `text`. */
  readonly file?: string | undefined;
  /** The configuration itself. */
  readonly text?: string | undefined;
  /** What `file` holds, when it has been read already. */
  readonly fileText?: string | undefined;
  /** What messages call `text`. */
  readonly textName?: string;
  /** Endpoints in addition to the configured ones. */
  readonly endpointUrls?: readonly string[];
  /** The plugin types there are; by default those in the box. */
  readonly registry?: PluginRegistry;
  /** Whose defaults fill what is left out. */
  readonly defaults: DefaultSet;
  readonly random?: Random;
  /** Allow alpha plugins. */
  readonly allowExperimental?: boolean;
  /** Plugins of an earlier load, used again where name, type and parameters are the same. */
  readonly keep?: readonly PluginRecord[] | undefined;
}

/** A configuration that can run. */
export interface GoodConfig {
  readonly ok: ResolvedConfig;
  /** Plain data that loads as the same configuration, with nothing left out. */
  readonly document: Readonly<Record<string, unknown>>;
  readonly warnings: readonly ConfigProblem[];
  /** Every plugin that was made, for a later load to `keep`. */
  readonly plugins: readonly PluginRecord[];
  /** `plugins[].module` fields whose file changed since this process imported it: it counts after a restart. */
  readonly outdated: readonly string[];
  /** SHA-256 of its text, hexadecimal; undefined when there was none. */
  readonly sha256: string | undefined;
  readonly problems?: undefined;
}

/** What runs, or everything that keeps it from running. */
export type LoadedConfig =
  | GoodConfig
  | {
      readonly ok?: undefined;
      /** Never empty; in the order of the file. */
      readonly problems: readonly ConfigProblem[];
      readonly warnings: readonly ConfigProblem[];
      /** The file could not be read at all. */
      readonly unreadable: boolean;
    };

const commandLine = 'command line';
const start = { line: 1, column: 1 };

/** Loads a configuration. Never rejects: what is wrong comes back as problems. */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const { file, text } = options;
  if (file !== undefined && text !== undefined) {
    const message = '--config-file and --config-text cannot be given at the same time';
    return refused([configProblem({ path: [], message }, commandLine, start)], false);
  }
  if (file === undefined) return loadText(text, options);
  try {
    return await loadText(options.fileText ?? (await readConfigFile(file)), options);
  } catch (error) {
    return refused([fileProblem(file, error)], !(error instanceof TypeError));
  }
}

/** What to say of a configuration file that `readConfigFile` failed to read. */
export function fileProblem(file: string, error: unknown): ConfigProblem {
  const message = error instanceof TypeError ? 'is not UTF-8 text' : `cannot be read: ${readFault(error)}`;
  return configProblem({ path: [], message }, file, start);
}

function refused(problems: readonly ConfigProblem[], unreadable: boolean): LoadedConfig {
  return { problems, warnings: [], unreadable };
}

/**
 * The text of a configuration file, cut where it is too long anyway.
 *
 * @throws TypeError when the file is not UTF-8; a system error when it cannot be read.
 */
export async function readConfigFile(file: string): Promise<string> {
  const bytes = await readBoundedOfAny(file, MAX_CONFIG_BYTES);
  // A text that is too large may end within a character; its size is the problem then.
  return new TextDecoder('utf-8', { fatal: bytes.length <= MAX_CONFIG_BYTES }).decode(bytes);
}

const readFaults: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
};

function readFault(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return readFaults[code ?? ''] ?? message;
}

async function loadText(text: string | undefined, options: LoadOptions): Promise<LoadedConfig> {
  const read = text === undefined ? nothing : readConfig(text);
  const file = options.file ?? (text === undefined ? commandLine : (options.textName ?? '--config-text'));
  if (read.problems.length > 0) {
    return refused(read.problems.map((problem) => configProblem(problem, file, problem)).sort(byPlace), false);
  }
  const problems: Problem[] = [];
  const fields = halfCheckParameters(configFields, read.value, { path: [], problems });
  const { config, document, warnings, plugins, outdated } = await resolveConfig(
    fields,
    {
      defaultSet: options.defaults,
      registry: options.registry ?? createDefaultRegistry(),
      random: options.random ?? Math.random,
      allowExperimental: options.allowExperimental ?? false,
      directory: options.file === undefined ? process.cwd() : path.dirname(path.resolve(options.file)),
      endpointUrls: options.endpointUrls ?? [],
      keep: options.keep,
      saysFlowControl: (read.value as { flowControl?: unknown }).flowControl != null,
    },
    problems,
  );
  const placed = (problem: Problem) => placedProblem(problem, file, read);
  const told = warnings.map(placed).sort(byPlace);
  if (problems.length > 0) return { problems: problems.map(placed).sort(byPlace), warnings: told, unreadable: false };
  const sha256 = text === undefined ? undefined : hashOf(text);
  return { ok: config, document, warnings: told, plugins, outdated: outdated.map(dotted), sha256 };
}

/** SHA-256 of a text, hexadecimal: what `sha256sum` says of the file. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** No file, no text: every default. */
const nothing: ReadConfig = { value: { apiVersion: API_VERSION, kind: KIND }, problems: [], locate: () => start };

function placedProblem(problem: Problem, file: string, read: ReadConfig): ConfigProblem {
  const [first, index] = problem.path;
  if (first !== ENDPOINT_FLAG) return configProblem(problem, file, read.locate(problem.path, problem.at));
  const column = (index as number) + 1;
  return { ...configProblem(problem, commandLine, { line: 1, column }), path: ENDPOINT_FLAG };
}
