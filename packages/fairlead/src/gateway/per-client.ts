// SPDX-License-Identifier: Apache-2.0

/** How much of something each client has at once, against a limit that is the same for all of them. */
export class PerClient {
  /** May change: whoever has more then keeps it, and gets no more. */
  max: number;
  readonly #counts = new Map<string, number>();

  constructor(max: number) {
    this.max = max;
  }

  /** Takes one for the client; false, and nothing is taken, when it has as many as it may. */
  enter(client: string): boolean {
    const count = this.#counts.get(client) ?? 0;
    if (count >= this.max) return false;
    this.#counts.set(client, count + 1);
    return true;
  }

  /** Gives back what `enter` took. */
  leave(client: string): void {
    const count = this.#counts.get(client) ?? 0;
    if (count > 1) this.#counts.set(client, count - 1);
    else this.#counts.delete(client);
  }
}
