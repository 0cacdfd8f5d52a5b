// SPDX-License-Identifier: Apache-2.0

/** Servers on loopback ports for one test, closed with every socket of theirs at its end. */

import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

export class Loopback {
  readonly #cleanups: (() => Promise<unknown> | void)[] = [];

  /** An HTTP server; its URL. */
  async http(listener: RequestListener, port = 0): Promise<string> {
    return this.#listen(createHttpServer(listener), port);
  }

  /** A server of bare sockets; its URL, as if it spoke HTTP. */
  async raw(onSocket: (socket: Socket) => void): Promise<string> {
    return this.#listen(createServer(onSocket), 0);
  }

  /** A URL at which nobody listens. */
  async nobody(): Promise<string> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return `http://127.0.0.1:${port}`;
  }

  /** Something else to do at the end, before what was asked for earlier. */
  atEnd(cleanup: () => Promise<unknown> | void): void {
    this.#cleanups.push(cleanup);
  }

  async end(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }

  async #listen(server: Server, port: number): Promise<string> {
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    this.atEnd(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
}
