// SPDX-License-Identifier: Apache-2.0

/**
 * `fairlead serve`: the gateway in front of model servers. Everything that can be wrong is said before a socket opens;
 * from then on it serves until it is told to stop, and then finishes what it has accepted.
 */

import { parseDuration } from '@fairlead/core';
import { isLoopback } from '../admin/loopback.ts';
import { configProblem, problemLine } from '../config/config-problem.ts';
import type { ConfigProblem } from '../config/config-problem.ts';
import { loadConfig } from '../config/load.ts';
import type { GoodConfig, LoadedConfig, LoadOptions } from '../config/load.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import { counted } from '../config/summary.ts';
import { LineBuffer } from '../observability/line-buffer.ts';
import { createLog, LOG_LEVELS } from '../observability/log.ts';
import type { Log, LogLevel } from '../observability/log.ts';
import { countBodiesWithHeap, freeCompilersMemory } from '../serve/collector.ts';
import type { RequestReport } from '../director/request-report.ts';
import { startServe } from '../serve/start-serve.ts';
import type { Serve } from '../serve/start-serve.ts';
import { boundYoungGeneration } from '../serve/young-generation.ts';
import { addressFault } from './address-fault.ts';
import { UsageError } from './command.ts';
import type { Command, CommandInput, Flag } from './command.ts';
import { parsePort } from './flag-values.ts';
import { leadsTo } from './own-address.ts';
import { openRecording } from './recording.ts';
import type { Recording } from './recording.ts';
import { stopped } from './stopped.ts';
import { writeFault } from './write-fault.ts';

const exitCode = { ok: 0, failed: 1 } as const;

/** The flags of `serve`, read. */
interface ServeFlags {
  readonly configFile: string | undefined;
  readonly configText: string | undefined;
  readonly endpoint: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly drainTimeout: number | undefined;
  readonly allowExperimentalPlugins: boolean;
  readonly logLevel: LogLevel;
  readonly record: string | undefined;
}

const flags: readonly Flag[] = [
  { name: 'config-file', value: 'FILE', summary: 'configuration, YAML or JSON; reloaded when it changes' },
  { name: 'config-text', value: 'TEXT', summary: 'the configuration itself, in place of a file' },
  {
    name: 'endpoint',
    value: 'URL',
    repeat: true,
    summary: 'a model server, in addition to those of the configuration',
  },
  { name: 'host', value: 'ADDRESS', default: '127.0.0.1', summary: 'address to serve on' },
  { name: 'port', value: 'PORT', default: 8080, summary: 'port to serve on; 0 takes a free one', parse: parsePort },
  { name: 'admin-host', value: 'ADDRESS', default: '127.0.0.1', summary: 'address of metrics, health and state' },
  {
    name: 'admin-port',
    value: 'PORT',
    default: 9090,
    summary: 'port of metrics, health and state; 0 takes a free one',
    parse: parsePort,
  },
  {
    name: 'drain-timeout',
    value: 'DURATION',
    summary: 'longest time to finish what was accepted when stopped (default: gateway.drainTimeout, 30s)',
    parse: parseDrainTimeout,
  },
  { name: 'allow-experimental-plugins', summary: 'allow plugins of alpha stability' },
  {
    name: 'record',
    value: 'FILE',
    summary:
      'write sizes, times, tenants and outcomes of requests, never what they say, for `fairlead simulate --trace`',
  },
  {
    name: 'log-level',
    value: 'LEVEL',
    default: 'info',
    summary: `least level that is logged: ${LOG_LEVELS.join(', ')}`,
    parse: parseLogLevel,
  },
];

export const serveCommand: Command = {
  name: 'serve',
  summary: 'Serve an OpenAI-compatible gateway that decides who goes next, and where.',
  details: `
When it is ready it prints where it listens, one line each for the gateway and the admin port. Ctrl-C or SIGTERM drains:
nothing new is accepted, everything accepted is answered. A second one ends at once. Logs are JSON lines on standard
error. Exit code: 1 when the configuration is wrong or a port is taken, 0 after a drain, 1 when it was cut.

The file of --config-file is watched: when it changes, or on SIGHUP, it is read, checked and put in force in one turn;
requests that wait keep their places. A file with a mistake changes nothing: the log has every problem, and
\`fairlead status\` says so. Flags count until a restart. Without --config-file there is nothing to reload, and SIGHUP drains.

Examples:
  fairlead serve --endpoint http://10.0.0.1:8000 --endpoint http://10.0.0.2:8000
  fairlead serve --config-file fairlead.yaml --host 0.0.0.0
  curl http://127.0.0.1:8080/v1/models
  fairlead status`,
  flags,
  run,
};

async function run(input: CommandInput): Promise<number> {
  const given = input.options as unknown as ServeFlags;
  countBodiesWithHeap();
  freeCompilersMemory();
  const loaded = await loadConfigOf(given);
  for (const warning of loaded.warnings) input.stderr.write(`warning: ${problemLine(warning)}\n`);
  if (loaded.ok === undefined) return refused(loaded.problems, input);
  const fault = serversFault(loaded.ok, given);
  if (fault !== undefined) {
    input.stderr.write(`fairlead serve: ${fault}\n`);
    return exitCode.failed;
  }
  if (input.stop.aborted) return exitCode.ok;
  const lines = new LineBuffer(input.stderr);
  const flush = (): void => lines.flush();
  // However the process ends, its last words are written.
  process.once('exit', flush);
  const unbound = boundYoungGeneration();
  try {
    const log = createLog({ level: given.logLevel, destination: lines });
    return await serveUntilStopped({ given, loaded, log }, input);
  } finally {
    unbound();
    process.off('exit', flush);
    flush();
  }
}

