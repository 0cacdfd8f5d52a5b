// SPDX-License-Identifier: Apache-2.0

/**
 * A crowd of clients in a process of its own: each opens a connection and sends one request. Killed, all of them are
 * gone at once. Its own server has no purpose but to say that all requests are sent.
 */

import { createServer } from 'node:net';
import { connect } from 'node:net';
import { promptRequest } from './messages.ts';
import { partOptions, tellListening } from './part.ts';

const { port, count } = partOptions<{ readonly port: number; readonly count: number }>();
/** Connections opened before the last of them is waited for. */
const AT_ONCE = 200;

const request = promptRequest({ tenant: 0, isStream: true, promptBytes: 200 });
const shared = Buffer.alloc(4096);

function open(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, onread: { buffer: shared, callback: () => true } });
    socket.once('error', reject);
    socket.once('connect', () => socket.write(request, () => resolve()));
  });
}

for (let opened = 0; opened < count; opened += AT_ONCE) {
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - opened) }, open));
}
await tellListening([createServer()]);
