// SPDX-License-Identifier: Apache-2.0

/**
 * What is written in one turn of the event loop goes out at its end, all at once. A write wakes its reader; where that
 * runs on the same machine, the first of a batch pays for the waking of all. Nothing waits for longer than it takes to
 * handle the events that have already happened.
 */

import type { Socket } from 'node:net';

let due: (() => void)[] = [];

/** Calls back when this turn is over, in the order asked. */
export function atTurnEnd(callback: () => void): void {
  if (due.push(callback) === 1) setImmediate(flush);
}

/** Holds what is written to `socket` until this turn is over. */
export function holdForTurn(socket: Socket): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  atTurnEnd(() => socket.uncork());
}

function flush(): void {
  const callbacks = due;
  due = [];
  for (const callback of callbacks) callback();
}
