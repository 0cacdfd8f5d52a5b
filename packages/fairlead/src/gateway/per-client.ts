// SPDX-License-Identifier: Apache-2.0

/** Clients that have nothing are remembered up to so many in all: to forget one, and to learn it anew, is what costs most. */
const MAX_REMEMBERED = 1024;

/** How much of something each client has at once, against a limit that is the same for all of them. */
export class PerClient {
  /** May change: whoever has more then keeps it, and gets no more. */
  max: number;
  readonly #counts = new Map<string, { taken: number }>();

  constructor(max: number) {
    this.max = max;
  }

  /** Clients that are known, whether they have something or not. */
  get size(): number {
    return this.#counts.size;
  }

  /** Takes one for the client; false, and nothing is taken, when it has as many as it may. */
  enter(client: string): boolean {
    const count = this.#counts.get(client);
    if ((count?.taken ?? 0) >= this.max) return false;
    if (count === undefined) this.#counts.set(client, { taken: 1 });
    else count.taken += 1;
    return true;
  }

  /** Gives back what `enter` took. */
  leave(client: string): void {
    const count = this.#counts.get(client);
    if (count === undefined) return;
    count.taken = Math.max(0, count.taken - 1);
    if (count.taken === 0) forgetIdle(this.#counts, client);
  }
}

/** Forgets a client that has nothing, when there are many to remember. */
export function forgetIdle(clients: Map<string, unknown>, client: string): void {
  if (clients.size > MAX_REMEMBERED) clients.delete(client);
}
