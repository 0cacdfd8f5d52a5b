// SPDX-License-Identifier: Apache-2.0

/**
 * What a gateway is measured beside: a process that moves bytes between a client and a model server over `node:net`,
 * with backpressure, and looks at none of them. No gateway in this runtime can be cheaper.
 */

import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { partOptions, tellListening } from './part.ts';

const { port } = partOptions<{ readonly port: number }>();

function move(from: Socket, to: Socket): void {
  from.on('data', (chunk) => {
    if (!to.write(chunk)) from.pause();
  });
  to.on('drain', () => from.resume());
  from.on('end', () => to.end());
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroy());
}

const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
  const upstream = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true });
  move(client, upstream);
  move(upstream, client);
});

await tellListening([server]);
