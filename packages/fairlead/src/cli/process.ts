// SPDX-License-Identifier: Apache-2.0

/**
 * The `fairlead` process: the only file that touches its signals, output and exit. The first Ctrl-C, SIGTERM or SIGHUP
 * asks the command to drain, a second one leaves at once; a command with something to read again takes SIGHUP for that
 * instead. A reader of our output that goes away (`fairlead … | head`) is not an error, and
 * must not take a serving gateway with it.
 */

import { readFileSync } from 'node:fs';
import { commands } from './commands.ts';
import { runProgram } from './program.ts';

const EXIT_INTERRUPTED = 130;

const stop = new AbortController();
const end = (signal: NodeJS.Signals): void => {
  if (stop.signal.aborted) process.exit(EXIT_INTERRUPTED);
  stop.abort(signal);
};
let hangUp: (() => void) | undefined;
process.on('SIGINT', end);
process.on('SIGTERM', end);
process.on('SIGHUP', (signal) => {
  // A drain has nothing to read again.
  if (hangUp === undefined || stop.signal.aborted) end(signal);
  else hangUp();
});

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

process.exitCode = await runProgram(process.argv.slice(2), {
  version: manifest.version,
  commands,
  stdout: process.stdout,
  stderr: process.stderr,
  stop: stop.signal,
  onHangup: (act) => {
    hangUp = act;
  },
});

// What a command leaves open (a keep-alive socket, a timer) must not hold the shell; what it printed must arrive.
await new Promise((resolve) => process.stdout.write('', resolve));
process.exit();
