// SPDX-License-Identifier: Apache-2.0

/**
 * `file-discovery`: endpoints from a file, read again when it changes. A file that is wrong changes nothing.
 */

import path from 'node:path';
import type { Clock } from '@fairlead/core';
import { readBounded } from '../config/bounded-file.ts';
import type { FileDiscoveryConfig } from '../config/resolved.ts';
import { WatchedFile } from '../config/watched-file.ts';
import { DiscoveryError } from './discovery.ts';
import type { Discovery, DiscoveryListener } from './discovery.ts';
import { MAX_FILE_BYTES, parseEndpointsFile } from './endpoints-file.ts';
import type { EndpointsFile } from './endpoints-file.ts';

export class FileDiscovery implements Discovery {
  readonly #config: FileDiscoveryConfig;
  readonly #watched: WatchedFile;
  #listener: DiscoveryListener | undefined;
  #isStopped = false;
  /** What was told last, so that nothing is told twice: the text, or the problem. */
  #told: string | undefined;

  constructor(config: FileDiscoveryConfig, clock: Clock) {
    this.#config = config;
    this.#watched = new WatchedFile({
      file: config.path,
      clock,
      onChange: () => this.#reload(),
      onProblem: (problem) => this.#listener?.onProblem(problem),
    });
  }

  async start(listener: DiscoveryListener): Promise<void> {
    const { text, parsed } = await this.#read();
    if ('problems' in parsed) throw new DiscoveryError(parsed.problems.join('\n'));
    if (this.#isStopped) return;
    this.#listener = listener;
    this.#told = text;
    listener.onEndpoints(parsed.endpoints);
    if (this.#config.watchFile) this.#watched.start();
  }

  stop(): void {
    this.#isStopped = true;
    this.#listener = undefined;
    this.#watched.stop();
  }

  async #reload(): Promise<void> {
    const { text, parsed } = await this.#read();
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
