// SPDX-License-Identifier: Apache-2.0

/**
 * The whole of `fairlead serve` for one test, from the text of its configuration file: gateway and admin port on free
 * ports, its log kept, its `/state` asked until it says what is waited for.
 */

import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { FlowEvent } from '@fairlead/core';
import type { EndpointState, StateDocument } from '../../packages/fairlead/src/admin/state.ts';
import type { Reload } from '../../packages/fairlead/src/config/config-status.ts';
import { loadConfig } from '../../packages/fairlead/src/config/load.ts';
import { createLog } from '../../packages/fairlead/src/observability/log.ts';
import type { LogFields } from '../../packages/fairlead/src/observability/log.ts';
import { startServe } from '../../packages/fairlead/src/serve/start-serve.ts';
import type { Serve } from '../../packages/fairlead/src/serve/start-serve.ts';

const HEAD = 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n';

/** A line of the log. */
export interface Logged extends LogFields {
  readonly msg: string;
}

export interface ServedOptions {
  /** Files beside the configuration, by name. */
  readonly files?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly onFlowEvent?: (pool: string, event: FlowEvent) => void;
}

export class Served {
  readonly serve: Serve;
  readonly logged: readonly Logged[];
  /** The configuration file. */
  readonly file: string;

  constructor(serve: Serve, logged: readonly Logged[], file: string) {
    this.serve = serve;
    this.logged = logged;
    this.file = file;
  }

  /** Puts another text into the configuration file, by renaming, as editors do. The watch will find it. */
  async rewrite(text: string): Promise<void> {
    await writeFile(`${this.file}.new`, HEAD + text);
    await rename(`${this.file}.new`, this.file);
  }

  /** Another text, in force or refused when this resolves. */
  async reload(text: string): Promise<Reload> {
    await this.rewrite(text);
    const reload = await this.serve.reload();
    assert.ok(reload !== null);
    return reload;
  }

  /** Asks for `/state` until so many reloads have been tried, and gives the last. */
  async untilReloaded(count: number): Promise<Reload> {
    for (;;) {
      const { reloads, lastReload } = (await this.state()).config;
      if (lastReload !== null && reloads.success + reloads.failure >= count) return lastReload;
    }
  }

  get url(): string {
    return this.serve.url;
  }

  async state(): Promise<StateDocument> {
    return (await (await fetch(`${this.serve.adminUrl}/state`)).json()) as StateDocument;
  }

  /** Asks for `/state` until the endpoints there are, in a pool or not, are as wanted. */
  async until(holds: (endpoints: readonly EndpointState[]) => boolean): Promise<readonly EndpointState[]> {
    for (;;) {
      const { pools, unassigned } = await this.state();
      const endpoints = [...pools.flatMap((pool) => pool.endpoints), ...unassigned];
      if (holds(endpoints)) return endpoints;
    }
  }

  /** The value of one series of `/metrics`, by its whole name with labels; 0 when there is none. */
  async metric(series: string): Promise<number> {
    const page = await (await fetch(`${this.serve.adminUrl}/metrics`)).text();
    const line = page.split('\n').find((each) => each.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }

  /** Status and text of a request. */
  async ask(body: object, at = '/v1/chat/completions'): Promise<{ status: number; text: string }> {
    const answer = await fetch(`${this.url}${at}`, { method: 'POST', body: JSON.stringify(body) });
    return { status: answer.status, text: await answer.text() };
  }
}

/** Serves what the text says (the two lines at its head are added); ended by the last of `atEnd`. */
export async function serveText(
  text: string,
  end: { atEnd(cleanup: () => Promise<unknown>): void },
  options: ServedOptions = {},
): Promise<Served> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-'));
  end.atEnd(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'config.yaml');
  await writeFile(file, HEAD + text);
  for (const [name, content] of Object.entries(options.files ?? {})) await writeFile(path.join(folder, name), content);
  const loaded = await loadConfig({ file, defaults: 'serve' });
  assert.ok(loaded.ok !== undefined, JSON.stringify(loaded.problems));
  const logged: Logged[] = [];
  const destination = { write: (line: unknown) => logged.push(JSON.parse(String(line)) as Logged) };
  const serve = await startServe({
    config: loaded.ok,
    source: { file, loaded, load: (more) => loadConfig({ ...more, file, defaults: 'serve' }) },
    host: '127.0.0.1',
    port: 0,
    adminHost: '127.0.0.1',
    adminPort: 0,
    log: createLog({ level: 'info', destination }),
    environment: options.environment ?? {},
    ...(options.onFlowEvent && { onFlowEvent: options.onFlowEvent }),
  });
  end.atEnd(() => serve.destroy());
  return new Served(serve, logged, file);
}
