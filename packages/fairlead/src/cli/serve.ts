// SPDX-License-Identifier: Apache-2.0

/**
 * `fairlead serve`: the gateway in front of model servers. Everything that can be wrong is said before a socket opens;
 * from then on it serves until it is told to stop, and then finishes what it has accepted.
 */

import { parseDuration } from '@fairlead/core';
import { isLoopback } from '../admin/loopback.ts';
import { problemLine } from '../config/config-problem.ts';
import { loadConfig } from '../config/load.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import { counted } from '../config/summary.ts';
import { createLog, LOG_LEVELS } from '../observability/log.ts';
import type { Log, LogLevel } from '../observability/log.ts';
import { startServe } from '../serve/start-serve.ts';
import type { Serve } from '../serve/start-serve.ts';
import { UsageError } from './command.ts';
import type { Command, CommandInput, Flag } from './command.ts';
import { parsePort } from './flag-values.ts';
import { stopped } from './stopped.ts';

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
}

const flags: readonly Flag[] = [
  { name: 'config-file', value: 'FILE', summary: 'configuration, YAML or JSON' },
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
When it is ready it prints where it listens, one line each for the gateway and the admin port. Ctrl-C, SIGTERM or
SIGHUP drains: nothing new is accepted, everything accepted is answered. A second one ends at once. Logs are JSON lines on
standard error. Exit code: 1 when the configuration is wrong or a port is taken, 0 after a drain, 1 when it was cut.

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
  const config = await load(given, input);
  if (config === undefined || input.stop.aborted) return config === undefined ? exitCode.failed : exitCode.ok;
  const log = createLog({ level: given.logLevel, destination: input.stderr });
  if (config.identity.keys.length === 0 && given.host !== 'localhost' && !isLoopback(given.host)) {
    log.warn('anyone who can reach this address may use the model servers: no keys are configured', {
      host: given.host,
    });
  }
  let serve: Serve;
  try {
    serve = await startServe({ ...given, config, log });
  } catch (error) {
    input.stderr.write(`fairlead serve: ${startFault(error, given)}\n`);
    return exitCode.failed;
  }
  input.stdout.write(`gateway listening on ${serve.url}\nadmin listening on ${serve.adminUrl}\n`);
  await stopped(input.stop);
  return drain(serve, { drainTimeoutMs: given.drainTimeout ?? config.gateway.drainTimeoutMs, log });
}

/** Undefined when there are problems; they are printed then. */
async function load(given: ServeFlags, input: CommandInput): Promise<ResolvedConfig | undefined> {
  const loaded = await loadConfig({
    file: given.configFile,
    text: given.configText,
    endpointUrls: given.endpoint,
    defaults: 'serve',
    allowExperimental: given.allowExperimentalPlugins,
  });
  for (const warning of loaded.warnings) input.stderr.write(`warning: ${problemLine(warning)}\n`);
  if (loaded.ok === undefined) {
    for (const problem of loaded.problems) input.stderr.write(`${problemLine(problem)}\n`);
    input.stderr.write(`fairlead serve: ${counted(loaded.problems.length, 'problem')} in the configuration\n`);
    return undefined;
  }
  if (loaded.ok.endpoints.length === 0 && loaded.ok.fileDiscovery === undefined) {
    input.stderr.write('fairlead serve: no model server to serve; name one with --endpoint URL or in --config-file\n');
    return undefined;
  }
  return loaded.ok;
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
  const { code, port, message } = error as NodeJS.ErrnoException & { readonly port?: number };
  const isAdmin = port !== undefined && port === given.adminPort && port !== given.port;
  const prefix = isAdmin ? 'admin-' : '';
  const host = isAdmin ? given.adminHost : given.host;
  if (code === 'EADDRINUSE') {
    const isOwn = port !== undefined && port === given.port && port === given.adminPort;
    const taker = isOwn ? 'wanted for both the gateway and the admin port' : 'taken by another program';
    return `port ${port ?? given.port} of ${host} is ${taker}; choose another with --${isOwn ? 'admin-' : prefix}port`;
  }
  if (code === 'EACCES')
    return `not allowed to listen on port ${port ?? given.port}; choose another with --${prefix}port`;
  if (code === 'EADDRNOTAVAIL') return `${host} is not an address of this machine; choose another with --${prefix}host`;
  if (code === 'ENOTFOUND') return `${host} is not known; choose another with --${prefix}host`;
  return error instanceof Error ? message : String(error);
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
