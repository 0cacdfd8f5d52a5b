// SPDX-License-Identifier: Apache-2.0

/**
 * `file-discovery`: endpoints from a file, read again when it changes. Its folder is watched, not the file, because
 * editors and mounted ConfigMaps replace files by renaming; and it is looked at every ten seconds, because some file
 * systems tell nobody of changes. A file that is wrong changes nothing.
 */

import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import path from 'node:path';
import type { Alarm, Clock } from '@fairlead/core';
import { readBounded } from '../config/bounded-file.ts';
import type { FileDiscoveryConfig } from '../config/resolved.ts';
import { DiscoveryError } from './discovery.ts';
import type { Discovery, DiscoveryListener } from './discovery.ts';
import { MAX_FILE_BYTES, parseEndpointsFile } from './endpoints-file.ts';
import type { EndpointsFile } from './endpoints-file.ts';

/** Changes come in bursts (truncate, write, rename): the file is read when they pause. */
const DEBOUNCE_MS = 100;

const POLL_MS = 10_000;

export class FileDiscovery implements Discovery {
  readonly #config: FileDiscoveryConfig;
  readonly #clock: Clock;
  #listener: DiscoveryListener | undefined;
  #watcher: FSWatcher | undefined;
  #poll: Alarm | undefined;
  #debounce: Alarm | undefined;
  #reading: Promise<void> | undefined;
  #isChangedMeanwhile = false;
  #isStopped = false;
  /** What was told last, so that nothing is told twice: the text, or the problem. */
  #told: string | undefined;

  constructor(config: FileDiscoveryConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  async start(listener: DiscoveryListener): Promise<void> {
    const { text, parsed } = await this.#read();
    if ('problems' in parsed) throw new DiscoveryError(parsed.problems.join('\n'));
    if (this.#isStopped) return;
    this.#listener = listener;
    this.#told = text;
    listener.onEndpoints(parsed.endpoints);
    if (this.#config.watchFile) this.#watch();
  }

  stop(): void {
    this.#isStopped = true;
    this.#listener = undefined;
    this.#watcher?.close();
    this.#poll?.cancel();
    this.#debounce?.cancel();
  }

  #watch(): void {
    const { dir, base } = path.parse(this.#config.path);
    try {
      this.#watcher = watch(dir === '' ? '.' : dir, { persistent: false }, (_event, name) => {
        // A ConfigMap's file is a link through `..data`, which is what gets replaced.
        if (name === null || name === base || name.startsWith('..')) this.#changed();
      });
      this.#watcher.on('error', (error) => this.#unwatched(error));
    } catch (error) {
      this.#unwatched(error);
    }
    this.#pollLater();
  }

  #unwatched(error: unknown): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    const why = error instanceof Error ? error.message : String(error);
    this.#listener?.onProblem(`${this.#config.path}: cannot be watched, is read every ${POLL_MS / 1000} s: ${why}`);
  }

  #pollLater(): void {
    this.#poll = this.#clock.at(this.#clock.now() + POLL_MS, () => {
      this.#reload();
      this.#pollLater();
    });
  }

  #changed(): void {
    this.#debounce?.cancel();
    this.#debounce = this.#clock.at(this.#clock.now() + DEBOUNCE_MS, () => this.#reload());
  }

  /** Reads the file now, or once more when it is being read. */
  #reload(): void {
    if (this.#reading !== undefined) {
      this.#isChangedMeanwhile = true;
      return;
    }
    this.#reading = this.#read().then(({ text, parsed }) => {
      this.#reading = undefined;
      this.#tell(text, parsed);
      if (!this.#isChangedMeanwhile) return;
      this.#isChangedMeanwhile = false;
      this.#reload();
    });
  }

  #tell(text: string | undefined, parsed: EndpointsFile): void {
    const told = 'problems' in parsed ? parsed.problems.join('\n') : text;
    if (told === this.#told) return;
    this.#told = told;
    if ('problems' in parsed) for (const problem of parsed.problems) this.#listener?.onProblem(problem);
    else this.#listener?.onEndpoints(parsed.endpoints);
  }

  async #read(): Promise<{ text?: string; parsed: EndpointsFile }> {
    const { path: file } = this.#config;
    try {
      const bytes = await readBounded(file, MAX_FILE_BYTES);
      if (bytes.length > MAX_FILE_BYTES) {
        return { parsed: { problems: [`${file}: is larger than ${MAX_FILE_BYTES} bytes`] } };
      }
      const text = bytes.toString('utf8');
      return { text, parsed: parseEndpointsFile(text, file) };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { parsed: { problems: [`${path.resolve(file)}: cannot be read: ${why}`] } };
    }
  }
}
