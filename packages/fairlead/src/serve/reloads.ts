// SPDX-License-Identifier: Apache-2.0

/**
 * A configuration file that lives: when it changes, or when somebody asks, it is read, checked and resolved anew, and
 * then everything goes on with it in one turn. A file that is wrong, or that asks for what cannot be had, changes nothing
 * and is told of: every problem in the log, the count and the last result as metrics, all of it in `/state`.
 */

import type { Clock } from '@fairlead/core';
import { configProblem, problemLine } from '../config/config-problem.ts';
import type { ConfigProblem } from '../config/config-problem.ts';
import type { ConfigStatus, Reload, ReloadTrigger } from '../config/config-status.ts';
import { fileProblem, hashOf, readConfigFile } from '../config/load.ts';
import type { GoodConfig, LoadedConfig, LoadOptions } from '../config/load.ts';
import { fieldsThatNeedRestart } from '../config/needs-restart.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import { WatchedFile } from '../config/watched-file.ts';
import type { Log } from '../observability/log.ts';

/** Where the configuration came from, and how to load what stands there now. */
export interface ConfigSource {
  /** Undefined: it came from flags. */
  readonly file: string | undefined;
  readonly loaded: GoodConfig;
  load(options: Pick<LoadOptions, 'fileText' | 'keep'>): Promise<LoadedConfig>;
}

export interface ReloadsOptions {
  readonly source: ConfigSource | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Goes on with a configuration. @throws Error when it cannot; nothing has changed then. */
  readonly apply: (config: ResolvedConfig) => Promise<void>;
}

export class Reloads {
  readonly #options: ReloadsOptions;
  readonly #watched: WatchedFile | undefined;
  #running: GoodConfig | undefined;
  #since = new Date().toISOString();
  /** What was last looked at, so that one mistake is told once. */
  #seen: string | undefined;
  #counts = { success: 0, failure: 0 };
  #last: Reload | null = null;
  /** One at a time, in the order in which they were asked for. */
  #queue: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  constructor(options: ReloadsOptions) {
    this.#options = options;
    this.#running = options.source?.loaded;
    this.#seen = this.#running?.sha256;
    const file = options.source?.file;
    if (file === undefined) return;
    this.#watched = new WatchedFile({
      file,
      clock: options.clock,
      onChange: () => this.#enqueue('file').then(() => undefined),
      onProblem: (problem) => options.log.warn('the configuration file is not watched', { problem }),
    });
  }

  /** Begins to watch the file. */
  start(): void {
    this.#watched?.start();
    // It may have changed since it was loaded.
    if (this.#watched !== undefined) void this.#enqueue('file');
  }

  /** Nothing is reloaded any more; resolves when what is under way is over. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#watched?.stop();
    await this.#queue;
  }

  get status(): ConfigStatus {
    const file = this.#options.source?.file ?? null;
    return {
      file,
      sha256: this.#running?.sha256 ?? null,
      since: this.#since,
      reloads: { ...this.#counts },
      lastReload: this.#last,
    };
  }

  /** Reads the file now, changed or not. Null when there is none, or all is about to end. */
  async reload(): Promise<Reload | null> {
    return this.#enqueue('signal');
  }

  #enqueue(trigger: ReloadTrigger): Promise<Reload | null> {
    const turn = this.#queue.then(() => this.#reload(trigger));
    this.#queue = turn;
    return turn;
  }

  async #reload(trigger: ReloadTrigger): Promise<Reload | null> {
    const { source } = this.#options;
    if (source?.file === undefined || this.#isStopped) return null;
    const { file } = source;
    let text: string;
    try {
      text = await readConfigFile(file);
    } catch (error) {
      const problem = fileProblem(file, error);
      return this.#isOldNews(trigger, problem.message) ? null : this.#refused(trigger, [problem]);
    }
    if (this.#isOldNews(trigger, hashOf(text))) return null;
    const loaded = await source.load({ fileText: text, keep: this.#running?.plugins });
    for (const warning of loaded.warnings)
      this.#options.log.warn('the configuration', { warning: problemLine(warning) });
    if (loaded.ok === undefined) return this.#refused(trigger, loaded.problems);
    try {
      await this.#options.apply(loaded.ok);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return this.#refused(trigger, [configProblem({ path: [], message }, file, { line: 1, column: 1 })]);
    }
    return this.#accepted(trigger, loaded);
  }

  /** Whether the file is as it was when it was last looked at. Who asks for a reload gets one all the same. */
  #isOldNews(trigger: ReloadTrigger, seen: string): boolean {
    const isSame = seen === this.#seen;
    this.#seen = seen;
    return isSame && trigger === 'file';
  }

  #accepted(trigger: ReloadTrigger, loaded: GoodConfig): Reload {
    const { log } = this.#options;
    const changed = fieldsThatNeedRestart(this.#running?.document ?? {}, loaded.document);
    const needsRestart = [...changed, ...loaded.outdated];
    this.#running = loaded;
    this.#since = new Date().toISOString();
    this.#counts.success += 1;
    log.info('the configuration was reloaded', { trigger, sha256: loaded.sha256 });
    for (const field of needsRestart) log.warn('a changed field counts after a restart', { field });
    return this.#note({ trigger, result: 'success', problems: [], needsRestart });
  }

  #refused(trigger: ReloadTrigger, problems: readonly ConfigProblem[]): Reload {
    const { log } = this.#options;
    this.#counts.failure += 1;
    for (const problem of problems) log.error('a problem of the configuration', { problem: problemLine(problem) });
    log.error('the configuration was not reloaded: the old one goes on', { trigger, problems: problems.length });
    return this.#note({ trigger, result: 'failure', problems, needsRestart: [] });
  }

  #note(reload: Omit<Reload, 'at'>): Reload {
    this.#last = { at: new Date().toISOString(), ...reload };
    return this.#last;
  }
}
