// SPDX-License-Identifier: Apache-2.0

/**
 * A real engine for stories: llama.cpp's server, as named by `FAIRLEAD_LLAMA_SERVER` and `FAIRLEAD_LLAMA_MODEL` or found
 * beside the checkout. Stories skip, by name, without one.
 */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
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

/** One engine under one address, which may be killed and started again. It calls its model `random`. */
export class Llama {
  readonly url: string;
  readonly slots: number;
  #process: ChildProcess | undefined;

  constructor(url: string, slots: number) {
    this.url = url;
    this.slots = slots;
  }

  /** Starts it; it answers once it has loaded. */
  start(): void {
    const { port } = new URL(this.url);
    const size = ['-np', String(this.slots), '-c', String(this.slots * 4096), '-t', '1'];
    const flags = [
      '-m',
      model,
      '--port',
      port,
      ...size,
      '--metrics',
      '--no-webui',
      '--ignore-eos',
      '--alias',
      'random',
    ];
    this.#process = spawn(binary, flags, {
      env: { ...process.env, LD_LIBRARY_PATH: path.dirname(binary) },
      stdio: 'ignore',
    });
  }

  /** Of its process; undefined while there is none. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** `kill -9`; resolves when it is gone. Idempotent. */
  async kill(): Promise<void> {
    const engine = this.#process;
    this.#process = undefined;
    if (engine === undefined || engine.exitCode !== null || engine.signalCode !== null) return;
    engine.kill('SIGKILL');
    await once(engine, 'exit');
  }
}

/** Starts an engine on a port that was free just now; `loopback` ends it. */
export async function startLlama(loopback: Loopback, slots: number): Promise<Llama> {
  const llama = new Llama(await loopback.nobody(), slots);
  loopback.atEnd(() => llama.kill());
  llama.start();
  return llama;
}

/** The URL of an engine of two slots, which serves the model `random`; `loopback` ends it. */
export async function startLlamaServer(loopback: Loopback): Promise<string> {
  return (await startLlama(loopback, 2)).url;
}