interface Start {
  readonly given: ServeFlags;
  readonly loaded: GoodConfig;
  readonly log: Log;
}

async function serveUntilStopped({ given, loaded, log }: Start, input: CommandInput): Promise<number> {
  const { ok: config } = loaded;
  if (config.identity.keys.length === 0 && given.host !== 'localhost' && !isLoopback(given.host)) {
    log.warn('anyone who can reach this address may use the model servers: no keys are configured', {
      host: given.host,
    });
  }
  let serve: Serve;
  let recording: Recording | undefined;
  try {
    if (given.record !== undefined) recording = await openRecording(given.record, log);
    const onFinished = recording && ((report: RequestReport) => recording?.finished(report));
    const source = { file: given.configFile, loaded, load: (more: LoadMore) => reloadConfigOf(given, more) };
    serve = await startServe({ ...given, config, source, log, onFinished });
  } catch (error) {
    input.stderr.write(`fairlead serve: ${startFault(error, given)}\n`);
    return exitCode.failed;
  }
  input.stdout.write(`gateway listening on ${serve.url}\nadmin listening on ${serve.adminUrl}\n`);
  if (given.configFile !== undefined) input.onHangup?.(() => void serve.reload());
  await stopped(input.stop);
  const code = await drain(serve, { drainTimeoutMs: given.drainTimeout ?? serve.drainTimeoutMs, log });
  await recording?.close();
  return code;
}

type LoadMore = Pick<LoadOptions, 'fileText' | 'keep'>;

/** The configuration that the flags name. */
function loadConfigOf(given: ServeFlags, more: LoadMore = {}): Promise<LoadedConfig> {
  return loadConfig({
    ...more,
    file: given.configFile,
    text: given.configText,
    endpointUrls: given.endpoint,
    defaults: 'serve',
    allowExperimental: given.allowExperimentalPlugins,
  });
}

/** What is wrong with the model servers of a configuration that is right in itself. */
function serversFault({ endpoints, dnsEndpoints = [], fileDiscovery }: ResolvedConfig, given: ServeFlags) {
  if (endpoints.length + dnsEndpoints.length === 0 && fileDiscovery === undefined) {
    return 'no model server to serve; name one with --endpoint URL or in --config-file';
  }
  for (const { url } of endpoints) {
    for (const [prefix, own] of [
      ['', { host: given.host, port: given.port }],
      ['admin-', { host: given.adminHost, port: given.adminPort }],
    ] as const) {
      if (leadsTo(url, own))
        return `endpoint ${url} is this gateway itself; name a model server, or choose another --${prefix}port`;
    }
  }
  return undefined;
}

/** What could not be started with is not reloaded either. */
async function reloadConfigOf(given: ServeFlags, more: LoadMore): Promise<LoadedConfig> {
  const loaded = await loadConfigOf(given, more);
  const message = loaded.ok && serversFault(loaded.ok, given);
  if (message === undefined) return loaded;
  const problem = configProblem({ path: [], message }, given.configFile ?? '', { line: 1, column: 1 });
  return { problems: [problem], warnings: loaded.warnings, unreadable: false };
}

function refused(problems: readonly ConfigProblem[], { stderr }: CommandInput): number {
  for (const problem of problems) stderr.write(`${problemLine(problem)}\n`);
  stderr.write(`fairlead serve: ${counted(problems.length, 'problem')} in the configuration\n`);
  return exitCode.failed;
}

async function drain(serve: Serve, { drainTimeoutMs, log }: { drainTimeoutMs: number; log: Log }): Promise<number> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), drainTimeoutMs);
  });
  const end = await Promise.race([serve.close(), late]);
  clearTimeout(timer);
  if (end !== 'late') return exitCode.ok;
  log.warn('the drain took too long: what is still under way is cut', { drainTimeoutMs });
  await serve.destroy();
  return exitCode.failed;
}

/** Why it did not start, in one line that says what to do. */
function startFault(error: unknown, given: ServeFlags): string {
  const { code, port, path, message } = error as NodeJS.ErrnoException & { readonly port?: number };
  if (path !== undefined && path === given.record) return `--record ${path}: ${writeFault(error)}`;
  if (code === 'EADDRINUSE' && port !== undefined && port === given.port && port === given.adminPort) {
    return `port ${port} of ${given.host} is wanted for both the gateway and the admin port; choose another with --admin-port`;
  }
  const isAdmin = port !== undefined && port === given.adminPort && port !== given.port;
  const wanted = isAdmin
    ? { host: given.adminHost, port, prefix: 'admin-' }
    : { host: given.host, port: port ?? given.port };
  return addressFault(error, wanted) ?? (error instanceof Error ? message : String(error));
}

function parseDrainTimeout(text: string): number {
  const timeoutMs = parseDuration(text);
  if (timeoutMs !== undefined && timeoutMs >= 0) return timeoutMs;
  throw new UsageError('allowed is a duration such as 30s or 1m30s, at least 0s');
}

function parseLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text);
  if (level === undefined) throw new UsageError(`allowed is one of ${LOG_LEVELS.join(', ')}`);
  return level;
}
