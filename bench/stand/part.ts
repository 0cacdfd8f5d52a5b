// SPDX-License-Identifier: Apache-2.0

/**
 * The other processes of a speed measurement, model server and relay, each a file of this folder started with its
 * options as one JSON word. A part tells over IPC where it listens, and leaves when whoever started it is gone.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import path from 'node:path';

/** A running part. */
export interface Part {
  readonly pid: number;
  /** Where it listens, in the order of its servers. */
  readonly ports: readonly number[];
  stop(): Promise<void>;
}

/** Names of the files that are parts. */
export type PartName = 'backend' | 'byte-relay' | 'bare-http' | 'crowd';

/** Starts a part; resolves when it listens. @throws {Error} when it ends instead. */
export async function startPart(name: PartName, options: unknown): Promise<Part> {
  const child = fork(path.join(import.meta.dirname, `${name}.ts`), [JSON.stringify(options)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // As with the gateway: a terminal's Ctrl-C reaches only the benchmark, which then ends its parts.
    detached: true,
  });
  const exited = once(child, 'exit');
  const listening = once(child, 'message').then(([message]) => message as { ports: number[] });
  const first = await Promise.race([listening, exited.then(() => undefined)]);
  if (first === undefined) throw new Error(`${name} ended before it listened`);
  return {
    pid: child.pid as number,
    ports: first.ports,
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** In a part: its options. */
export function partOptions<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

/** In a part: makes the servers listen on free ports, and tells whoever started it. */
export async function tellListening(servers: readonly Server[]): Promise<void> {
  process.once('disconnect', () => process.exit(1));
  for (const server of servers) {
    server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 });
    await once(server, 'listening');
  }
  process.send?.({ ports: servers.map((server) => (server.address() as AddressInfo).port) });
}
