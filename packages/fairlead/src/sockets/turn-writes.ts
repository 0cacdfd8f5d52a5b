// SPDX-License-Identifier: Apache-2.0

/**
 * What is written in one turn of the event loop goes out at its end, all at once. A write wakes its reader; where that
 * runs on the same machine, the first of a batch pays for the waking of all. Nothing waits for longer than it takes to
 * handle the events that have already happened.
 */

import type { Socket } from 'node:net';

/** Has something to do at the end of a turn. */
export interface AtTurnEnd {
  onTurnEnd(): void;
}

let due: AtTurnEnd[] = [];

/** Calls `onTurnEnd` when this turn is over, in the order asked. */
export function atTurnEnd(asking: AtTurnEnd): void {
  if (due.push(asking) === 1) setImmediate(endTurn);
}

/** Holds what is written to `socket` until this turn is over. */
export function holdForTurn(socket: Socket): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  atTurnEnd({ onTurnEnd: () => socket.uncork() });
}

function endTurn(): void {
  const asked = due;
  due = [];
  for (const asking of asked) asking.onTurnEnd();
}
