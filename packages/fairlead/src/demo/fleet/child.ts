// SPDX-License-Identifier: Apache-2.0

/**
 * Fairlead's own commands in processes of their own: started, waited for until they say that they listen, and ended
 * for certain. Children are in a process group of their own, so that a terminal's Ctrl-C reaches only their parent,
 * which then ends them in the right order.
 */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Two cores that are busy otherwise still start a process in a few seconds. */
const START_LIMIT_MS = 30_000;
/** How long a child that was asked to end may take before it is killed. */
const STOP_LIMIT_MS = 2_000;
/** Of what a child printed, only the end is kept. */
const KEPT_CHARS = 16_384;

const OWN_MODULES = new URL('../../', import.meta.url);

/** Something that has to run could not be started, or ended by itself. The message is one line for the user. */
export class ChildError extends Error {
  override readonly name = 'ChildError';
}

export interface ChildOptions {
  /** What to call it in messages: `model server 2`. */
  readonly name: string;
  /** The command line behind `fairlead`. */
  readonly words: readonly string[];
  /** Folder of the modules it runs, `src` or `dist` of this package; by default that of this module. */
  readonly modules?: URL;
  /** Names of what it listens for; it prints `NAME listening on URL` for each. */
  readonly listens: readonly string[];
}

/** A running child. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  /** By the names in `listens`; without a slash at the end. */
  readonly urls: ReadonlyMap<string, string>;
  /** Resolves, when it ends without having been asked to, to what happened. */
  readonly failed: Promise<ChildError>;
  /** As `kill -9`; resolves when it is gone. */
  kill(): Promise<void>;
  /** Asks it to end, and kills it when that takes too long. */
  stop(): Promise<void>;
}

/** @throws {ChildError} when it ends, or does not listen in time. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const child = new RunningChild(options);
  try {
    await child.listening();
  } catch (error) {
    await child.kill();
    throw error;
  }
  return child;
}

class RunningChild implements Child {
  readonly name: string;
  readonly pid: number;
  readonly urls = new Map<string, string>();
  readonly failed: Promise<ChildError>;
  readonly #listens: readonly string[];
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;
  #asked = false;
  #output = '';
  #onOutput: () => void = () => undefined;

  constructor({ name, words, listens, modules = OWN_MODULES }: ChildOptions) {
    this.name = name;
    this.#listens = listens;
    this.#process = spawn(process.execPath, [...nodeFlags(modules), ...words], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    });
    // Without one it could not be started, which `failed` will say.
    this.pid = this.#process.pid ?? 0;
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    }
    const exit = new Promise<string>((resolve) => {
      this.#process.once('error', (error) => resolve(error.message));
      this.#process.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    this.#exited = exit.then(() => undefined);
    this.failed = new Promise((resolve) => {
      void exit.then((how) => {
        if (!this.#asked) resolve(new ChildError(`${name} ended by itself (${how})${this.#lastWords()}`));
      });
    });
  }

  async listening(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      const problem = await Promise.race([
        new Promise<undefined>((resolve) => {
          this.#onOutput = () => {
            if (this.#listens.every((what) => this.urls.has(what))) resolve(undefined);
          };
        }),
        this.failed,
        new Promise<ChildError>((resolve) => {
          const seconds = START_LIMIT_MS / 1000;
          const late = new ChildError(`${this.name} does not listen after ${seconds} s${this.#lastWords()}`);
          timer = setTimeout(() => resolve(late), START_LIMIT_MS);
        }),
      ]);
      if (problem !== undefined) throw problem;
    } finally {
      clearTimeout(timer);
    }
  }

  async kill(): Promise<void> {
    this.#asked = true;
    this.#process.kill('SIGKILL');
    await this.#exited;
  }

  async stop(): Promise<void> {
    this.#asked = true;
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_LIMIT_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  /** Everything is read, so that a full pipe never blocks the child; the end is kept for its last words. */
  #read(text: string): void {
    this.#output = (this.#output + text).slice(-KEPT_CHARS);
    if (this.urls.size === this.#listens.length) return;
    for (const what of this.#listens) {
      const url = new RegExp(`${what}\\b[^\\n]*listening on (http://[^\\s"]+?)/?[\\s"]`).exec(this.#output)?.[1];
      if (url !== undefined) this.urls.set(what, url);
    }
    this.#onOutput();
  }

  #lastWords(): string {
    const line = this.#output.trimEnd().split('\n').at(-1) ?? '';
    return line === '' ? '' : `: ${line.slice(0, 500)}`;
  }
}

/** What `node` needs before the words of a command line: sources run as sources, and published code as itself. */
function nodeFlags(modules: URL): string[] {
  const isSource = /\/src\/$/.test(modules.pathname);
  const extension = isSource ? '.ts' : '.js';
  const main = fileURLToPath(new URL(`cli/main${extension}`, modules));
  const preload = new URL(`demo/fleet/end-with-parent${extension}`, modules).href;
  return [...(isSource ? ['--conditions=development'] : []), '--import', preload, main];
}

/** Ends children all at once; resolves when they are gone. */
export async function stopChildren(children: readonly Child[]): Promise<void> {
  await Promise.all(children.map((child) => child.stop()));
}
