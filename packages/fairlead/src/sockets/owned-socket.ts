// SPDX-License-Identifier: Apache-2.0

/**
 * Sockets and whose they are. The listeners are the same functions for all of them: one for each event of each of ten
 * thousand sockets would be half as much memory as the sockets themselves.
 */

import type { Socket } from 'node:net';

/** Is told what happens to its socket. */
export interface SocketOwner {
  /** Bytes came; not called for a socket that reads into memory of its own (`onread`). */
  onSocketData?(chunk: Buffer): void;
  /** After a `write` that returned false: there is room again. */
  onSocketDrain?(): void;
  /** The other side sends no more. */
  onSocketEnd(): void;
  /** Its close follows. */
  onSocketError(error: Error): void;
  onSocketClose(): void;
}

const OWNER = Symbol('owner');

type OwnedSocket = Socket & { [OWNER]: SocketOwner };

/** From now on `owner` is told; once for each socket. */
export function own(socket: Socket, owner: SocketOwner): void {
  (socket as OwnedSocket)[OWNER] = owner;
  if (owner.onSocketData !== undefined) socket.on('data', onData);
  if (owner.onSocketDrain !== undefined) socket.on('drain', onDrain);
  socket.on('end', onEnd);
  socket.on('error', onError);
  socket.on('close', onClose);
}

function onData(this: Socket, chunk: Buffer): void {
  (this as OwnedSocket)[OWNER].onSocketData?.(chunk);
}

function onDrain(this: Socket): void {
  (this as OwnedSocket)[OWNER].onSocketDrain?.();
}

function onEnd(this: Socket): void {
  (this as OwnedSocket)[OWNER].onSocketEnd();
}

function onError(this: Socket, error: Error): void {
  (this as OwnedSocket)[OWNER].onSocketError(error);
}

function onClose(this: Socket): void {
  (this as OwnedSocket)[OWNER].onSocketClose();
}
