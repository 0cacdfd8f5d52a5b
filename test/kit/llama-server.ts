// SPDX-License-Identifier: Apache-2.0

/**
 * A real engine for stories: llama.cpp's server, as named by `FAIRLEAD_LLAMA_SERVER` and `FAIRLEAD_LLAMA_MODEL` or found
 * beside the checkout. Stories skip, by name, without one.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Loopback } from './loopback.ts';

const beside = path.join(import.meta.dirname, '../../../shared/engines/llama.cpp');
const binary = process.env['FAIRLEAD_LLAMA_SERVER'] ?? path.join(beside, 'llama-server');
const model = process.env['FAIRLEAD_LLAMA_MODEL'] ?? path.join(beside, 'random.gguf');

/** Why stories with the engine are skipped; false when it is there. */
export const noLlamaServer: string | false =
  existsSync(binary) && existsSync(model)
    ? false
    : 'no llama-server: set FAIRLEAD_LLAMA_SERVER and FAIRLEAD_LLAMA_MODEL';

/** Starts the engine, which serves the model `random`, on a port that was free just now; `loopback` ends it. */
export async function startLlamaServer(loopback: Loopback): Promise<string> {
  const url = await loopback.nobody();
  const flags = ['-m', model, '--port', new URL(url).port, '-np', '2', '-c', '8192', '-t', '1'];
  const engine = spawn(binary, [...flags, '--metrics', '--no-webui', '--ignore-eos', '--alias', 'random'], {
    env: { ...process.env, LD_LIBRARY_PATH: path.dirname(binary) },
    stdio: 'ignore',
  });
  loopback.atEnd(async () => {
    if (engine.exitCode !== null || engine.signalCode !== null) return;
    engine.kill('SIGKILL');
    await once(engine, 'exit');
  });
  return url;
}
