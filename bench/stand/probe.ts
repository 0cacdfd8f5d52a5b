// SPDX-License-Identifier: Apache-2.0

/** How long another process answers nobody, seen from outside: one small request after the other, and the longest wait. */

import { once } from 'node:events';
import { connect } from 'node:net';
import { pause } from './raw-load.ts';

/** Answers of this kind keep coming for so long before and after what is looked at. */
const AROUND_MS = 500;
const CALM_LIMIT_MS = 5000;

/** The longest wait, in milliseconds, for an answer while `during` runs and until the server is calm again. */
export async function longestSilence(
  port: number,
  { path, during }: { path: string; during: () => Promise<void> },
): Promise<number> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  const request = `GET ${path} HTTP/1.1\r\nhost: probe\r\n\r\n`;
  let askedMs = performance.now();
  let longestMs = 0;
  let lastLongMs = 0;
  let isCounted = false;
  socket.on('data', () => {
    const nowMs = performance.now();
    if (isCounted) longestMs = Math.max(longestMs, nowMs - askedMs);
    if (nowMs - askedMs > 20) lastLongMs = nowMs;
    askedMs = nowMs;
    socket.write(request);
  });
  socket.write(request);
  await pause(AROUND_MS);
  isCounted = true;
  await during();
  const untilMs = performance.now() + CALM_LIMIT_MS;
  do await pause(AROUND_MS);
  while (performance.now() - lastLongMs < AROUND_MS && performance.now() < untilMs);
  socket.destroy();
  return longestMs;
}
