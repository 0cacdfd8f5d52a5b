// SPDX-License-Identifier: Apache-2.0

/**
 * A file that somebody else changes. Its folder is watched, not the file, because editors and mounted ConfigMaps replace
 * files by renaming; and it is looked at every ten seconds, because some file systems tell nobody of changes.
 */

import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import path from 'node:path';
import type { Alarm, Clock } from '@fairlead/core';

/** Changes come in bursts (truncate, write, rename): the file is read when they pause. */
const DEBOUNCE_MS = 100;

const POLL_MS = 10_000;

export interface WatchedFileOptions {
  readonly file: string;
  readonly clock: Clock;
  /** The file may be another than before. Never called again before what it returned is settled. */
  readonly onChange: () => Promise<void>;
  /** The file cannot be watched; it is still looked at now and then. */
  readonly onProblem: (problem: string) => void;
}

export class WatchedFile {
  readonly #options: WatchedFileOptions;
  #watcher: FSWatcher | undefined;
  #poll: Alarm | undefined;
  #debounce: Alarm | undefined;
  #looking: Promise<void> | undefined;
  #isChangedMeanwhile = false;
  #isStopped = false;

  constructor(options: WatchedFileOptions) {
    this.#options = options;
  }

  start(): void {
    const { dir, base } = path.parse(this.#options.file);
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

  /** Calls nobody any more. Idempotent. */
  stop(): void {
    this.#isStopped = true;
    this.#watcher?.close();
    this.#poll?.cancel();
    this.#debounce?.cancel();
  }

  #unwatched(error: unknown): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    const why = error instanceof Error ? error.message : String(error);
    this.#options.onProblem(`${this.#options.file}: cannot be watched, is read every ${POLL_MS / 1000} s: ${why}`);
  }

  #pollLater(): void {
    const { clock } = this.#options;
    this.#poll = clock.at(clock.now() + POLL_MS, () => {
      this.#look();
      this.#pollLater();
    });
  }

  #changed(): void {
    const { clock } = this.#options;
    this.#debounce?.cancel();
    this.#debounce = clock.at(clock.now() + DEBOUNCE_MS, () => this.#look());
  }

  /** Has the file read now, or once more when it is being read. */
  #look(): void {
    if (this.#isStopped) return;
    if (this.#looking !== undefined) {
      this.#isChangedMeanwhile = true;
      return;
    }
    this.#looking = this.#options.onChange().finally(() => {
      this.#looking = undefined;
      if (!this.#isChangedMeanwhile) return;
      this.#isChangedMeanwhile = false;
      this.#look();
    });
  }
}
